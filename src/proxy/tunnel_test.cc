#include "proxy/tunnel.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/peer.h"
#include "sim/stream.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TunnelTest : public testing::Test {
 protected:
  // One of the two that talk through the tunnel.
  struct Peer {
    ByteStream* stream = nullptr;
    std::string received;
    std::optional<Result<std::size_t>> end;
    [[nodiscard]] bool saw_end() const { return end && *end; }
    [[nodiscard]] bool saw_reset() const { return end && !*end; }
  };

  ~TunnelTest() override {
    scope.cancel();
    tasks.cancel();
    world.run_for({});
  }

  static Task<void> receive(Peer& peer) {
    peer.end = co_await receive_all(*peer.stream, peer.received);
  }
  static Task<void> send_to(ByteStream& stream, std::string text) {
    static_cast<void>(co_await send_text(stream, std::move(text)));
  }
  static Task<void> run(TunnelTest& self) {
    self.result = co_await run_tunnel({self.left_pair.accepting.get(), &self.left_input},
                                      {self.right_pair.connecting.get(), &self.right_input},
                                      self.idle, self.traffic);
    self.ended_at = self.world.now();
    // As their owner does: what is to come of the failure is said before.
    self.left_pair.accepting.reset();
    self.right_pair.connecting.reset();
  }
  void start() {
    left.stream = left_pair.connecting.get();
    right.stream = right_pair.accepting.get();
    tasks.spawn(receive(left));
    tasks.spawn(receive(right));
    started_at = world.now();
    scope.spawn(run(*this));
  }
  void send(Peer& peer, std::string text) {
    tasks.spawn(send_to(*peer.stream, std::move(text)));
    world.run_for(milliseconds(10));
  }
  void half_close(Peer& first, Peer& second) {
    start();
    first.stream->shutdown_write();
    world.run_for(milliseconds(10));
    EXPECT_TRUE(second.saw_end());
    EXPECT_FALSE(first.end);
    EXPECT_FALSE(result);
    send(second, "still here");
    EXPECT_EQ(first.received, "still here");
    second.stream->shutdown_write();
    world.run_for(milliseconds(10));
    EXPECT_TRUE(first.saw_end());
    ASSERT_TRUE(result);
    EXPECT_TRUE(*result);
  }
  // Puts bytes into a buffer as if they had been read before the tunnel began.
  static void put(InputBuffer& input, std::string_view text) {
    text.copy(input.writable().data(), text.size());
    input.commit(text.size());
  }

  SimWorld world{1};
  StreamPair left_pair = make_stream_pair(world);
  StreamPair right_pair = make_stream_pair(world);
  InputBuffer left_input;
  InputBuffer right_input;
  Peer left;
  Peer right;
  Duration idle = seconds(10);
  TunnelTraffic traffic;
  std::optional<Result<void>> result;
  TimePoint started_at{};
  TimePoint ended_at{};
  Scope tasks{world.executor()};
  Scope scope{world.executor()};
};

TEST_F(TunnelTest, BothDirections) {
  start();
  send(left, "ping");
  EXPECT_EQ(right.received, "ping");
  send(right, "pong!");
  EXPECT_EQ(left.received, "pong!");
  EXPECT_EQ(traffic.up, 4U);
  EXPECT_EQ(traffic.down, 5U);
  EXPECT_FALSE(result);
}

TEST_F(TunnelTest, BytesThatWereReadBeforeGoFirst) {
  put(left_input, "early up, ");
  put(right_input, "early down, ");
  start();
  send(left, "late up");
  send(right, "late down");
  EXPECT_EQ(right.received, "early up, late up");
  EXPECT_EQ(left.received, "early down, late down");
  EXPECT_EQ(traffic.up, 17U);
  EXPECT_EQ(traffic.down, 21U);
}

TEST_F(TunnelTest, HalfCloseOfTheFirst) { half_close(left, right); }
TEST_F(TunnelTest, HalfCloseOfTheSecond) { half_close(right, left); }

TEST_F(TunnelTest, BreakOfOneSideBreaksTheOther) {
  right_pair = make_stream_pair(world, {}, {.down = {.reset_after = 4}});
  start();
  send(left, "ping");
  EXPECT_FALSE(result);
  send(right, "pong");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().kind, ErrorKind::reset);
  EXPECT_EQ(left.received, "pong");
  EXPECT_TRUE(left.saw_reset());
}

TEST_F(TunnelTest, SilenceOfBothEndsIt) {
  start();
  world.run_for(idle - seconds(1));
  EXPECT_FALSE(result);
  world.run_for(seconds(2));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().kind, ErrorKind::timed_out);
  EXPECT_EQ(ended_at - started_at, idle);
  world.run_for(milliseconds(10));
  EXPECT_TRUE(left.saw_reset());
  EXPECT_TRUE(right.saw_reset());
}

TEST_F(TunnelTest, OneDirectionIsEnoughToKeepIt) {
  start();
  for (int i = 0; i < 20; ++i) {
    send(right, "x");
    world.run_for(idle / 2);
  }
  EXPECT_FALSE(result);
  EXPECT_EQ(left.received.size(), 20U);
  // Ends when that one falls silent too.
  world.run_for(idle * 2);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().kind, ErrorKind::timed_out);
}

TEST_F(TunnelTest, AfterAHalfCloseTheOtherDirectionMayTakeItsTime) {
  start();
  left.stream->shutdown_write();
  for (int i = 0; i < 5; ++i) {
    send(right, "x");
    world.run_for(idle - seconds(1));
  }
  EXPECT_EQ(left.received, "xxxxx");
  EXPECT_FALSE(result);
}

TEST_F(TunnelTest, MuchThroughSmallBuffers) {
  const std::string up(100'000, 'u');
  const std::string down(70'000, 'd');
  start();
  send(left, up);
  send(right, down);
  world.run_for(seconds(5));
  EXPECT_EQ(right.received, up);
  EXPECT_EQ(left.received, down);
}

TEST_F(TunnelTest, Cancelled) {
  start();
  send(left, "ping");
  scope.cancel();
  world.run_for({});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace penstock
