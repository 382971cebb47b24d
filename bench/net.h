// The few socket and epoll calls the benchmark programs share. Whatever fails ends the program.
#pragma once

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace penstock::bench {

// Edge-triggered, both directions, registered once for the life of a connection.
inline constexpr std::uint32_t kConnectionEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
inline constexpr std::uint32_t kEndEvents = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
inline constexpr std::uint32_t kLoopbackNet = 0x7f000000;
inline constexpr int kBacklog = 4096;

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

class Poller {
 public:
  Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!fd_) fail("epoll_create1");
  }

  // `owner` comes back in epoll_event::data.ptr.
  void add(int fd, void* owner, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = owner;
    if (epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  [[nodiscard]] std::span<epoll_event> wait(int timeout_ms) {
    const int size = static_cast<int>(events_.size());
    const int n = epoll_wait(fd_.get(), events_.data(), size, timeout_ms);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    return std::span(events_).first(n < 0 ? 0 : static_cast<std::size_t>(n));
  }

 private:
  Fd fd_;
  std::array<epoll_event, 512> events_{};
};

// 127.0.0.`host`
inline sockaddr_in loopback(std::uint16_t port, unsigned host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(kLoopbackNet + host);
  return address;
}

// The socket interface takes every address through this base type.
inline const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

inline void set_option(int fd, int level, int name) {
  const int on = 1;
  if (setsockopt(fd, level, name, &on, sizeof on) != 0) fail("setsockopt");
}

// On 127.0.0.1; this socket and the accepted ones are non-blocking and without Nagle's delay.
inline Fd listen_on(std::uint16_t port, bool shared_port = false) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (shared_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  // Accepted sockets inherit this, which saves a call each.
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  const sockaddr_in address = loopback(port, 1);
  if (bind(fd.get(), generic(address), sizeof address) != 0) fail("bind");
  if (listen(fd.get(), kBacklog) != 0) fail("listen");
  return fd;
}

// An empty Fd when nobody is waiting any more.
inline Fd accept_from(int listener) {
  Fd fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd && errno != EAGAIN && errno != ECONNABORTED) fail("accept");
  return fd;
}

// To 127.0.0.1, non-blocking: the handshake may still be under way. With `source` n > 0 from
// 127.0.0.n, so that ports do not run out.
inline Fd connect_to(std::uint16_t port, unsigned source = 0) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket");
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  if (source > 0) {
    // connect() then chooses the port, and may choose one that has other destinations.
    set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    const sockaddr_in from = loopback(0, source);
    if (bind(fd.get(), generic(from), sizeof from) != 0) fail("bind");
  }
  const sockaddr_in to = loopback(port, 1);
  if (connect(fd.get(), generic(to), sizeof to) != 0 && errno != EINPROGRESS) fail("connect");
  return fd;
}

// The same, once the handshake is done, which on the loopback takes no time.
inline Fd connect_and_wait(std::uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket");
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  const sockaddr_in to = loopback(port, 1);
  if (connect(fd.get(), generic(to), sizeof to) != 0) fail("connect");
  int on = 1;
  if (ioctl(fd.get(), FIONBIO, &on) != 0) fail("ioctl");
  return fd;
}

inline std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) {
    std::fprintf(stderr, "not a port: %.*s\n", static_cast<int>(text.size()), text.data());
    std::exit(2);
  }
  return port;
}

}  // namespace penstock::bench
