#include "proxy/transaction.h"

#include <utility>

#include "proxy/error_page.h"

namespace penstock {
namespace {
// A request is tried again when an idle connection had died, or a server closed at once; more
// tries than that would only add to a server's trouble.
constexpr int kMaxAttempts = 3;
}  // namespace

Task<void> Proxy::handle(Exchange& exchange) {
  Transaction transaction(parts_, exchange);
  co_await transaction.run();
}

Transaction::Transaction(const ProxyParts& parts, Exchange& exchange)
    : parts_(parts),
      exchange_(exchange),
      request_(exchange.request()),
      body_(exchange.body(), parts.settings.max_body) {}

Task<void> Transaction::run() {
  co_await serve();
  if (parts_.access_log.enabled()) parts_.access_log.add(exchange_, record_);
}

Task<void> Transaction::serve() {
  // Take the head: the connection has; what is wrong with it is answered here.
  if (const auto failure = check_request()) co_return co_await fail_with(*failure);
  if (is_for_the_proxy_itself()) co_return co_await answer_itself();

  // Route: where to, by the rules of the listener. CONNECT leaves to a tunnel.
  if (const auto failure = route()) co_return co_await fail_with(*failure);
  const auto found = co_await find_addresses();
  if (!found) co_return co_await give_up(found.error(), Step::resolve);
  if (const auto failure = check_addresses()) co_return co_await fail_with(*failure);
  if (request_.method == Method::connect) co_return co_await connect_tunnel();
  prepare();

  // Policy, adapting the request, looking it up in the cache: their places are here, empty so far.

  // Until answered: acquire a server connection, send the request, get the response's head.
  while (true) {
    const bool fresh = record_.attempts++ > 0;  // a retry is not given another idle connection
    auto lease = co_await parts_.pool.acquire(candidates_.addresses, candidates_.order, fresh);
    if (!lease) co_return co_await give_up(lease.error(), Step::connect);
    note_acquired(*lease);

    // Exchange: body up and head down together, 1xx responses passed on meanwhile.
    ResponseHead response;
    const ServerRequest request{.head = &request_,
                                .form = TargetForm::origin,
                                .body = &body_,
                                .framing = exchange_.body_framing(),
                                .connection = hop_.connection};
    const auto answered = co_await lease->exchange(request, response, *this);
    if (!answered) {
      const bool retry = may_retry(answered.error(), *lease);
      if (!lease->reused()) candidates_.pass_over_first();
      co_await settle(*lease, false);
      if (!retry) co_return co_await give_up(answered.error(), Step::exchange);
      body_.rewind();
      continue;
    }
    record_.server_answered = parts_.network.executor().now();
    body_.forget();

    // A switch of protocols leaves to a tunnel.
    if (response.status == 101) co_return co_await upgrade_tunnel(*lease, response);

    // Adapting the response, storing it: their places are here, empty so far.

    // Send it, at the client's pace; settle both connections, each with a reason.
    co_return co_await send_response(*lease, response);
  }
}

void Transaction::note_acquired(const Lease& lease) {
  record_.acquired = parts_.network.executor().now();
  record_.server_reused = lease.reused();
  server_ = lease.address();
  record_.server = &server_;
}

// There will be no response of a server. A client that is gone needs none of ours.
Task<void> Transaction::give_up(Error error, Step step) {
  if (error.kind == ErrorKind::cancelled) co_return note_client_gone();
  co_await fail_with(failure_of(error, step));
}

// RFC 9110 section 9.2.2: again only where the server can't have acted on the request, or acting
// twice is the same as once; and only while the client has seen nothing and the body is at hand.
bool Transaction::may_retry(const Error& error, const Lease& lease) const {
  if (error.side != Side::server || record_.attempts >= kMaxAttempts) return false;
  if (error.kind != ErrorKind::closed && error.kind != ErrorKind::reset) return false;
  if (lease.response_started() || exchange_.traffic().sent > 0 || !body_.can_rewind()) return false;
  return error.retryable || is_idempotent(request_.method);
}

Task<void> Transaction::send_response(Lease& lease, ResponseHead& response) {
  BodySource& body = lease.response_body();
  const Framing framing = lease.response_framing();
  const bool bound_to_login = logs_in_connection(request_, response);
  prepare_response(response, framing, parts_.pseudonym);
  if (destination_.route != nullptr) {
    apply(destination_.route->settings->response, response.fields);
  }
  record_.status = response.status;
  const auto sent = co_await exchange_.respond(response, body, framing);
  if (!sent) {
    const Failure failure = failure_of(sent.error(), Step::exchange);
    record_.error = failure.error;
    record_.detail = "response_cut";
    if (sent.error().side == Side::client) note_client_gone();
  }
  co_await settle(lease, sent.has_value() && !bound_to_login);
  if (bound_to_login) record_.server_fate = CloseReason::login_bound;
}

void Transaction::note_client_gone() {
  record_.error = "client_gone";
  record_.detail = {};
}

Task<void> Transaction::settle(Lease& lease, bool reusable) {
  record_.request_sent += lease.bytes_sent();
  record_.server_fate = co_await lease.settle(reusable);
}

Task<void> Transaction::fail_with(Failure failure) {
  record_.error = failure.error;
  record_.detail = failure.token;
  if (exchange_.response_begun()) co_return;
  record_.status = failure.status;
  ErrorPage page = make_error_page(failure, request_, parts_.pseudonym);
  TextBody body(page.body);
  const Framing framing{.kind = BodyKind::length, .length = page.body.size()};
  const auto sent = co_await exchange_.respond(page.head, body, framing);
  if (!sent) note_client_gone();
}

Task<Result<void>> Transaction::on_informational(ResponseHead& head) {
  prepare_response(head, {}, parts_.pseudonym);
  return exchange_.inform(head);
}

}  // namespace penstock
