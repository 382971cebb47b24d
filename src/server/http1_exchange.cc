#include "server/http1_exchange.h"

#include <utility>

#include "http1/head_reader.h"
#include "message/close_reason.h"
#include "message/date.h"
#include "message/hop.h"
#include "message/status.h"

namespace penstock {
namespace {
// Of a body nobody wants, so much is read for the sake of keeping the connection.
constexpr std::uint64_t kWorthDraining = 64 * 1024;
}  // namespace

Http1Exchange::Http1Exchange(const ClientInfo& client, ClientControl& control,
                             const ConnectionSide& connection, std::uint64_t requests_before,
                             Executor& executor)
    : Exchange(client, control), connection_(connection), executor_(&executor) {
  traffic_.started = executor.now();
  traffic_.requests_before = requests_before;
}

Task<bool> Http1Exchange::take_head() {
  const ServerSettings& settings = *connection_.settings;
  if (SlabPool::bytes_in_use() > settings.buffer_bytes) {
    refuse({.kind = ErrorKind::overloaded});
    co_return true;
  }
  http1::HeadScanner scanner(settings.request_head);
  const auto got =
      co_await http1::read_head(*connection_.stream, *connection_.input, scanner,
                                deadline_after(traffic_.started, settings.client_head));
  traffic_.head_complete = executor_->now();
  if (got) {
    parse_head(scanner);
    co_return true;
  }
  const ErrorKind kind = got.error().kind;
  const bool answerable = kind == ErrorKind::protocol || kind == ErrorKind::timed_out;
  if (answerable) {
    refuse(got.error());
  } else {
    fate_ = kind == ErrorKind::closed ? CloseReason::peer_closed : CloseReason::broken;
  }
  co_return answerable;
}

void Http1Exchange::parse_head(const http1::HeadScanner& scanner) {
  const ServerSettings& settings = *connection_.settings;
  request_.bytes = connection_.input->take(scanner.size());
  const Refusal refusal = http1::parse_request_head(request_.bytes.view().substr(scanner.start()),
                                                    settings.request_head, request_);
  if (refusal != Refusal::none) {
    return refuse({.kind = ErrorKind::protocol, .cause = static_cast<int>(refusal)});
  }
  const auto framing = request_framing(request_);
  if (!framing) {
    return refuse({.kind = ErrorKind::protocol, .cause = static_cast<int>(framing.error())});
  }
  body_framing_ = *framing;
  body_.emplace(*connection_.stream, *connection_.input, body_framing_, settings.request_chunks,
                Side::client, settings.stall);
  client_persists_ = client_wants_persistence();
  continue_expected_ = body_framing_.has_body() && request_.version == Version::http11 &&
                       request_.fields.has(FieldId::expect);
}

// Asked when the head is fresh: handlers remove what concerns only this hop.
bool Http1Exchange::client_wants_persistence() const {
  ConnectionOptions options = connection_options(request_.fields);
  const std::string_view to_proxy = request_.fields.value(FieldId::proxy_connection);
  if (client().listener->mode == ListenerMode::forward && !to_proxy.empty()) {
    // What some clients say to a proxy they know of (RFC 9112 appendix C.2.2).
    options.close = options.close || equals_ignoring_case(to_proxy, "close");
    options.keep_alive = options.keep_alive || equals_ignoring_case(to_proxy, "keep-alive");
  }
  return wants_persistence(request_.version, options);
}

void Http1Exchange::refuse(Error error) {
  problem_ = error.at(Side::client);
  body_.emplace(*connection_.stream, *connection_.input, Framing{},
                connection_.settings->request_chunks, Side::client, connection_.settings->stall);
}

Task<Result<void>> Http1Exchange::send_only_head(ResponseHead& head, std::string_view connection) {
  head.fields.remove(FieldId::content_length);
  auto bytes = http1::serialise(head, {.body = {}, .connection = connection});
  if (!bytes) co_return fail(bytes.error().at(Side::server));
  http1::Outgoing outgoing{
      .stream = connection_.stream, .side = Side::client, .stall = connection_.settings->stall};
  const auto sent = co_await http1::send_head(outgoing, std::move(*bytes));
  traffic_.sent += outgoing.sent;
  // What followed would be taken for the rest of it.
  if (!sent && outgoing.sent > 0) response_begun_ = true;
  co_return sent;
}

Task<Result<void>> Http1Exchange::inform(ResponseHead& head) {
  if (request_.version == Version::http10) co_return Result<void>{};
  if (head.status == 100) continue_expected_ = false;
  co_return co_await send_only_head(head, {});
}

Framing Http1Exchange::frame_for_client(const ResponseHead& head, const Framing& framing) const {
  if (request_.method == Method::head || never_has_content(head.status)) return {};
  if (framing.kind == BodyKind::length) return framing;
  if (framing.kind == BodyKind::none) return {.kind = BodyKind::length, .length = 0};
  return {.kind = request_.version == Version::http11 ? BodyKind::chunked : BodyKind::until_close};
}

CloseReason Http1Exchange::decide_fate(const Framing& framing) const {
  if (problem_) return close_reason_of(problem_->kind);
  if (close_after_ != CloseReason::kept) return close_after_;
  if (*connection_.draining) return CloseReason::draining;
  if (!client_persists_) return CloseReason::said_close;
  if (framing.kind == BodyKind::until_close) return CloseReason::framed_by_close;
  if (body_->failure()) return close_reason_of(body_->failure()->kind);
  if (request_.method == Method::connect) return CloseReason::tunnel_refused;
  if (!body_->at_end()) {
    const auto left = body_->remaining();
    if (continue_expected_ || !left || *left > kWorthDraining) return CloseReason::body_unread;
  }
  return CloseReason::kept;
}

// Proxy-Support is for this hop only, and names itself in Connection.
std::string_view Http1Exchange::connection_field(const ResponseHead& head) const {
  const bool support = head.fields.has(FieldId::proxy_support);
  if (fate_ != CloseReason::kept) return support ? "close, proxy-support" : "close";
  const bool old = request_.version == Version::http10;
  if (support) return old ? "keep-alive, proxy-support" : "proxy-support";
  return old ? std::string_view("keep-alive") : std::string_view();
}

Task<Result<void>> Http1Exchange::respond(ResponseHead& head, BodySource& body,
                                          const Framing& framing) {
  const Framing wire = frame_for_client(head, framing);
  fate_ = decide_fate(wire);
  ends_with_connection_ = wire.kind == BodyKind::until_close;
  if (wire.kind != BodyKind::none || head.status == 204)
    head.fields.remove(FieldId::content_length);
  if (!head.fields.has(FieldId::date)) {
    head.fields.add(FieldId::date, http_date(executor_->wall_now()));
  }
  auto bytes = http1::serialise(head, {.body = wire, .connection = connection_field(head)});
  if (!bytes) co_return fail(bytes.error().at(Side::server));

  http1::Outgoing outgoing{
      .stream = connection_.stream, .side = Side::client, .stall = connection_.settings->stall};
  response_begun_ = true;
  traffic_.response_started = executor_->now();
  const auto sent = wire.kind == BodyKind::none
                        ? co_await http1::send_head(outgoing, std::move(*bytes))
                        : co_await http1::send_message(outgoing, std::move(*bytes), body, wire);
  traffic_.sent += outgoing.sent;
  traffic_.content_sent = outgoing.content;
  response_complete_ = sent.has_value();
  if (!sent) {
    fate_ = fate_after(sent.error());
    // Where the end of the connection is the end of the body, only a reset tells that it was cut.
    if (wire.kind == BodyKind::until_close) connection_.stream->set_abortive();
  }
  co_return sent;
}

Task<Result<void>> Http1Exchange::open_tunnel(ResponseHead& head, std::string_view upgrade) {
  fate_ = CloseReason::tunnel_ended;
  if (!upgrade.empty()) head.fields.set(FieldId::upgrade, upgrade);
  response_begun_ = true;
  traffic_.response_started = executor_->now();
  const auto sent = co_await send_only_head(
      head, upgrade.empty() ? std::string_view() : std::string_view("upgrade"));
  response_complete_ = sent.has_value();
  co_return sent;
}

const ClientTraffic& Http1Exchange::traffic() {
  if (body_) traffic_.received = body_->received();
  return traffic_;
}

Task<CloseReason> Http1Exchange::finish() {
  if (!response_complete_) {
    if (fate_ == CloseReason::kept) fate_ = CloseReason::cancelled;
    co_return fate_;
  }
  if (fate_ == CloseReason::tunnel_ended) co_return fate_;
  while (fate_ == CloseReason::kept && !body_->at_end()) {
    const auto slice = co_await body_->next();
    if (!slice) fate_ = close_reason_of(slice.error().kind);
  }
  // The next request is likely to be of a like size: it is then read with its head in one piece.
  connection_.input->expect(body_->received());
  co_return fate_;
}

// A client that said it would close has nothing more to say, but for the rest of its body.
bool Http1Exchange::wants_lingering_close() const {
  if (!response_complete_ || fate_ == CloseReason::tunnel_ended) return false;
  // Inside TLS it is only complete with close_notify, which may have to wait for room.
  if (ends_with_connection_ && client().tls() != nullptr) return true;
  return fate_ != CloseReason::said_close || !body_->at_end();
}

}  // namespace penstock
