#include "cache/rfc9111/byte_spans.h"

#include <bitset>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::rfc9111 {
namespace {

using testing::ElementsAre;

ByteSpans make(std::initializer_list<ByteSpan> list) {
  ByteSpans spans;
  for (const ByteSpan& span : list) EXPECT_TRUE(spans.add(span));
  return spans;
}

TEST(ByteSpans, AreSortedAndNeitherOverlapNorTouch) {
  const ByteSpans spans = make({{20, 30}, {0, 5}, {40, 50}, {5, 8}, {29, 41}, {0, 0}});
  EXPECT_THAT(spans.spans(), ElementsAre(ByteSpan{0, 8}, ByteSpan{20, 50}));
  EXPECT_EQ(spans.size(), 38U);
}

TEST(ByteSpans, TellWhatIsThereAndWhatIsMissing) {
  const ByteSpans spans = make({{10, 20}, {30, 40}});
  EXPECT_TRUE(spans.covers({10, 20}));
  EXPECT_TRUE(spans.covers({12, 12}));
  EXPECT_TRUE(spans.covers({50, 50}));
  EXPECT_FALSE(spans.covers({9, 12}));
  EXPECT_FALSE(spans.covers({19, 31}));
  EXPECT_EQ(spans.missing({10, 20}), std::nullopt);
  EXPECT_EQ(spans.missing({0, 50}), (ByteSpan{0, 50}));
  EXPECT_EQ(spans.missing({10, 40}), (ByteSpan{20, 30}));
  EXPECT_EQ(spans.missing({15, 35}), (ByteSpan{20, 30}));
  EXPECT_EQ(spans.missing({15, 60}), (ByteSpan{20, 60}));
  EXPECT_EQ(spans.missing({0, 15}), (ByteSpan{0, 10}));
  EXPECT_EQ(spans.missing({20, 30}), (ByteSpan{20, 30}));
  EXPECT_EQ(spans.end_from(10), 20U);
  EXPECT_EQ(spans.end_from(20), 20U);
  EXPECT_EQ(spans.end_from(35), 40U);
}

TEST(ByteSpans, AreBounded) {
  ByteSpans spans;
  for (std::uint64_t i = 0; i < ByteSpans::kMaxSpans; ++i)
    EXPECT_TRUE(spans.add({i * 4, i * 4 + 1}));
  const ByteSpans before = spans;
  EXPECT_FALSE(spans.add({1000, 1001}));
  EXPECT_EQ(spans, before);
  EXPECT_TRUE(spans.add({1, 4}));  // closes a gap, and makes room
  EXPECT_TRUE(spans.add({1000, 1001}));
}

// Beside a set of bits.
TEST(ByteSpans, AreTheBytesAdded) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    ByteSpans spans;
    std::bitset<64> bits;
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t a = random() % 64;
      const std::uint64_t b = random() % 65;
      EXPECT_TRUE(spans.add({a, b}));
      for (std::uint64_t bit = a; bit < b; ++bit) bits.set(bit);
      EXPECT_EQ(spans.size(), bits.count());
      const std::uint64_t from = random() % 64;
      const std::uint64_t to = from + random() % (65 - from);
      std::optional<ByteSpan> missing;
      for (std::uint64_t bit = from; bit < to; ++bit) {
        if (!bits.test(bit)) missing = {missing ? missing->first : bit, bit + 1};
      }
      EXPECT_EQ(spans.missing({from, to}), missing);
      EXPECT_EQ(spans.covers({from, to}), !missing);
    }
  }
}

}  // namespace
}  // namespace penstock::rfc9111
