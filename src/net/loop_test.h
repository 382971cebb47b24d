// For tests: tasks on a real event loop, and sockets to play the peer with.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "async/scope.h"
#include "async/task.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "net/fd.h"

namespace penstock {

// An event loop with a scope for the test's tasks. The waits below end when what they wait for has
// come; the limit only keeps a broken test from hanging.
class LoopTest : public testing::Test {
 protected:
  static constexpr Duration kLimit = std::chrono::seconds(20);

  [[nodiscard]] TimePoint now() { return loop.executor().now(); }
  void spawn(Task<void> task) { scope.spawn(std::move(task)); }

  // Runs turns until the condition holds.
  template <class Condition>
  void run_until(Condition condition) {
    const TimePoint end = now() + kLimit;
    while (!condition()) {
      if (now() > end) {
        ADD_FAILURE() << "what the test waits for does not happen";
        return;
      }
      loop.run_once(std::chrono::milliseconds(100));
    }
  }
  // Runs turns until all tasks have ended.
  void run() {
    run_until([this] { return scope.running() == 0; });
    if (scope.running() == 0) return;
    scope.cancel();
    while (scope.running() > 0) loop.run_once(std::chrono::milliseconds(100));
  }
  // What is going to happen by itself has happened: some turns that find nothing to wait for.
  void settle() {
    for (int i = 0; i < 3; ++i) loop.run_once(Duration::zero());
  }

  EventLoop loop;
  Scope scope{loop.executor()};
};

// The peer's end of a connection: an ordinary blocking socket.
class Peer {
 public:
  Peer() = default;
  explicit Peer(Fd socket) : socket_(std::move(socket)) {}

  [[nodiscard]] int fd() const { return socket_.get(); }
  void send(std::string_view bytes, int flags = 0) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd(), bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // One read; "" at the end of the stream, after a reset, or when there is nothing and
  // MSG_DONTWAIT.
  std::string receive(int flags = 0) {
    std::array<char, 65'536> buffer{};
    const ssize_t n = ::recv(fd(), buffer.data(), buffer.size(), flags);
    return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string{};
  }
  std::string receive_all() {
    std::string all;
    for (std::string part = receive(); !part.empty(); part = receive()) all += part;
    return all;
  }
  void shut_down() { ::shutdown(fd(), SHUT_WR); }
  void close() { socket_.reset(); }
  // Closes with a reset.
  void abort() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  Fd socket_;
};

struct RawConnection {
  Fd ours;  // non-blocking
  Peer peer;
};

inline RawConnection make_unix_connection() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  Fd ours(ends[0]);
  EXPECT_EQ(::fcntl(ours.get(), F_SETFL, O_NONBLOCK), 0);
  return {std::move(ours), Peer(Fd(ends[1]))};
}

// Over the loopback interface.
inline RawConnection make_tcp_connection() {
  const Fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  socklen_t length = Address::parse("127.0.0.1:0")->to_sockaddr(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  EXPECT_EQ(::bind(listening.get(), address, length), 0);
  EXPECT_EQ(::listen(listening.get(), 1), 0);
  EXPECT_EQ(::getsockname(listening.get(), address, &length), 0);
  Fd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(peer.get(), address, length), 0);
  Fd ours(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_TRUE(ours);
  return {std::move(ours), Peer(std::move(peer))};
}

}  // namespace penstock
