#include "net/socket_listener.h"

#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/socket_stream.h"

namespace penstock {
namespace {

constexpr int kAcceptsATurn = 32;
constexpr Duration kExhaustedPause = std::chrono::milliseconds(50);

std::unexpected<Error> fail_errno() { return fail(error_from_errno(errno)); }

void set_option(const Fd& socket, int level, int option, int value) {
  setsockopt(socket.get(), level, option, &value, sizeof value);
}

// False with errno set. An IPv6 address takes IPv4 too only where it stands for all addresses.
bool bind_to(const Fd& socket, const Address& address) {
  if (address.family() == AF_INET6) {
    set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, address.is_unspecified() ? 0 : 1);
  }
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

// Removes the file of a unix socket on which nobody listens any more.
void remove_stale_socket(const Address& address) {
  struct stat status{};
  if (::stat(address.path().c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(address.path().c_str());
  }
}

}  // namespace

Result<Fd> open_listening_socket(const ListenOptions& options) {
  const Address& address = options.address;
  Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno();
  if (address.is_unix()) {
    remove_stale_socket(address);
  } else {
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    // Inherited by the accepted sockets: one call a listener in place of one a connection.
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  if (!bind_to(socket, address)) return fail_errno();
  if (address.is_unix() && ::chmod(address.path().c_str(), options.unix_mode) != 0) {
    return fail_errno();
  }
  if (::listen(socket.get(), options.backlog) != 0) return fail_errno();
  return socket;
}

Result<Fd> duplicate(const Fd& fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno();
  return copy;
}

Address local_address_of(const Fd& socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

bool is_taken(const Address& address) {
  if (address.is_unix() || address.port() == 0) return false;
  const Fd probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_option(probe, SOL_SOCKET, SO_REUSEADDR, 1);
  return !bind_to(probe, address) && errno == EADDRINUSE;
}

SocketListener::SocketListener(EventLoop& loop, Fd socket, AcceptHandler& handler)
    : loop_(&loop),
      socket_(std::move(socket)),
      handler_(&handler),
      local_(local_address_of(socket_)) {
  PENSTOCK_CHECK(loop_->add(socket_.get(), EPOLLIN, *this) == 0);
}

SocketListener::~SocketListener() { loop_->remove(socket_.get()); }

void SocketListener::pause() {
  paused_ = true;
  update_interest();
}

void SocketListener::resume() {
  paused_ = false;
  update_interest();
}

void SocketListener::update_interest() {
  loop_->modify(socket_.get(), paused_ || exhausted_ ? 0U : std::uint32_t{EPOLLIN}, *this);
}

void SocketListener::on_events(std::uint32_t /*events*/) {
  for (int i = 0; i < kAcceptsATurn && !paused_ && !exhausted_; ++i) {
    if (!accept_one()) return;
  }
}

void SocketListener::accept_waiting() {
  constexpr int kMost = 65536;
  for (int i = 0; i < kMost && !paused_ && !exhausted_ && accept_one(); ++i) {
  }
}

bool SocketListener::accept_one() {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  Fd socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      exhausted_ = true;
      update_interest();
      loop_->executor().timers().arm(*this, loop_->executor().now() + kExhaustedPause);
    }
    // A connection that broke while it waited is no reason to stop.
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
  }
  const Address peer = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  // What the client connected to; only a wildcard listener has to ask.
  const Address local = local_.is_unspecified() ? local_address_of(socket) : local_;
  if (auto stream = SocketStream::create(*loop_, std::move(socket), false)) {
    handler_->on_accept(std::move(stream), peer, local);
  }
  return true;
}

void SocketListener::on_timer() {
  exhausted_ = false;
  update_interest();
}

}  // namespace penstock
