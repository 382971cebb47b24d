#include "proxy/transaction.h"

#include <utility>

#include "message/challenge.h"
#include "proxy/client_state.h"
#include "proxy/error_page.h"

namespace penstock {
namespace {

// The server connections that the client's connection is logged in on; null where there are none.
PinStore* pins_of(Exchange& exchange, ServerPool& pool) {
  ClientControl& connection = exchange.connection();
  if (ClientState* const state = ClientState::find(connection)) return &state->pins;
  const RequestHead& request = exchange.request();
  const std::string_view at_peer = request.fields.value(FieldId::proxy_authorization);
  if (!carries_login(request) && !is_connection_bound(scheme_of(at_peer))) return nullptr;
  return &ClientState::of(connection, exchange.client(), pool).pins;
}

Step step_of(DeliveryStep step) {
  switch (step) {
    case DeliveryStep::resolve:
      return Step::resolve;
    case DeliveryStep::acquire:
      return Step::connect;
    case DeliveryStep::exchange:
      break;
  }
  return Step::exchange;
}

}  // namespace

Task<void> Proxy::handle(Exchange& exchange) {
  Transaction transaction(parts_, exchange);
  co_await transaction.run();
}

Transaction::Transaction(const ProxyParts& parts, Exchange& exchange, Origin origin)
    : parts_(parts),
      exchange_(exchange),
      origin_(origin),
      request_(exchange.request()),
      request_body_(&exchange.body()),
      request_framing_(exchange.body_framing()),
      body_(exchange.body(), parts.settings.max_body),
      delivery_(parts.servers, *this, pins_of(exchange, parts.servers.pool())),
      response_(&delivery_.response()) {}

Task<void> Transaction::run() {
  co_await serve();
  record_.host_unverified = host_unverified_;
  if (visit_) {
    record_.cache = visit_->result();
    record_.cache_detail = visit_->why();
  }
  if (adaptation_ && adaptation_->has_work()) co_await adaptation_->end_work();
  if (adaptation_) report_to_filters();
  if (parts_.access_log.enabled() && origin_ == Origin::client)
    parts_.access_log.add(exchange_, record_);
}

Task<void> Transaction::serve() {
  // Take the head: the connection has; what is wrong with it is answered here.
  if (const auto failure = check_request()) co_return co_await fail_with(*failure);
  if (is_for_the_proxy_itself()) co_return co_await answer_itself();

  // Route: where to, by the rules of the listener. CONNECT leaves to a tunnel.
  if (const auto failure = route()) co_return co_await fail_with(*failure);
  // Adapt the request: a filter may change it, send it elsewhere, or answer it.
  begin_adaptation();
  if (adaptation_ && origin_ == Origin::client && !co_await adapt_request()) co_return;
  if (request_.method == Method::connect) co_return co_await connect_tunnel();
  // The cache may have the response; what it does not have is fetched.
  if (parts_.cache != nullptr && is_purge()) co_return co_await purge();
  if (parts_.cache != nullptr && begin_visit()) co_return co_await serve_through_cache();
  co_await fetch();
}

Task<void> Transaction::fetch() {
  prepare();
  // What is asked of a server now may be adapted once more, and the server be chosen.
  if (adaptation_ && !co_await adapt_for_server()) co_return;

  // Until answered: choose a server, acquire a connection to it, exchange; body up and head down
  // together, 1xx responses passed on meanwhile. Again where that is safe (upstream/delivery.cc).
  const ServerRequest request{.head = &request_,
                              .body = &body_,
                              .framing = request_framing_,
                              .connection = hop_.connection};
  if (visit_) visit_->prepare(request_);
  const auto answered = co_await delivery_.run(destination_, request, body_);
  if (!answered) co_return co_await give_up(answered.error());
  record_.server_answered = parts_.servers.pool().executor().now();

  // A switch of protocols leaves to a tunnel.
  if (delivery_.response().status == 101) co_return co_await upgrade_tunnel();

  // Adapt the response, before and after the cache, where it would be stored. Send it, at the
  // client's pace; settle both connections, each with a reason.
  co_await send_response();
}

void Transaction::on_acquired(const Lease& lease, const NextHop* server) {
  record_.acquired = parts_.servers.pool().executor().now();
  record_.server_reused = lease.reused();
  server_ = lease.address();
  record_.server = &server_;
  if (adaptation_) adaptation_->note_server(server_);
  // HTTP/1.0 clients need not send Host, HTTP/1.1 servers need to get one.
  if (destination_.group == nullptr || server == nullptr) return;
  const bool theirs = route_ != nullptr && route_->settings->host_policy == HostPolicy::server;
  if (theirs || host_field_.empty()) {
    request_.fields.set(FieldId::host, server->host_field());
  }
}

// There will be no response of a server. A client that is gone needs none of ours.
Task<void> Transaction::give_up(Error error) {
  if (delivery_.login_ended()) exchange_.close_after(CloseReason::pin_ended);
  co_await settle(false);
  if (error.kind == ErrorKind::cancelled) co_return note_client_gone();
  if (visit_ && error.side == Side::server && visit_->rescue()) co_return co_await send_stored();
  Failure failure = denied_ ? *denied_ : failure_of(error, step_of(delivery_.step()));
  if (error.kind == ErrorKind::adaptation) failure.status = adaptation_->failure_status();
  co_await fail_with(failure);
}

Task<void> Transaction::send_response() {
  ResponseHead& response = delivery_.response();
  Lease& lease = delivery_.lease();
  BodySource* body = &lease.response_body();
  Framing framing = lease.response_framing();
  if (delivery_.login_ended()) exchange_.close_after(CloseReason::pin_ended);
  prepare_response(response, framing, parts_.pseudonym);
  if (response.status == 401) announce_session_login(response);
  if (adaptation_) {
    if (!co_await adapt_response(AdaptPoint::server_response, body, framing)) co_return;
  }
  if (visit_ && co_await take_to_cache(response, body, framing)) co_return;
  if (adaptation_ && origin_ == Origin::client) {
    if (!co_await adapt_response(AdaptPoint::client_response, body, framing)) co_return;
  }
  if (route_ != nullptr && !route_->response.empty())
    route_->response.apply(variables(), response.fields);
  if (destination_.group != nullptr) {
    const bool secure = exchange_.client().secure();
    const std::string_view cookie =
        destination_.group->affinity_cookie(delivery_.choice(), secure, response.fields.arena());
    if (!cookie.empty()) response.fields.add(FieldId::set_cookie, cookie);
  }
  record_.status = response.status;
  // Filters may break off what is still on its way up.
  const bool watched = adaptation_ && request_framing_.has_body();
  const auto sent = watched ? co_await respond_during_upload(response, *body, framing)
                            : co_await exchange_.respond(response, *body, framing);
  if (!sent) note_cut(sent.error());
  if (visit_ && !sent && visit_->worth_finishing()) co_await visit_->finish(true);
  co_await settle(sent.has_value());
}

Task<Result<void>> Transaction::respond_during_upload(ResponseHead& head, BodySource& body,
                                                      const Framing& framing) {
  ChildContext context(co_await this_context());
  Lease& lease = delivery_.lease();
  const auto failed_before = lease.set_taker(&context);
  if (!failed_before && failed_before.error().kind == ErrorKind::adaptation) context.cancel();
  auto sent = co_await exchange_.respond(head, body, framing).in(context);
  const auto uploaded = lease.set_taker(nullptr);
  if (!sent && !uploaded && uploaded.error().kind == ErrorKind::adaptation) sent = uploaded;
  co_return sent;
}

// The response had begun, and did not come to its end.
void Transaction::note_cut(const Error& error) {
  const Failure failure = failure_of(error, Step::exchange);
  record_.error = failure.error;
  const bool undecodable = error.kind == ErrorKind::protocol &&
                           error.cause == static_cast<int>(Refusal::content_coding_broken);
  const bool says_why = error.kind == ErrorKind::adaptation || undecodable;
  record_.detail = says_why ? failure.token : "response_cut";
  // Cancelled: the client left while the server was waited for.
  const bool gone = error.kind == ErrorKind::cancelled;
  const bool filter = error.kind == ErrorKind::adaptation;
  if (gone || (error.side == Side::client && !filter)) note_client_gone();
}

VariableContext Transaction::variables() {
  return {.client = exchange_.client(),
          .request = exchange_.traffic().requests_before + 1,
          .head = &request_,
          .host = host_,
          .route = route_->settings->name,
          .status = response_->status};
}

void Transaction::note_client_gone() {
  record_.error = "client_gone";
  record_.detail = {};
}

Task<void> Transaction::settle(bool reusable) {
  // They may still pull the response.
  if (visit_) co_await visit_->finish(false);
  if (adaptation_ && adaptation_->has_work()) co_await adaptation_->end_work();
  record_.server_fate = co_await delivery_.settle(reusable);
  record_.request_sent = delivery_.bytes_sent();
  record_.attempts = delivery_.attempts();
  record_.group = delivery_.place();
}

Task<void> Transaction::fail_with(Failure failure) {
  record_.error = failure.error;
  record_.detail = failure.token;
  if (exchange_.response_begun()) co_return;
  record_.status = failure.status;
  ErrorPage page = make_error_page(failure, request_, parts_.pseudonym);
  TextBody body(page.body);
  const Framing framing{.kind = BodyKind::length, .length = page.body.size()};
  const auto sent = co_await respond_itself(page.head, body, framing);
  if (!sent) note_client_gone();
}

Task<Result<void>> Transaction::on_informational(ResponseHead& head) {
  prepare_response(head, {}, parts_.pseudonym);
  return exchange_.inform(head);
}

}  // namespace penstock
