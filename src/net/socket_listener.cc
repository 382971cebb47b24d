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

// From the kernel's headers, which do not go together with the C library's; the same number for
// both families.
constexpr int kOriginalDestination = 80;  // SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST

std::unexpected<Error> fail_errno() { return fail(error_from_errno(errno)); }

void set_option(const Fd& socket, int level, int option, int value) {
  setsockopt(socket.get(), level, option, &value, sizeof value);
}

// False with errno set.
bool make_transparent(const Fd& socket, int family) {
  const int on = 1;
  return family == AF_INET6
             ? setsockopt(socket.get(), IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on) == 0
             : setsockopt(socket.get(), IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
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
    if (options.transparent && !make_transparent(socket, address.family())) return fail_errno();
  }
  if (!bind_to(socket, address)) return fail_errno();
  if (address.is_unix() && ::chmod(address.path().c_str(), options.unix_mode) != 0) {
    return fail_errno();
  }
  if (::listen(socket.get(), options.backlog) != 0) return fail_errno();
  return socket;
}

Result<void> adopt_listening_socket(const Fd& socket, bool transparent) {
  int type = 0;
  int listening = 0;
  int family = 0;
  for (const auto& [option, value] :
       {std::pair{SO_TYPE, &type}, {SO_ACCEPTCONN, &listening}, {SO_DOMAIN, &family}}) {
    socklen_t length = sizeof *value;
    if (getsockopt(socket.get(), SOL_SOCKET, option, value, &length) != 0) return fail_errno();
  }
  if (type != SOCK_STREAM || listening == 0) return fail(error_from_errno(EINVAL));
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
    return fail(error_from_errno(EAFNOSUPPORT));
  }
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return fail_errno();
  }
  if (family == AF_UNIX) return {};
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (transparent && !make_transparent(socket, family)) return fail_errno();
  return {};
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

std::optional<Address> original_destination(const Fd& socket) {
  sockaddr_storage storage{};
  // IPv4 first: IPv4 connections to an IPv6 socket, too, are known under that family.
  for (const int level : {IPPROTO_IP, IPPROTO_IPV6}) {
    socklen_t length = sizeof storage;
    if (getsockopt(socket.get(), level, kOriginalDestination, &storage, &length) == 0) {
      return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
    }
  }
  return std::nullopt;
}

bool is_taken(const Address& address) {
  if (address.is_unix() || address.port() == 0) return false;
  const Fd probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_option(probe, SOL_SOCKET, SO_REUSEADDR, 1);
  return !bind_to(probe, address) && errno == EADDRINUSE;
}

SocketListener::SocketListener(EventLoop& loop, Fd socket, AcceptHandler& handler,
                               AcceptOptions options)
    : loop_(&loop),
      socket_(std::move(socket)),
      handler_(&handler),
      options_(options),
      local_(local_address_of(socket_)) {
  if (options_.shared) {
    update_interest();
  } else {
    PENSTOCK_CHECK(loop_->add(socket_.get(), EPOLLIN, *this) == 0);
  }
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
  const bool wanted = !paused_ && !exhausted_;
  if (!options_.shared) {
    loop_->modify(socket_.get(), wanted ? std::uint32_t{EPOLLIN} : 0U, *this);
    return;
  }
  // A registration with EPOLLEXCLUSIVE cannot be changed, but it can be given up.
  if (wanted == watched_) return;
  watched_ = wanted;
  if (!wanted) {
    loop_->remove(socket_.get());
  } else if (loop_->add(socket_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this) != 0) {
    watched_ = false;
    rest_a_moment();
  }
}

void SocketListener::rest_a_moment() {
  exhausted_ = true;
  update_interest();
  loop_->executor().timers().arm(*this, loop_->executor().now() + kExhaustedPause);
}

void SocketListener::on_events(std::uint32_t /*events*/) {
  for (int i = 0; i < kAcceptsATurn && !paused_ && !exhausted_ && accept_one(); ++i) {
  }
  send_off();
}

void SocketListener::accept_waiting() {
  constexpr int kMost = 65536;
  for (int i = 0; i < kMost && !paused_ && !exhausted_ && accept_one(); ++i) {
  }
  send_off();
}

void SocketListener::send_off() {
  if (options_.seat != nullptr) options_.seat->flush();
}

bool SocketListener::accept_one() {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  Fd socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) rest_a_moment();
    // A connection that broke while it waited is no reason to stop.
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
  }
  const Address local = local_of(socket);
  take_up({.socket = std::move(socket),
           .peer = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length),
           .local = local});
  return true;
}

Address SocketListener::local_of(const Fd& accepted) const {
  using Local = AcceptOptions::Local;
  if (options_.local == Local::netfilter) {
    if (const auto original = original_destination(accepted)) return *original;
  }
  // What the client connected to; only a wildcard listener has to ask.
  const bool ask = options_.local != Local::listener || local_.is_unspecified();
  return ask ? local_address_of(accepted) : local_;
}

void SocketListener::take_up(AcceptedSocket accepted) {
  if (options_.seat != nullptr && options_.seat->hand_over(accepted, loop_->executor().now())) {
    return;
  }
  if (auto stream = SocketStream::create(*loop_, std::move(accepted.socket), false)) {
    handler_->on_accept(std::move(stream), accepted.peer, accepted.local);
  }
}

void SocketListener::on_timer() {
  exhausted_ = false;
  update_interest();
}

}  // namespace penstock
