// Steps of a transaction in which filters have a say. None of them is taken where there are none.
#include <utility>

#include <fmt/format.h>

#include "adapt/retarget.h"
#include "message/status.h"
#include "proxy/client_state.h"
#include "proxy/record_fields.h"
#include "proxy/transaction.h"

namespace penstock {
namespace {

constexpr int kContinue = 100;
constexpr int kForbidden = 403;

}  // namespace

bool Proxy::wants_connections() const {
  return parts_.filters != nullptr && parts_.filters->current &&
         parts_.filters->current->wants_connections();
}

Task<bool> Proxy::on_connection(const ClientInfo& client, ClientControl& connection) {
  ClientState& state = ClientState::of(connection, client, parts_.servers.pool());
  state.filters = std::make_unique<AdaptedConnection>(parts_.filters->current, client);
  co_return co_await state.filters->begin();
}

void Transaction::begin_adaptation() {
  if (parts_.filters == nullptr || !parts_.filters->current) return;
  const ClientState* const state = ClientState::find(exchange_.connection().whole());
  const TransactionFacts facts{
      .request = exchange_.traffic().requests_before + 1,
      .client = &exchange_.client(),
      .connection = state != nullptr ? state->filters.get() : nullptr,
      .route = route_ != nullptr ? std::string_view(route_->settings->name) : std::string_view(),
      .request_framing = exchange_.body_framing(),
      .owner = this,
      .login = request_.fields.value(FieldId::proxy_authorization),
      .recorded = parts_.access_log.enabled()};
  adaptation_ =
      Adaptation::begin(parts_.filters->current, facts, request_, host_, path_of(request_));
  // What the client has said of its own hop is none of the filters' business, and must not take
  // away what they add.
  if (!adaptation_) return;
  hop_ = take_hop(request_, request_framing_);
  if (parts_.settings.max_body == 0 || !request_framing_.has_body()) return;
  bounded_.emplace(*request_body_, parts_.settings.max_body);
  bounded_->forget();  // all that is not handed out again
  request_body_ = &*bounded_;
  body_.pull_from(*request_body_);
  body_.lift_limit();
}

// A client that is gone is noticed by who reads from it.
Task<void> Transaction::on_content_wanted() {
  if (!request_.fields.has(FieldId::expect)) co_return;
  request_.fields.remove(FieldId::expect);
  ResponseHead head;
  head.status = kContinue;
  head.reason = reason_phrase(kContinue);
  static_cast<void>(co_await on_informational(head));
}

// Each step is taken without a coroutine where no filter has to wait, and all want to go on.
MaybeTask<bool> Transaction::adapt_request() {
  if (!adaptation_->wants(interest(AdaptPoint::client_request))) return true;
  AdaptedMessage& message = begin_request_message(AdaptPoint::client_request);
  MaybeTask<AdaptResult> adapted = adaptation_->run(message);
  const bool done = adapted.ready() && adapted.value() == AdaptResult::go_on;
  if (!done || message.retargeted()) return finish_request(std::move(adapted), message);
  take_request_body(message);
  return true;
}

Task<bool> Transaction::finish_request(MaybeTask<AdaptResult> adapted, AdaptedMessage& message) {
  const AdaptResult result = co_await std::move(adapted);
  if (result != AdaptResult::go_on) co_return co_await end_by_filter(result);
  take_request_body(message);
  if (!message.retargeted()) co_return true;
  destination_ = Destination{};
  const auto failure = route();
  adaptation_->note_target(
      request_, route_ != nullptr ? std::string_view(route_->settings->name) : std::string_view(),
      host_);
  if (failure) co_await fail_with(*failure);
  co_return !failure;
}

AdaptedMessage& Transaction::begin_request_message(AdaptPoint point) {
  return adaptation_->begin_message(point, request_, nullptr, *request_body_, request_framing_);
}

void Transaction::take_request_body(const AdaptedMessage& message) {
  request_body_ = &message.body();
  body_.pull_from(*request_body_);
  request_framing_ = message.framing();
}

MaybeTask<bool> Transaction::adapt_for_server() {
  if (visit_ || !adaptation_->wants(kLookupInterest)) return adapt_server_request();
  const AdaptedMessage& message = begin_request_message(AdaptPoint::client_request);
  MaybeTask<AdaptResult> asked = adaptation_->run_lookup(message, "none");
  const bool done = asked.ready() && asked.value() == AdaptResult::go_on;
  if (!done) return finish_lookup(std::move(asked));
  return adapt_server_request();
}

Task<bool> Transaction::finish_lookup(MaybeTask<AdaptResult> asked) {
  const AdaptResult result = co_await std::move(asked);
  if (result != AdaptResult::go_on) co_return co_await end_by_filter(result);
  co_return co_await adapt_server_request();
}

MaybeTask<bool> Transaction::adapt_server_request() {
  if (!adaptation_->wants(interest(AdaptPoint::server_request))) return choose_server();
  AdaptedMessage& message = begin_request_message(AdaptPoint::server_request);
  MaybeTask<AdaptResult> adapted = adaptation_->run(message);
  const bool done = adapted.ready() && adapted.value() == AdaptResult::go_on;
  if (!done) return finish_server_request(std::move(adapted), message);
  take_request_body(message);
  return choose_server();
}

Task<bool> Transaction::finish_server_request(MaybeTask<AdaptResult> adapted,
                                              AdaptedMessage& message) {
  const AdaptResult result = co_await std::move(adapted);
  if (result != AdaptResult::go_on) co_return co_await end_by_filter(result);
  take_request_body(message);
  co_return co_await choose_server();
}

// The addresses are looked for beforehand only where somebody may want to choose among them.
MaybeTask<bool> Transaction::choose_server() {
  if (!adaptation_->wants(kConnectInterest)) return true;
  ConnectChoice& choice = adaptation_->begin_choice();
  choice.host = destination_.host;
  choice.port = destination_.port;
  if (destination_.group == nullptr && destination_.via.empty()) return resolve_and_choose(choice);
  if (destination_.group != nullptr) choice.upstream = destination_.group->name();
  return ask_for_choice(choice);
}

Task<bool> Transaction::resolve_and_choose(ConnectChoice& choice) {
  if (auto found = co_await target_addresses()) choice.addresses = std::move(*found);
  denied_.reset();  // a filter may know others
  co_return co_await ask_for_choice(choice);
}

MaybeTask<bool> Transaction::ask_for_choice(ConnectChoice& choice) {
  const AdaptedMessage& message = begin_request_message(AdaptPoint::server_request);
  MaybeTask<AdaptResult> asked = adaptation_->run_connect(message, choice);
  const bool done = asked.ready() && asked.value() == AdaptResult::go_on;
  if (!done || !take_choice(choice)) return finish_choice(std::move(asked), choice);
  return true;
}

Task<bool> Transaction::finish_choice(MaybeTask<AdaptResult> asked, ConnectChoice& choice) {
  const AdaptResult result = co_await std::move(asked);
  if (result != AdaptResult::go_on) co_return co_await end_by_filter(result);
  const bool taken = take_choice(choice);
  if (!taken) co_await fail_with(kNoSuchUpstream);
  co_return taken;
}

// False: there is no group of servers of that name.
bool Transaction::take_choice(ConnectChoice& choice) {
  if (choice.upstream_changed) {
    ServerGroup* const group =
        choice.upstream.empty() ? nullptr : parts_.servers.group(choice.upstream);
    if (group == nullptr && !choice.upstream.empty()) return false;
    destination_.group = group;
    if (group != nullptr) {
      destination_.via = {};
      destination_.name = group->name();
      destination_.key = group->key_of(request_, &exchange_.client().peer);
      destination_.cookie = group->take_cookie(request_);
      if (group->settings().proxy_header != ProxyHeader::none) name_client();
    }
  }
  if (choice.server_changed) destination_.server = choice.server;
  if (choice.target_changed) {
    destination_.host = choice.host;
    destination_.port = choice.port;
    destination_.name = request_.fields.keep(fmt::format("{}:{}", choice.host, choice.port));
    target_chosen_ = true;
  }
  if (choice.addresses_changed) chosen_addresses_ = std::move(choice.addresses);
  return true;
}

MaybeTask<bool> Transaction::adapt_response(AdaptPoint point, BodySource*& body, Framing& framing) {
  if (!adaptation_->wants(interest(point))) return true;
  AdaptedMessage& message = adaptation_->begin_message(point, request_, response_, *body, framing);
  MaybeTask<AdaptResult> adapted = adaptation_->run(message);
  const bool done = adapted.ready() && adapted.value() == AdaptResult::go_on;
  if (!done) return finish_response(std::move(adapted), message, body, framing);
  body = &message.body();
  framing = message.framing();
  return true;
}

// What the server has sent is not wanted any more where a filter has something else to say.
Task<bool> Transaction::finish_response(MaybeTask<AdaptResult> adapted, AdaptedMessage& message,
                                        BodySource*& body, Framing& framing) {
  const AdaptResult result = co_await std::move(adapted);
  if (result != AdaptResult::go_on) {
    co_await settle(false);
    co_return co_await end_by_filter(result);
  }
  body = &message.body();
  framing = message.framing();
  co_return true;
}

// The client gets the filter's answer, or an error.
Task<bool> Transaction::end_by_filter(AdaptResult result) {
  record_.filter = adaptation_->decided_by();
  if (result == AdaptResult::refused) {
    Failure failure = kFilterFailed;
    if (adaptation_->failure_status() != 0) failure.status = adaptation_->failure_status();
    co_await fail_with(failure);
    co_return false;
  }
  FilterAnswer& answer = adaptation_->answer();
  if (request_.method == Method::connect && answer.head.status < 300) {
    // The client would take it for the tunnel (RFC 9110 section 9.3.6).
    answer.head.status = kForbidden;
    answer.head.reason = reason_phrase(kForbidden);
  }
  record_.status = answer.head.status;
  const auto sent = co_await respond_itself(answer.head, *answer.body, answer.framing);
  if (!sent) note_cut(sent.error());
  co_return false;
}

// What the proxy itself has to say, as filters have it that want to see that, too.
Task<Result<void>> Transaction::respond_itself(ResponseHead& head, BodySource& body,
                                               const Framing& framing) {
  if (!adaptation_ || std::exchange(own_shown_, true) || !adaptation_->wants_own_responses()) {
    co_return co_await exchange_.respond(head, body, framing);
  }
  AdaptedMessage& message =
      adaptation_->begin_message(AdaptPoint::client_response, request_, &head, body, framing);
  message.set_own();
  const AdaptResult result = co_await adaptation_->run(message);
  Result<void> sent;
  if (result == AdaptResult::go_on) {
    record_.status = head.status;
    sent = co_await exchange_.respond(head, message.body(), message.framing());
  } else {
    co_await end_by_filter(result);
  }
  // It may still pull `body`.
  if (adaptation_->has_work()) co_await adaptation_->end_work();
  co_return sent;
}

void Transaction::report_to_filters() {
  record_.added = adaptation_->record_fields();
  record_.lists = adaptation_->record_lists();
  if (record_.filter.empty()) record_.filter = adaptation_->decided_by();
  if (!adaptation_->wants(kLogInterest)) return;
  const RecordFields fields(exchange_, record_, parts_.servers.pool().executor());
  adaptation_->run_logged(request_, response_->status != 0 ? response_ : nullptr, fields);
  record_.added = adaptation_->record_fields();
  record_.lists = adaptation_->record_lists();
}

}  // namespace penstock
