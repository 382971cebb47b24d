#include "async/stream.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/virtual_time_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

// Keeps every operation until the test completes it, and hands out what it was given to read.
class ManualStream final : public ByteStream {
 public:
  bool start(ReadOp& op) override {
    if (input.empty() && !at_once) {
      read = &op;
      return false;
    }
    op.set_result(deliver(op));
    return true;
  }
  bool start(WriteOp& op) override {
    if (!at_once) {
      write = &op;
      return false;
    }
    while (true) {
      const iovec part = op.remaining().front();
      output.append(static_cast<const char*>(part.iov_base), part.iov_len);
      if (op.advance(part.iov_len, TimePoint{})) break;
    }
    op.set_result(op.written());
    return true;
  }
  void forget(ReadOp& op) override {
    EXPECT_EQ(read, &op);
    read = nullptr;
  }
  void forget(WriteOp& op) override {
    EXPECT_EQ(write, &op);
    write = nullptr;
  }
  void shutdown_write() override {}
  void set_abortive() override {}
  void observe(StreamObserver* /*observer*/) override {}
  [[nodiscard]] bool has_pending_input() override { return !input.empty(); }

  std::size_t deliver(ReadOp& op) {
    const std::span<char> room = op.into().writable();
    const std::size_t n = std::min(room.size(), input.size());
    std::copy_n(input.begin(), n, room.begin());
    op.into().commit(n);
    input.erase(0, n);
    return n;
  }

  ReadOp* read = nullptr;
  WriteOp* write = nullptr;
  bool at_once = false;  // as a socket that always is ready; no input is the end
  std::string input;
  std::string output;
};

Task<void> read_once(ByteStream& stream, InputBuffer& buffer,
                     std::optional<Result<std::size_t>>& result) {
  result = co_await read_some(stream, buffer, kNever);
}
Task<void> write_text(ByteStream& stream, std::string_view text,
                      std::optional<Result<std::size_t>>& result) {
  iovec part = to_iovec(text);
  result = co_await write_all(stream, {&part, 1}, TimePoint{}, 10s);
}

class StreamOps : public testing::Test {
 protected:
  VirtualTime time_;
  ManualStream stream_;
  InputBuffer buffer_;
  std::optional<Result<std::size_t>> result_;
};

TEST_F(StreamOps, DoneAtOnceDoesNotSuspend) {
  stream_.input = "abc";
  time_.scope.spawn(read_once(stream_, buffer_, result_));
  EXPECT_EQ(result_, Result<std::size_t>(3));
  EXPECT_EQ(buffer_.unread(), "abc");
}

TEST_F(StreamOps, CompletedGoesOnInTheNextRound) {
  time_.spawn(read_once(stream_, buffer_, result_));
  ASSERT_NE(stream_.read, nullptr);
  stream_.input = "abc";
  stream_.read->complete(stream_.deliver(*stream_.read));
  EXPECT_FALSE(result_);
  time_.scope.cancel();  // too late
  time_.run();
  EXPECT_EQ(result_, Result<std::size_t>(3));
}

// The operations of a stream over another one.
struct InnerRead final : ReadOp {
  using ReadOp::ReadOp;
  using ReadOp::renew;
  void on_complete() override {
    results.push_back(await_resume());
    if (results.size() > 1) return;
    renew(TimePoint{7s});
    EXPECT_FALSE(below().start(*this));
  }
  [[nodiscard]] ByteStream& below() { return *stream_; }
  std::vector<Result<std::size_t>> results;
};
struct InnerWrite final : WriteOp {
  using WriteOp::renew;
  using WriteOp::WriteOp;
  void on_complete() override { ++completed; }
  int completed = 0;
};

