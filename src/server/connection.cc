#include "server/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "http2/connection.h"

namespace penstock {
namespace {
// How long (in all, and in silence) and how far a client is listened to after our last byte,
// so that its system does not throw our response away (RFC 9112 section 9.6).
constexpr Duration kLinger = std::chrono::seconds(30);
constexpr Duration kLingerSilence = std::chrono::seconds(5);
constexpr Duration kLingerWhileDraining = std::chrono::seconds(1);
constexpr Duration kPatienceWhileDraining = std::chrono::seconds(1);
constexpr std::uint64_t kLingerBytes = 4 * 1024 * 1024;

bool broke_tls(const Error& error) {
  return error.kind == ErrorKind::tls_protocol || error.kind == ErrorKind::tls_alert;
}

}  // namespace

ClientConnection::ClientConnection(std::unique_ptr<ByteStream> stream, InputBuffer input,
                                   ClientInfo client, const ServerSettings& settings,
                                   const bool& draining, Handler& handler)
    : stream_(std::move(stream)),
      input_(std::move(input)),
      client_(std::move(client)),
      settings_(&settings),
      draining_(&draining),
      handler_(&handler) {}

Task<Result<ConnectionEnd>> ClientConnection::run() {
  Executor& executor = (co_await this_context()).executor();
  while (true) {
    if (input_.empty()) {
      // A server that stops waits no longer than it has to for those who were just let in.
      const Duration patience = *draining_ ? kPatienceWhileDraining : settings_->client_idle;
      ReadOp read = read_some(*stream_, input_, deadline_after(executor.now(), patience));
      idle_read_ = &read;
      const auto got = co_await read;
      idle_read_ = nullptr;
      if (!got && broke_tls(got.error())) co_return fail(got.error());
      if (!got || *got == 0) co_return ConnectionEnd::closed;
    }
    if (may_begin_http2() && co_await finds_http2()) co_return ConnectionEnd::becomes_http2;
    if (requests_ == 0 && handler_->wants_connections() &&
        !co_await handler_->on_connection(client_, *this)) {
      co_return ConnectionEnd::closed;
    }
    if (!co_await serve_one()) co_return ConnectionEnd::closed;
    // A request that came meanwhile is still served.
    if (*draining_ && input_.empty() && !stream_->ask_pending_input()) {
      co_return ConnectionEnd::closed;
    }
  }
}

// By prior knowledge, in clear text only: inside TLS it is agreed on by ALPN (RFC 9113 section 3).
bool ClientConnection::may_begin_http2() const {
  return requests_ == 0 && input_.unread().front() == http2::kPreface.front() &&
         client_.listener->http2 && client_.tls() == nullptr;
}

// Waits for as much of the preface as it takes to tell it from a request. One that never comes to
// its end is for the HTTP/1 codec to answer.
Task<bool> ClientConnection::finds_http2() {
  Executor& executor = (co_await this_context()).executor();
  const TimePoint deadline = deadline_after(executor.now(), settings_->client_head);
  while (input_.size() < http2::kPreface.size() && http2::kPreface.starts_with(input_.unread())) {
    const auto got = co_await read_some(*stream_, input_, deadline);
    if (!got || *got == 0) co_return false;
  }
  co_return input_.unread().starts_with(http2::kPreface);
}

Task<bool> ClientConnection::serve_one() {
  TaskContext& outer = co_await this_context();
  const ConnectionSide side{stream_.get(), &input_, settings_, draining_};
  Http1Exchange exchange(client_, *this, side, requests_++, outer.executor());
  if (!co_await exchange.take_head()) co_return false;

  // While the handler works the stream is watched: a client that is gone needs no response.
  ChildContext context(outer);
  exchange_ = &context;
  stream_->observe(this);
  co_await handler_->handle(exchange).in(context);
  const CloseReason fate = co_await exchange.finish().in(context);
  stream_->observe(nullptr);
  exchange_ = nullptr;

  if (fate == CloseReason::kept) co_return true;
  // Bytes nobody reads, now or on their way, would make the close a reset, which may overtake our
  // response. A response that was cut must not get an orderly end before the reset.
  if (exchange.wants_lingering_close() && !context.cancelled()) co_await close_lingering();
  co_return false;
}

Task<void> ClientConnection::close_lingering() {
  Executor& executor = (co_await this_context()).executor();
  const Duration silence = *draining_ ? kLingerWhileDraining : kLingerSilence;
  const TimePoint deadline = executor.now() + (*draining_ ? kLingerWhileDraining : kLinger);
  stream_->shutdown_write();
  std::uint64_t seen = 0;
  while (seen < kLingerBytes && executor.now() < deadline) {
    input_.consume(input_.size());
    const TimePoint silent = executor.now() + silence;
    const auto got = co_await read_some(*stream_, input_, std::min(silent, deadline));
    if (!got || *got == 0) break;
    seen += *got;
  }
}

// A request that is here already, though not read, is still served.
void ClientConnection::end_if_idle() {
  if (idle_read_ == nullptr || stream_->ask_pending_input()) return;
  ReadOp& read = *std::exchange(idle_read_, nullptr);
  if (!read.linked()) return;  // it is complete already: its bytes are served in this turn
  stream_->forget(read);
  read.complete(fail(ErrorKind::cancelled));
}

// A client that only ended its own direction may still want the response: that is no reason to
// stop.
void ClientConnection::on_stream_event(bool broken) {
  if (broken && exchange_ != nullptr) exchange_->cancel();
}

}  // namespace penstock
