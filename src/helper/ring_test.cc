#include "helper/ring.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/random.h"
#include "net/fd.h"

namespace penstock {
namespace {

// A ring in memory of its own.
class RingMemory {
 public:
  explicit RingMemory(std::size_t capacity)
      : size_(Ring::memory(capacity)), memory_(::operator new(size_, kAligned)) {
    std::ranges::fill(bytes(), std::byte{});
  }
  [[nodiscard]] Ring ring() const { return Ring::in(bytes()); }

 private:
  static constexpr std::align_val_t kAligned{alignof(RingHeader)};
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, kAligned); }
  };
  [[nodiscard]] std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(memory_.get()), size_};
  }
  std::size_t size_;
  std::unique_ptr<void, Free> memory_;
};

class RingTest : public testing::Test {
 protected:
  static constexpr std::size_t kCapacity = 256;

  Result<void> write(std::uint64_t tag, std::string_view bytes) {
    const std::string_view parts[] = {bytes};
    return writer.write(tag, parts);
  }
  // The next message as "tag:bytes", "" if there is none, or the error.
  std::string read() {
    RingMessage message;
    const auto got = reader.read(message);
    if (!got) return std::string(to_string(got.error().kind));
    return *got ? std::to_string(message.tag) + ":" + message.bytes : "";
  }

  RingMemory memory{kCapacity};
  Ring ring = memory.ring();
  RingWriter writer{ring, {}};
  RingReader reader{ring, {}};
};

TEST_F(RingTest, MessagesComeOutInOrder) {
  EXPECT_EQ(read(), "");
  const std::string_view parts[] = {"a", "", "bc"};
  EXPECT_TRUE(writer.write(7, parts));
  EXPECT_TRUE(writer.write(8, {}));
  EXPECT_TRUE(write(std::numeric_limits<std::uint64_t>::max(), "x"));
  EXPECT_EQ(read(), "7:abc");
  EXPECT_EQ(read(), "8:");
  EXPECT_EQ(read(), "18446744073709551615:x");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(writer.waiting(), 0U);
}

