#include "sim/stream.h"

#include <array>
#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/peer.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Count = Result<std::size_t>;

Task<void> keep(Task<Count> task, Count& result) { result = co_await std::move(task); }

class Watcher final : public StreamObserver {
 public:
  void on_stream_event(bool broken) override { ++(broken ? breaks : events); }
  int events = 0;
  int breaks = 0;
};

class SimStreamTest : public testing::Test {
 protected:
  SimStreamTest() : streams(make_stream_pair(world)) {}

  // Runs the tasks until nothing moves any more.
  void settle() { EXPECT_EQ(world.run_until_idle(), SimOutcome::idle); }
  void spawn(Task<Count> task, Count& result) { scope.spawn(keep(std::move(task), result)); }
  Count run(Task<Count> task) {
    Count result = fail(ErrorKind::io);
    spawn(std::move(task), result);
    settle();
    return result;
  }
  void use(const Faults& faults, const Fate& fate = {}) {
    streams = make_stream_pair(world, faults, fate);
  }
  ByteStream& near() { return *streams.connecting; }
  ByteStream& far() { return *streams.accepting; }

  SimWorld world{1};
  StreamPair streams;
  Scope scope{world.executor()};
  std::string got;
};

TEST_F(SimStreamTest, BytesTakeTheirTime) {
  const TimePoint start = world.now();
  Count sent = 0;
  spawn(send_text(near(), "hello"), sent);
  EXPECT_EQ(sent.value(), 5U);  // at once, into the buffer
  EXPECT_EQ(world.bytes_in_flight(), 5U);
  EXPECT_FALSE(far().has_pending_input());
  EXPECT_EQ(run(receive_size(far(), got, 5)).value(), 5U);
  EXPECT_EQ(got, "hello");
  EXPECT_EQ(world.now() - start, milliseconds(1));
  EXPECT_EQ(world.bytes_in_flight(), 0U);
}

TEST_F(SimStreamTest, WaitingInputIsReadAtOnce) {
  ASSERT_TRUE(run(send_text(near(), "hello")));
  EXPECT_TRUE(far().has_pending_input());
  const TimePoint start = world.now();
  EXPECT_TRUE(run(receive_size(far(), got, 5)));
  EXPECT_EQ(world.now(), start);
  EXPECT_FALSE(far().has_pending_input());
}

TEST_F(SimStreamTest, WriterWaitsForTheReader) {
  use({.min_buffer = 10, .max_buffer = 10});
  Count sent = 0;
  spawn(send_text(near(), "0123456789abcdef"), sent);
  settle();
  EXPECT_EQ(sent.value(), 0U);
  EXPECT_EQ(world.pending_ops(), 1U);
  EXPECT_EQ(world.bytes_in_flight(), 10U);
  EXPECT_TRUE(run(receive_size(far(), got, 16)));
  EXPECT_EQ(sent.value(), 16U);
  EXPECT_EQ(got, "0123456789abcdef");
  EXPECT_EQ(world.pending_ops(), 0U);
}

TEST_F(SimStreamTest, GathersPartsAndSkipsEmptyOnes) {
  struct Send {
    static Task<Count> run(ByteStream& stream, TimePoint now) {
      std::array<iovec, 4> parts = {to_iovec(""), to_iovec("ab"), to_iovec(""), to_iovec("cd")};
      co_return co_await write_all(stream, parts, now, seconds(1));
    }
    static Task<Count> nothing(ByteStream& stream, TimePoint now) {
      co_return co_await write_all(stream, {}, now, seconds(1));
    }
  };
  EXPECT_EQ(run(Send::run(near(), world.now())).value(), 4U);
  EXPECT_EQ(run(Send::nothing(near(), world.now())).value(), 0U);
  EXPECT_TRUE(run(receive_size(far(), got, 4)));
  EXPECT_EQ(got, "abcd");
}

