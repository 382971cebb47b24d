#include "async/input_buffer.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

// As a stream would fill it.
void receive(InputBuffer& buffer, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> room = buffer.writable();
    const std::size_t n = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), n, room.begin());
    buffer.commit(n);
    bytes.remove_prefix(n);
  }
}

std::string pattern(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 31 % 97 % 26);
  return text;
}

TEST(InputBuffer, GivesBytesBackInOrder) {
  InputBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  receive(buffer, "GET / ");
  receive(buffer, "HTTP/1.1");
  EXPECT_EQ(buffer.unread(), "GET / HTTP/1.1");
  buffer.consume(4);
  EXPECT_EQ(buffer.take(2).view(), "/ ");
  EXPECT_EQ(buffer.unread(), "HTTP/1.1");
  EXPECT_EQ(buffer.size(), 8U);
  EXPECT_TRUE(buffer.take(0).empty());
  EXPECT_EQ(buffer.take(8).view(), "HTTP/1.1");
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.unread(), "");
}

TEST(InputBuffer, HoldsMemoryOnlyWhileThereAreBytes) {
  const std::size_t before = SlabPool::bytes_in_use();
  InputBuffer buffer;
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
  EXPECT_FALSE(buffer.writable().empty());
  EXPECT_EQ(SlabPool::bytes_in_use(), before + kSmallSlab);
  buffer.commit(0);  // nothing came
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
  receive(buffer, "abc");
  buffer.consume(3);
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
  receive(buffer, "abc");
  {
    const Slice slice = buffer.take(3);
    EXPECT_EQ(SlabPool::bytes_in_use(), before + kSmallSlab);
  }
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST(InputBuffer, ReadingNothingKeepsUnreadBytes) {
  InputBuffer buffer;
  receive(buffer, "abc");
  ASSERT_FALSE(buffer.writable().empty());
  buffer.commit(0);
  EXPECT_EQ(buffer.unread(), "abc");
}

TEST(InputBuffer, GrowsThroughAllSizesKeepingItsBytesTogether) {
  const std::string text = pattern(480 * 1024);
  const std::size_t before = SlabPool::bytes_in_use();
  InputBuffer buffer;
  for (std::size_t at = 0; at < text.size(); at += 1000) {
    receive(buffer, std::string_view(text).substr(at, 1000));
  }
  EXPECT_EQ(buffer.unread(), text);
  EXPECT_EQ(SlabPool::bytes_in_use(), before + kHugeSlab);  // the ones outgrown are given back
  buffer.consume(text.size());
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST(InputBuffer, SlicesStayValidWhenBytesMove) {
  const std::string text = pattern(40'000);
  InputBuffer buffer;
  std::vector<Slice> slices;
  std::string joined;
  std::size_t at = 0;
  while (at < text.size()) {
    receive(buffer, std::string_view(text).substr(at, 997));
    at += 997;
    slices.push_back(buffer.take(buffer.size() / 2));  // the other half moves along
  }
  slices.push_back(buffer.take(buffer.size()));
  for (const Slice& slice : slices) joined += slice.view();
  EXPECT_EQ(joined, text);
}

TEST(InputBuffer, ExpectedBytesChooseTheNextSlab) {
  const struct {
    std::uint64_t expected;
    std::size_t slab;
  } cases[] = {{0, kSmallSlab},          {4000, kSmallSlab},   {5000, kMediumSlab},
               {16'000, kMediumSlab},    {20'000, kLargeSlab}, {kLargeSlab, kLargeSlab},
               {1ULL << 40, kLargeSlab}, {~0ULL, kLargeSlab}};
  for (const auto& c : cases) {
    InputBuffer buffer;
    buffer.expect(c.expected);
    EXPECT_EQ(buffer.writable().size(), c.slab - sizeof(Slab)) << c.expected;
    buffer.commit(0);
    EXPECT_EQ(buffer.writable().size(), c.slab - sizeof(Slab)) << "a read of nothing changes that";
    buffer.commit(1);
    buffer.consume(1);
    EXPECT_EQ(buffer.writable().size(), kSmallSlab - sizeof(Slab)) << "what was expected has come";
    buffer.commit(1);
  }
}

TEST(InputBuffer, AlwaysOffersRoomWorthARead) {
  InputBuffer buffer;
  for (std::size_t size = 0; size < 300'000; size = size * 5 / 4 + 1) {
    receive(buffer, pattern(size - buffer.size()));
    const std::span<char> room = buffer.writable();
    EXPECT_GE(room.size(), 512U) << size;
    buffer.commit(0);
  }
}

TEST(InputBufferDeathTest, MoreThanThereIsCannotBeTaken) {
  InputBuffer buffer;
  receive(buffer, "abc");
  EXPECT_DEATH(buffer.consume(4), "broken invariant");
  EXPECT_DEATH(static_cast<void>(buffer.take(4)), "broken invariant");
}

}  // namespace
}  // namespace penstock