TEST_F(RingTest, WrapsAroundAtEveryPlace) {
  for (std::size_t i = 0; i < 5 * kCapacity; ++i) {
    const std::string bytes(i % 23, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(write(i, bytes));
    ASSERT_EQ(writer.waiting(), 0U);
    ASSERT_EQ(read(), std::to_string(i) + ":" + bytes);
  }
}

TEST_F(RingTest, WhatIsLargerThanTheRingGoesThroughInParts) {
  const std::string large(10 * kCapacity + 3, 'L');
  EXPECT_TRUE(write(1, large));
  EXPECT_TRUE(write(2, "after"));
  EXPECT_EQ(writer.waiting(), large.size() + 5 + 2 * kRingPrefix - kCapacity);
  std::string got;
  for (int rounds = 0; got.empty(); ++rounds) {
    ASSERT_LT(rounds, 12);
    got = read();
    EXPECT_TRUE(writer.flush());
  }
  EXPECT_EQ(got, "1:" + large);
  EXPECT_EQ(read(), "2:after");
  EXPECT_EQ(writer.waiting(), 0U);
}

TEST_F(RingTest, TheLargestMessage) {
  const std::string most(kMaxRingMessage, 'm');
  const std::string_view parts[] = {most, "x"};
  EXPECT_EQ(writer.write(1, parts), fail(ErrorKind::limit));
  EXPECT_EQ(writer.write_blocking(1, parts), fail(ErrorKind::limit));
  EXPECT_TRUE(write(2, most));
  std::string got;
  while (got.empty()) {
    got = read();
    ASSERT_TRUE(writer.flush());
  }
  EXPECT_EQ(got, "2:" + most);
}

TEST(RingBacklog, TakesNoMoreThanWhatWaits) {
  const RingMemory memory(std::size_t{64} * 1024);
  RingWriter writer(memory.ring(), {});
  RingReader reader(memory.ring(), {});
  const std::string large(50'000, 'x');
  const std::string_view parts[] = {large};
  const auto in_use = [] {
    const struct mallinfo2 info = ::mallinfo2();  // zeros under sanitizers
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = in_use();
  // Something always waits.
  RingMessage message;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(writer.write(1, parts));
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(writer.write(1, parts));
    ASSERT_EQ(reader.read(message), true);
    ASSERT_TRUE(writer.flush());
    ASSERT_GT(writer.waiting(), 0U);
  }
  EXPECT_LT(in_use(), before + 4'000'000);
}

TEST_F(RingTest, ClosedAfterWhatWasWritten) {
  EXPECT_TRUE(write(1, "last"));
  ring.close();
  EXPECT_EQ(write(2, "late"), fail(ErrorKind::closed));
  EXPECT_EQ(writer.write_blocking(2, {}), fail(ErrorKind::closed));
  RingMessage message;
  EXPECT_EQ(reader.wait(message), true);
  EXPECT_EQ(message.bytes, "last");
  EXPECT_EQ(reader.wait(message), false);
}

TEST_F(RingTest, ClosingWakesBothSides) {
  std::thread sleeper([this] {
    RingMessage message;
    EXPECT_EQ(reader.wait(message), false);
  });
  while (ring.header->reader_waits.load() == 0) std::this_thread::yield();
  ring.close();
  sleeper.join();

  const RingMemory other_memory(kCapacity);
  const Ring other = other_memory.ring();
  std::thread stuck([&other] {
    RingWriter full(other, {});
    const std::string large(2 * kCapacity, 'x');
    const std::string_view parts[] = {large};
    EXPECT_EQ(full.write_blocking(1, parts), fail(ErrorKind::closed));
  });
  while (other.header->writer_waits.load() == 0) std::this_thread::yield();
  other.close();
  stuck.join();
}

// --- what a hostile side may do

TEST_F(RingTest, AWriterThatIsTooFarAhead) {
  ring.header->written.store(kCapacity + 1);
  EXPECT_EQ(read(), "protocol");
  ring.header->written.store(kCapacity);
  EXPECT_EQ(read(), "protocol");  // for good
}

TEST_F(RingTest, AWriterThatGoesBack) {
  EXPECT_TRUE(write(1, "abc"));
  EXPECT_EQ(read(), "1:abc");
  ring.header->written.store(3);
  EXPECT_EQ(read(), "protocol");
}

TEST_F(RingTest, AWriterThatTakesBackWhatItShowed) {
  EXPECT_TRUE(write(1, "abc"));
  EXPECT_TRUE(write(2, "abc"));
  EXPECT_EQ(read(), "1:abc");  // the reader knows of both
  ring.header->written.store(20);
  EXPECT_EQ(read(), "2:abc");
  EXPECT_EQ(read(), "protocol");
}

TEST_F(RingTest, ALengthThatCannotBe) {
  for (const std::uint32_t length : {std::uint32_t{kMaxRingMessage} + 1, 0xffff'ffffU}) {
    const RingMemory other(kCapacity);
    const Ring bad = other.ring();
    std::memcpy(bad.bytes, &length, sizeof length);
    bad.header->written.store(2 * kRingPrefix);
    RingReader victim(bad, {});
    RingMessage message;
    EXPECT_EQ(victim.read(message), fail(ErrorKind::protocol));
    EXPECT_EQ(victim.wait(message), fail(ErrorKind::protocol));
  }
}

TEST_F(RingTest, ALengthThatIsNeverFilledTakesNoMemory) {
  const std::uint32_t length = kMaxRingMessage;
  std::memcpy(ring.bytes, &length, sizeof length);
  ring.header->written.store(kCapacity);
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "");
}

TEST_F(RingTest, AReaderThatIsTooFarAhead) {
  EXPECT_TRUE(write(1, std::string(kCapacity, 'x')));
  EXPECT_GT(writer.waiting(), 0U);
  ring.header->read.store(kCapacity + 1);
  EXPECT_EQ(writer.flush(), fail(ErrorKind::protocol));
  ring.header->read.store(kCapacity);
  EXPECT_EQ(writer.flush(), fail(ErrorKind::protocol));
  EXPECT_EQ(write(2, "x"), fail(ErrorKind::protocol));
}

TEST_F(RingTest, AReaderThatGoesBack) {
  EXPECT_TRUE(write(1, std::string(200, 'x')));
  read();
  EXPECT_TRUE(write(2, std::string(100, 'x')));
  ring.header->read.store(10);
  EXPECT_EQ(write(3, std::string(200, 'x')), fail(ErrorKind::protocol));
}

TEST_F(RingTest, FlagsMayBeAnything) {
  for (const std::uint32_t flag : {2U, 0xffff'ffffU}) {
    ring.header->reader_waits.store(flag);
    ring.header->writer_waits.store(flag);
    EXPECT_TRUE(write(1, "abc"));
    EXPECT_EQ(read(), "1:abc");
  }
}

// --- sleeping and waking

std::uint64_t count_of(const Fd& bell) {
  std::uint64_t count = 0;
  return ::read(bell.get(), &count, sizeof count) > 0 ? count : 0;
}

// Whoever is busy costs the other side no system call.
TEST(RingBell, RingsOnlyForWhoSleeps) {
  const RingMemory memory(4096);
  const Fd reader_bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const Fd writer_bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  RingWriter writer(memory.ring(), {reader_bell.get()});
  RingReader reader(memory.ring(), {writer_bell.get()});
  RingMessage message;
  EXPECT_TRUE(writer.write(1, {}));
  EXPECT_EQ(count_of(reader_bell), 0U);  // it has not said that it sleeps
  EXPECT_EQ(reader.read(message), true);
  EXPECT_EQ(reader.read(message), false);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(writer.write(1, {}));
  EXPECT_EQ(count_of(reader_bell), 1U);
  // Full: the writer is told once, when half of it is free.
  const std::string large(4096, 'x');
  const std::string_view parts[] = {large};
  EXPECT_TRUE(writer.write(2, parts));
  EXPECT_GT(writer.waiting(), 0U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(reader.read(message), true);
  EXPECT_EQ(count_of(writer_bell), 0U);
  EXPECT_EQ(reader.read(message), false);
  EXPECT_EQ(count_of(writer_bell), 1U);
  EXPECT_TRUE(writer.flush());
  EXPECT_EQ(writer.waiting(), 0U);
  EXPECT_EQ(count_of(reader_bell), 1U);
  EXPECT_EQ(reader.read(message), true);
  EXPECT_EQ(message.bytes, large);
}

// What message number `i` holds.
std::string content(std::uint64_t i, std::uint64_t most) {
  Random random(i);
  std::string bytes(random.skewed(1, most) - 1, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

// What goes through a ring, as it depends on its size: small ones make both sides sleep most of the
// time.
struct Load {
  explicit Load(const Ring& ring)
      : messages(ring.capacity < 1'000 ? 2'000 : 20'000), most(ring.capacity < 64 ? 40 : 3'000) {}
  std::uint64_t messages;
  std::uint64_t most;  // bytes
};

void write_all_blocking(const Ring& ring) {
  RingWriter writer(ring, {});
  const Load load(ring);
  for (std::uint64_t i = 0; i < load.messages; ++i) {
    const std::string bytes = content(i, load.most);
    const std::size_t cut = i % (bytes.size() + 1);
    const std::string_view parts[] = {std::string_view(bytes).substr(0, cut),
                                      std::string_view(bytes).substr(cut)};
    ASSERT_TRUE(writer.write_blocking(i, parts));
  }
  ring.close();
}

class RingThreads : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Capacities, RingThreads, testing::Values(1, 16, 64, 1024, 65'536));

TEST_P(RingThreads, BothSidesSleepInTheRing) {
  const RingMemory memory(GetParam());
  const Ring ring = memory.ring();
  const Load load(ring);
  std::thread thread([&] { write_all_blocking(ring); });
  RingReader reader(ring, {});
  RingMessage message;
  for (std::uint64_t next = 0; next < load.messages; ++next) {
    ASSERT_EQ(reader.wait(message), true);
    ASSERT_EQ(message.tag, next);
    ASSERT_EQ(message.bytes, content(next, load.most));
  }
  EXPECT_EQ(reader.wait(message), false);
  thread.join();
}

void wait_for(const Fd& bell) {
  pollfd polled{.fd = bell.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&polled, 1, 20'000), 1) << "a wake-up was lost";
  count_of(bell);
}

void write_all_with_bell(const Ring& ring, const Fd& reader_bell, const Fd& writer_bell) {
  RingWriter writer(ring, {reader_bell.get()});
  const Load load(ring);
  for (std::uint64_t i = 0; i < load.messages; ++i) {
    const std::string bytes = content(i, load.most);
    const std::string_view parts[] = {bytes};
    ASSERT_TRUE(writer.write(i, parts));
    while (writer.waiting() > 8'000) {
      wait_for(writer_bell);
      ASSERT_TRUE(writer.flush());
    }
  }
  while (writer.waiting() > 0) {
    wait_for(writer_bell);
    ASSERT_TRUE(writer.flush());
  }
}

TEST_P(RingThreads, BothSidesHaveABell) {
  const RingMemory memory(GetParam());
  const Ring ring = memory.ring();
  const Load load(ring);
  const Fd reader_bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const Fd writer_bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  std::thread thread([&] { write_all_with_bell(ring, reader_bell, writer_bell); });
  RingReader reader(ring, {writer_bell.get()});
  RingMessage message;
  for (std::uint64_t next = 0; next < load.messages;) {
    const auto got = reader.read(message);
    ASSERT_TRUE(got);
    if (!*got) {
      wait_for(reader_bell);
      continue;
    }
    ASSERT_EQ(message.tag, next);
    ASSERT_EQ(message.bytes, content(next, load.most));
    ++next;
  }
  thread.join();
}

}  // namespace
}  // namespace penstock