TEST_F(SimStreamTest, HalfCloseEndsOneDirectionOnly) {
  ASSERT_TRUE(run(send_text(near(), "request")));
  near().shutdown_write();
  EXPECT_EQ(run(receive_all(far(), got)).value(), 7U);
  EXPECT_EQ(run(receive_all(far(), got)).value(), 0U);  // the end stays the end
  EXPECT_EQ(run(send_text(near(), "more")).error().kind, ErrorKind::reset);
  std::string answer;
  ASSERT_TRUE(run(send_text(far(), "answer")));
  streams.accepting.reset();
  EXPECT_TRUE(run(receive_all(near(), answer)));
  EXPECT_EQ(answer, "answer");
}

TEST_F(SimStreamTest, ClosingDeliversWhatWasSent) {
  ASSERT_TRUE(run(send_text(near(), "last words")));
  streams.connecting.reset();
  EXPECT_TRUE(run(receive_all(far(), got)));
  EXPECT_EQ(got, "last words");
}

TEST_F(SimStreamTest, AbortiveCloseResetsThePeer) {
  Count read = 0;
  spawn(receive_all(far(), got), read);
  near().set_abortive();
  streams.connecting.reset();
  settle();
  EXPECT_EQ(read.error().kind, ErrorKind::reset);
  EXPECT_EQ(run(receive_all(far(), got)).error().kind, ErrorKind::reset);  // it stays broken
  EXPECT_EQ(run(send_text(far(), "x")).error().kind, ErrorKind::reset);
  EXPECT_EQ(run(receive_all(far(), got)).error().kind, ErrorKind::reset);
}

TEST_F(SimStreamTest, ClosingWithUnreadInputResetsThePeer) {
  ASSERT_TRUE(run(send_text(far(), "never read")));
  streams.connecting.reset();
  settle();
  EXPECT_EQ(run(receive_all(far(), got)).error().kind, ErrorKind::reset);
}

TEST_F(SimStreamTest, BytesForAClosedPeerResetTheSender) {
  streams.connecting.reset();
  settle();
  EXPECT_TRUE(run(send_text(far(), "to nobody")));  // goes out: only the answer tells
  EXPECT_EQ(run(send_text(far(), "again")).error().kind, ErrorKind::reset);
  // Its end had come before.
  EXPECT_EQ(run(receive_all(far(), got)).value(), 0U);
}

TEST_F(SimStreamTest, ResetEndsASuspendedWrite) {
  use({.min_buffer = 4, .max_buffer = 4});
  Count sent = 0;
  spawn(send_text(near(), "too much for it"), sent);
  far().set_abortive();
  streams.accepting.reset();
  settle();
  EXPECT_EQ(sent.error().kind, ErrorKind::reset);
  EXPECT_EQ(world.pending_ops(), 0U);
}

TEST_F(SimStreamTest, UnreadBytesSurviveAResetOrAreLost) {
  for (const bool lost : {false, true}) {
    use({.lose_unread = lost ? 1.0 : 0.0});
    got.clear();
    ASSERT_TRUE(run(send_text(near(), "words")));
    near().set_abortive();
    streams.connecting.reset();
    settle();
    EXPECT_EQ(run(receive_all(far(), got)).error().kind, ErrorKind::reset);
    EXPECT_EQ(got, lost ? "" : "words");
  }
}

TEST_F(SimStreamTest, ReadTimesOut) {
  const TimePoint start = world.now();
  EXPECT_EQ(run(receive_all(far(), got, seconds(3))).error().kind, ErrorKind::timed_out);
  EXPECT_EQ(world.now() - start, seconds(3));
  ASSERT_TRUE(run(send_text(near(), "late")));
  EXPECT_EQ(run(receive_size(far(), got, 4, seconds(3))).value(), 4U);
}

