#include "proxy/tcp_session.h"

#include <string>
#include <utility>

#include "proxy/client_state.h"

namespace penstock {

Task<void> TcpProxy::handle(StreamSession& session) {
  TcpSession serving(parts_, session);
  co_await serving.run();
}

TcpSession::TcpSession(const ProxyParts& parts, StreamSession& session)
    : parts_(parts), session_(session) {}

Task<void> TcpSession::run() {
  co_await serve();
  if (parts_.access_log.enabled()) parts_.access_log.add(session_, record_);
}

Task<void> TcpSession::serve() {
  // Route: by the listener, the name asked for and what the client has shown; else to where an
  // intercepted connection was on its way.
  if (!route()) co_return refuse(kMisdirected);

  // Connect: choose a server, wait for its turn, open a connection to it; to another one where that
  // fails (upstream/delivery.cc).
  auto lease = co_await connect();
  if (!lease) co_return;

  // Move: what was read already goes first. From here on the session wakes for its end, an error or
  // a timeout only.
  const auto ended =
      co_await run_tunnel({&session_.stream, &session_.input}, {&lease->stream(), &lease->input()},
                          parts_.settings.tunnel_idle, record_.traffic);
  note_end(ended);
}

bool TcpSession::route() {
  const ClientInfo& client = session_.client;
  route_ = parts_.routes.match_tcp(client, session_.server_name);
  return route_ != nullptr || client.intercepted;
}

// A client that is gone needs no server: it is watched meanwhile.
Task<std::optional<Lease>> TcpSession::connect() {
  const ClientInfo& client = session_.client;
  const std::string original = client.local.host_text();
  Destination destination{.host = original, .port = client.local.port(), .name = original};
  if (route_ != nullptr) {
    destination.group = route_->group;
    destination.name = route_->group->name();
    destination.key = route_->group->key_of(session_.server_name, client.peer);
  }
  // The server is to be told whom the connection is for. Of TLS that passes through us only the
  // name is known.
  std::optional<ProxyHeaderFields> header;
  if (route_ != nullptr && route_->group->settings().proxy_header != ProxyHeader::none) {
    header = proxy_header_fields(client);
    if (header->authority.empty()) header->authority = session_.server_name;
    destination.client = &*header;
  }
  Delivery delivery(parts_.servers, *this, nullptr);
  ChildContext context(co_await this_context());
  connecting_ = &context;
  session_.stream.observe(this);
  const auto connected = co_await delivery.connect(destination).in(context);
  session_.stream.observe(nullptr);
  connecting_ = nullptr;
  record_.attempts = delivery.attempts();
  record_.group = delivery.place();
  if (connected) co_return delivery.take_lease();
  give_up(connected.error(), delivery.step());
  static_cast<void>(co_await delivery.settle(false));
  co_return std::nullopt;
}

// A client may end its own direction at once, and wait for what the server says.
void TcpSession::on_stream_event(bool broken) {
  if (broken && connecting_ != nullptr) connecting_->cancel();
}

void TcpSession::on_acquired(const Lease& lease, const NextHop* /*server*/) {
  record_.connected = parts_.servers.pool().executor().now();
  record_.status = 200;
  server_ = lease.address();
  record_.server = &server_;
}

// An intercepted connection may be led to itself.
Task<Result<AddressList>> TcpSession::target_addresses() {
  AddressList addresses{session_.client.local};
  denied_ =
      filter_targets(addresses, parts_.own_addresses, parts_.settings.forward, session_.client);
  if (denied_ && denied_->status == kLoop.status) denied_ = kInterceptedLoop;
  if (denied_) co_return fail({.kind = ErrorKind::denied, .side = Side::server});
  co_return std::move(addresses);
}

Task<Result<void>> TcpSession::on_informational(ResponseHead& /*head*/) {
  co_return Result<void>{};  // there are none: nothing is asked
}

// There is no other way to tell the client.
void TcpSession::refuse(const Failure& failure) {
  session_.stream.set_abortive();
  record_.status = failure.status;
  record_.error = failure.error;
  record_.detail = failure.token;
  record_.client_fate = CloseReason::tunnel_refused;
}

void TcpSession::give_up(Error error, DeliveryStep step) {
  if (error.kind != ErrorKind::cancelled) {
    const Step at = step == DeliveryStep::resolve ? Step::resolve : Step::connect;
    return refuse(denied_ ? *denied_ : failure_of(error, at));
  }
  session_.stream.set_abortive();
  record_.error = "client_gone";
  record_.client_fate = CloseReason::broken;
}

void TcpSession::note_end(const Result<void>& ended) {
  record_.client_fate = record_.server_fate = CloseReason::tunnel_ended;
  if (ended) return;
  const Error& error = ended.error();
  record_.detail = to_string(error.kind);
  const CloseReason why = close_reason_of(error.kind);
  record_.client_fate = error.side == Side::server ? CloseReason::other_side_failed : why;
  record_.server_fate = error.side == Side::client ? CloseReason::other_side_failed : why;
}

}  // namespace penstock