TEST_F(StreamOps, OfAStreamAreCompletedInPlaceAndStartedAnew) {
  InnerRead read(stream_, buffer_, kNever);
  ASSERT_FALSE(stream_.start(read));
  stream_.input = "abc";
  std::exchange(stream_.read, nullptr)->complete(stream_.deliver(read));
  ASSERT_EQ(read.results.size(), 1U);
  EXPECT_EQ(read.results[0], Result<std::size_t>(3));
  EXPECT_EQ(stream_.read, &read);
  EXPECT_EQ(read.deadline(), TimePoint{7s});
  stream_.forget(read);

  iovec part = to_iovec("abc");
  InnerWrite write(stream_, {&part, 1}, kNever, 1s);
  ASSERT_FALSE(stream_.start(write));
  EXPECT_TRUE(write.advance(3, TimePoint{}));
  write.complete(write.written());
  EXPECT_EQ(write.completed, 1);
  part = to_iovec("de");
  write.renew({&part, 1}, TimePoint{2s}, 3s);
  EXPECT_EQ(write.written(), 0U);
  EXPECT_FALSE(write.advance(1, TimePoint{10s}));
  EXPECT_EQ(write.deadline(), TimePoint{13s});
  EXPECT_FALSE(time_.executor.has_ready());
}

TEST_F(StreamOps, CancelledIsForgotten) {
  time_.spawn(read_once(stream_, buffer_, result_));
  time_.scope.cancel();
  EXPECT_EQ(stream_.read, nullptr);
  time_.run();
  EXPECT_EQ(result_, Result<std::size_t>(fail(ErrorKind::cancelled)));
}

TEST_F(StreamOps, ACancelledTaskCannotSuspendButDoesWhatIsPossibleAtOnce) {
  time_.scope.cancel();
  time_.spawn(read_once(stream_, buffer_, result_));
  EXPECT_EQ(result_, Result<std::size_t>(fail(ErrorKind::cancelled)));
  EXPECT_EQ(stream_.read, nullptr);
  time_.spawn(write_text(stream_, "abc", result_));
  EXPECT_EQ(result_, Result<std::size_t>(fail(ErrorKind::cancelled)));
  EXPECT_EQ(stream_.write, nullptr);
  stream_.at_once = true;
  time_.spawn(write_text(stream_, "abc", result_));
  EXPECT_EQ(result_, Result<std::size_t>(3));
}

