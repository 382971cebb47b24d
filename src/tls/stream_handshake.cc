// TlsStream: how it begins.
#include <utility>

#include "async/context.h"
#include "async/sleep.h"
#include "tls/stream.h"

namespace penstock {
namespace {

// Bytes of a handshake, from the peer. Certificates are limited to 100 KiB by OpenSSL.
constexpr std::size_t kMaxHandshake = 256 * 1024;
// A read of the other side's certificates.
constexpr std::size_t kFlight = 8 * 1024;

Error connect_error(Error error) {
  error.side = Side::server;
  error.retryable = true;
  return error;
}

}  // namespace

Task<Result<void>> TlsStream::handshake(TimePoint deadline) {
  ChildContext context(co_await this_context());
  const CancelAt limit(context, deadline);
  Task<Result<void>> flights = exchange_flights();
  const Result<void> done = co_await std::move(flights).in(context);
  if (!done && done.error().kind == ErrorKind::cancelled && limit.fired()) {
    co_return fail(ErrorKind::timed_out);
  }
  co_return done;
}

Task<Result<void>> TlsStream::exchange_flights() {
  InputBuffer& outgoing = engine_.outgoing();
  std::size_t received = 0;
  while (true) {
    const auto step = engine_.handshake();
    if (step && !*step) {
      send_at_once();  // the alert
      co_return fail(step->error());
    }
    if (step) break;
    if (!outgoing.empty()) {
      iovec part = to_iovec(outgoing.unread());
      const auto sent = co_await write_all(*below_, {&part, 1}, executor_->now(), Duration::zero());
      if (!sent) co_return fail(sent.error());
      outgoing.consume(outgoing.size());
    }
    engine_.incoming().expect(kFlight);
    const auto got = co_await read_some(*below_, engine_.incoming(), kNever);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
    received += *got;
    if (received > kMaxHandshake) co_return fail(ErrorKind::tls_protocol);
  }
  established_ = true;
  send_own_records();  // the last flight, or tickets: nobody has to wait for these to be taken
  co_return Result<void>{};
}

Task<Result<std::unique_ptr<TlsStream>>> connect_tls(std::unique_ptr<ByteStream> below,
                                                     const TlsClientContext& context,
                                                     TlsServer server, TimePoint deadline) {
  Executor& executor = (co_await this_context()).executor();
  Result<SslPtr> ssl = context.open(server);
  if (!ssl) co_return fail(connect_error(ssl.error()));
  auto stream = std::make_unique<TlsStream>(std::move(below), std::move(*ssl), executor);
  const Result<void> shaken = co_await stream->handshake(deadline);
  if (!shaken) co_return fail(connect_error(shaken.error()));
  context.note_handshake(stream->ssl());
  co_return stream;
}

}  // namespace penstock