TEST_F(SimStreamTest, WriteTimesOutWhenNothingMovesForThatLong) {
  use({.min_buffer = 4, .max_buffer = 4});
  const TimePoint start = world.now();
  Count sent = 0;
  Count read = 0;
  spawn(send_text(near(), "0123456789", seconds(3)), sent);
  world.call_at(start + seconds(2), [&] { spawn(receive_size(far(), got, 3), read); });
  settle();
  EXPECT_EQ(read.value(), 4U);
  EXPECT_EQ(sent.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(world.now() - start, seconds(5) + milliseconds(1));
}

TEST_F(SimStreamTest, CancellationForgetsSuspendedOperations) {
  use({.min_buffer = 4, .max_buffer = 4});
  Count read = 0;
  Count sent = 0;
  {
    Scope inner(world.executor());
    inner.spawn(keep(receive_all(near(), got), read));
    inner.spawn(keep(send_text(near(), "0123456789"), sent));
    settle();
    EXPECT_EQ(world.pending_ops(), 2U);
    inner.cancel();
    EXPECT_EQ(world.pending_ops(), 0U);
    settle();
    EXPECT_EQ(read.error().kind, ErrorKind::cancelled);
    EXPECT_EQ(sent.error().kind, ErrorKind::cancelled);
    // What need not wait is still done by a cancelled task, the rest is not even begun.
    inner.spawn(keep(receive_all(near(), got), read));
    EXPECT_EQ(read.error().kind, ErrorKind::cancelled);
  }
  // The stream itself goes on.
  ASSERT_TRUE(run(send_text(far(), "ok")));
  EXPECT_EQ(run(receive_size(near(), got, 2)).value(), 2U);
}

TEST_F(SimStreamTest, ObserverHearsWhatNoReadTakes) {
  Watcher watcher;
  far().observe(&watcher);
  ASSERT_TRUE(run(send_text(near(), "one")));
  EXPECT_EQ(watcher.events, 1);
  ASSERT_TRUE(run(receive_size(far(), got, 3)));
  Count read = 0;
  spawn(receive_size(far(), got, 6), read);
  ASSERT_TRUE(run(send_text(near(), "two")));
  EXPECT_EQ(read.value(), 3U);
  EXPECT_EQ(watcher.events, 1);
  near().shutdown_write();
  settle();
  EXPECT_EQ(watcher.events, 2);
  far().observe(nullptr);
  near().set_abortive();
  streams.connecting.reset();
  settle();
  EXPECT_EQ(watcher.breaks, 0);
}

TEST_F(SimStreamTest, ObserverHearsOfAReset) {
  Watcher watcher;
  far().observe(&watcher);
  near().set_abortive();
  streams.connecting.reset();
  settle();
  EXPECT_EQ(watcher.breaks, 1);
  EXPECT_EQ(watcher.events, 0);
  EXPECT_TRUE(far().has_pending_input());
}

TEST_F(SimStreamTest, ScriptedResetAndStall) {
  use({}, {.connect = Fate::Connect::succeed, .up = {.reset_after = 5}});
  ASSERT_TRUE(run(send_text(near(), "0123456789")));
  EXPECT_EQ(run(receive_all(far(), got)).error().kind, ErrorKind::reset);
  EXPECT_EQ(got, "01234");
  EXPECT_EQ(run(send_text(near(), "x")).error().kind, ErrorKind::reset);

  got.clear();
  use({}, {.connect = Fate::Connect::succeed, .up = {.stall_after = 5}});
  ASSERT_TRUE(run(send_text(near(), "0123456789")));
  near().shutdown_write();
  EXPECT_EQ(run(receive_all(far(), got, seconds(9))).error().kind, ErrorKind::timed_out);
  EXPECT_EQ(got, "01234");
  ASSERT_TRUE(run(send_text(far(), "this way works")));
  EXPECT_EQ(run(receive_size(near(), got, 19)).value(), 14U);
}

TEST_F(SimStreamTest, MisuseIsCaught) {
  EXPECT_DEATH(
      {
        Count a = 0;
        Count b = 0;
        spawn(receive_all(far(), got), a);
        spawn(receive_all(far(), got), b);
      },
      "broken invariant");
  EXPECT_DEATH(
      {
        Count a = 0;
        spawn(receive_all(far(), got), a);
        streams.accepting.reset();
      },
      "broken invariant");
}

}  // namespace
}  // namespace penstock