std::string rest_of(const WriteOp& op) {
  std::string rest;
  for (const iovec& part : op.remaining()) {
    rest.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return rest;
}

TEST_F(StreamOps, AdvanceUsesUpThePartsAtEveryCut) {
  const std::string all = "onetwothree";
  for (std::size_t step = 1; step <= all.size(); ++step) {
    std::vector<iovec> parts;
    for (const std::string_view part : {"", "one", "", "", "two", "three", ""}) {
      parts.push_back(to_iovec(part));
    }
    WriteOp op(stream_, parts, TimePoint{1s}, 5s);
    std::size_t done = 0;
    while (done < all.size()) {
      EXPECT_EQ(rest_of(op), all.substr(done));
      const std::size_t n = std::min(step, all.size() - done);
      done += n;
      EXPECT_EQ(op.advance(n, TimePoint{}), done == all.size());
      EXPECT_EQ(op.written(), done);
    }
    EXPECT_TRUE(op.remaining().empty());
  }
}

TEST_F(StreamOps, ProgressMovesTheDeadline) {
  iovec part = to_iovec("abcdef");
  WriteOp op = write_all(stream_, {&part, 1}, TimePoint{10s}, 5s);
  EXPECT_EQ(op.deadline(), TimePoint{15s});
  EXPECT_FALSE(op.advance(0, TimePoint{12s}));
  EXPECT_EQ(op.deadline(), TimePoint{15s});
  EXPECT_FALSE(op.advance(2, TimePoint{13s}));
  EXPECT_EQ(op.deadline(), TimePoint{18s});
  const WriteOp unlimited = write_all(stream_, {&part, 1}, TimePoint{10s}, 0s);
  EXPECT_EQ(unlimited.deadline(), kNever);
}

TEST_F(StreamOps, NothingToWriteIsDone) {
  iovec empty[] = {to_iovec(""), to_iovec("")};
  WriteOp op = write_all(stream_, empty, TimePoint{}, 1s);
  EXPECT_TRUE(op.advance(0, TimePoint{}));
}

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

Task<void> run_relay(ByteStream& from, ByteStream& to, Relayed& relayed,
                     std::optional<Result<void>>& result) {
  result = co_await from.relay(to, kNoLimit, 10s, relayed);
}

TEST(Relay, MovesEverythingToTheEnd) {
  VirtualTime time;
  ManualStream from;
  ManualStream to;
  from.at_once = to.at_once = true;
  from.input.assign(200'000, 'x');
  Relayed relayed;
  std::uint64_t counter = 5;
  relayed.counter = &counter;
  std::optional<Result<void>> result;
  time.spawn(run_relay(from, to, relayed, result));
  EXPECT_EQ(result, Result<void>());
  EXPECT_TRUE(relayed.source_ended);
  EXPECT_EQ(relayed.bytes, 200'000U);
  EXPECT_EQ(to.output, std::string(200'000, 'x'));
  EXPECT_EQ(counter, 200'005U);
}

// The task is not woken for what comes and goes.
TEST(Relay, PiecesWakeNobody) {
  VirtualTime time;
  ManualStream from;
  ManualStream to;
  Relayed relayed;
  std::optional<Result<void>> result;
  time.spawn(run_relay(from, to, relayed, result));
  for (int i = 0; i < 100; ++i) {
    from.input = "abc";
    ASSERT_NE(from.read, nullptr);
    ReadOp& read = *std::exchange(from.read, nullptr);
    read.complete(from.deliver(read));
    ASSERT_NE(to.write, nullptr);
    EXPECT_EQ(from.read, nullptr);
    WriteOp& write = *std::exchange(to.write, nullptr);
    EXPECT_TRUE(write.advance(3, TimePoint{}));
    write.complete(write.written());
    EXPECT_FALSE(time.executor.has_ready());
  }
  EXPECT_EQ(relayed.bytes, 300U);
  EXPECT_FALSE(result);
  std::exchange(from.read, nullptr)->complete(0);
  EXPECT_TRUE(time.executor.has_ready());
  time.run();
  EXPECT_EQ(result, Result<void>());
}

TEST(Relay, CancelledWhileItReadsOrWrites) {
  for (const bool reading : {true, false}) {
    VirtualTime time;
    ManualStream from;
    ManualStream to;
    if (!reading) from.input = "abc";
    Relayed relayed;
    std::optional<Result<void>> result;
    time.spawn(run_relay(from, to, relayed, result));
    if (!reading) EXPECT_FALSE(to.write->advance(2, TimePoint{}));
    time.scope.cancel();
    EXPECT_EQ(from.read, nullptr);
    EXPECT_EQ(to.write, nullptr);
    time.run();
    EXPECT_EQ(result, Result<void>(fail(ErrorKind::cancelled)));
    EXPECT_EQ(relayed.bytes, reading ? 0U : 2U);
  }
}

TEST(Relay, TellsWhichSideFailed) {
  for (const bool reading : {true, false}) {
    VirtualTime time;
    ManualStream from;
    ManualStream to;
    if (!reading) from.input = "abc";
    Relayed relayed;
    std::optional<Result<void>> result;
    time.spawn(run_relay(from, to, relayed, result));
    if (reading) {
      std::exchange(from.read, nullptr)->complete(fail(ErrorKind::reset));
    } else {
      std::exchange(to.write, nullptr)->complete(fail(ErrorKind::reset));
    }
    time.run();
    EXPECT_EQ(result, Result<void>(fail(ErrorKind::reset)));
    EXPECT_EQ(relayed.source_failed, reading);
    EXPECT_EQ(relayed.bytes, 0U);
  }
}

}  // namespace
}  // namespace penstock
