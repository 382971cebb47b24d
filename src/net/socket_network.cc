#include "net/socket_network.h"

#include <cerrno>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/socket_stream.h"

namespace penstock {
namespace {

Error connect_error(int errno_value) {
  Error error = error_from_errno(errno_value).at(Side::server);
  error.retryable = true;
  return error;
}

}  // namespace

SocketNetwork::SocketNetwork(EventLoop& loop, const DnsSettings& dns)
    : loop_(&loop), resolver_(loop, dns) {}

Task<Result<std::unique_ptr<ByteStream>>> SocketNetwork::connect(const Address& to,
                                                                 TimePoint deadline) {
  Fd socket(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) co_return fail(connect_error(errno));
  if (!to.is_unix()) {
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  sockaddr_storage storage;
  const socklen_t length = to.to_sockaddr(storage);
  const int result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length);
  // A unix socket whose queue is full says EAGAIN, and never tells when there is room.
  const bool connecting = result != 0 && errno == EINPROGRESS;
  if (result != 0 && !connecting) {
    co_return fail(connect_error(errno == EAGAIN ? ECONNREFUSED : errno));
  }
  auto stream = SocketStream::create(*loop_, std::move(socket), connecting);
  if (!stream) co_return fail(connect_error(ENOMEM));
  if (connecting) {
    WriteOp connected = stream->connected(deadline);
    const Result<std::size_t> done = co_await connected;
    if (!done) {
      Error error = done.error().at(Side::server);
      error.retryable = true;
      co_return fail(error);
    }
  }
  co_return stream;
}

Task<Result<Resolution>> SocketNetwork::resolve(std::string_view host, std::uint16_t port,
                                                TimePoint deadline) {
  return resolver_.resolve(host, port, deadline);
}

Task<Result<ServiceResolution>> SocketNetwork::resolve_service(std::string_view name,
                                                               TimePoint deadline) {
  return resolver_.resolve_service(name, deadline);
}

}  // namespace penstock
