#include <chrono>
#include <csignal>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "net/loop_test.h"
#include "net/socket_stream.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// A socket stream with the peer that feeds it, and one with the peer it feeds.
class SpliceTest : public LoopTest {
 protected:
  SpliceTest() {
    std::signal(SIGPIPE, SIG_IGN);  // as splice(2) knows no MSG_NOSIGNAL
    RawConnection in = make_tcp_connection();
    RawConnection out = make_tcp_connection();
    from_ = SocketStream::create(loop, std::move(in.ours), false);
    to_ = SocketStream::create(loop, std::move(out.ours), false);
    sender_ = std::move(in.peer);
    receiver_ = std::move(out.peer);
  }
  ~SpliceTest() override {
    scope.cancel();
    run();
  }

  void start(std::uint64_t limit, Duration stall = kLimit) {
    spawn(relay(*from_, *to_, limit, stall, relayed_, result_));
  }

  std::unique_ptr<SocketStream> from_;
  std::unique_ptr<SocketStream> to_;
  Peer sender_;
  Peer receiver_;
  Relayed relayed_;
  std::optional<Result<void>> result_;

 private:
  static Task<void> relay(SocketStream& from, SocketStream& to, std::uint64_t limit, Duration stall,
                          Relayed& relayed, std::optional<Result<void>>& result) {
    result = co_await from.relay(to, limit, stall, relayed);
  }
};

TEST_F(SpliceTest, MovesEverythingToTheEnd) {
  std::string text(8'000'000, ' ');
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<char>('a' + i * 31 % 101 % 26);
  std::uint64_t counter = 0;
  relayed_.counter = &counter;
  start(kNoLimit);
  std::string received;
  std::thread writer([&] {
    sender_.send(text);
    sender_.shut_down();
  });
  std::thread reader([&] { received = receiver_.receive_all(); });
  run();
  to_->shutdown_write();
  writer.join();
  reader.join();
  EXPECT_EQ(result_, Result<void>());
  EXPECT_TRUE(relayed_.source_ended);
  EXPECT_EQ(relayed_.bytes, text.size());
  EXPECT_EQ(counter, text.size());
  EXPECT_TRUE(received == text);
}

TEST_F(SpliceTest, StopsAtTheLimit) {
  sender_.send("0123456789");
  start(4);
  run();
  EXPECT_EQ(result_, Result<void>());
  EXPECT_FALSE(relayed_.source_ended);
  EXPECT_EQ(relayed_.bytes, 4U);
  EXPECT_EQ(receiver_.receive(), "0123");
  start(6);  // the rest is still there
  run();
  EXPECT_EQ(receiver_.receive(), "456789");
}

TEST_F(SpliceTest, TellsThatTheSourceBroke) {
  start(kNoLimit);
  settle();
  sender_.abort();
  run();
  EXPECT_EQ(result_->error().kind, ErrorKind::reset);
  EXPECT_TRUE(relayed_.source_failed);
}

TEST_F(SpliceTest, TellsThatTheReceiverBroke) {
  start(kNoLimit);
  receiver_.abort();
  settle();
  sender_.send("nobody wants this");
  run();
  EXPECT_EQ(result_->error().kind, ErrorKind::reset);
  EXPECT_FALSE(relayed_.source_failed);
  EXPECT_EQ(relayed_.bytes, 0U);
}

TEST_F(SpliceTest, TimesOutWhenNothingComes) {
  start(kNoLimit, 30ms);
  run();
  EXPECT_EQ(result_->error().kind, ErrorKind::timed_out);
  EXPECT_TRUE(relayed_.source_failed);
}

TEST_F(SpliceTest, TimesOutWhenNothingIsTaken) {
  const std::string text(1'000'000, 'x');
  start(kNoLimit, 200ms);
  run_until([&] {
    while (::send(sender_.fd(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    return result_.has_value();
  });
  EXPECT_EQ(result_->error().kind, ErrorKind::timed_out);
  EXPECT_FALSE(relayed_.source_failed);
  EXPECT_GT(relayed_.bytes, 0U);
}

TEST_F(SpliceTest, CanBeCancelled) {
  start(kNoLimit);
  settle();
  scope.cancel();
  run();
  EXPECT_EQ(result_->error().kind, ErrorKind::cancelled);
}

TEST_F(SpliceTest, GetsPastUrgentData) {
  start(kNoLimit);
  sender_.send(std::string(100'000, 'x'));  // so much that it goes by a pipe
  run_until([&] { return relayed_.bytes == 100'000; });
  sender_.send("!", MSG_OOB);
  sender_.send("after");
  sender_.shut_down();
  run();
  EXPECT_EQ(result_, Result<void>());
  to_->shutdown_write();
  EXPECT_EQ(receiver_.receive_all(), std::string(100'000, 'x') + "after");
}

TEST_F(SpliceTest, UnixSocketsToo) {
  RawConnection in = make_unix_connection();
  RawConnection out = make_unix_connection();
  from_ = SocketStream::create(loop, std::move(in.ours), false);
  to_ = SocketStream::create(loop, std::move(out.ours), false);
  start(kNoLimit);
  in.peer.send("hello");
  in.peer.close();
  run();
  EXPECT_EQ(result_, Result<void>());
  EXPECT_EQ(out.peer.receive(), "hello");
}

}  // namespace
}  // namespace penstock
