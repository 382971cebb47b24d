// Steps of a transaction in which the cache has a say. None of them is taken where there is none.
#include <string>
#include <utility>

#include <fmt/format.h>

#include "adapt/retarget.h"
#include "cache/rfc9111/tags.h"
#include "proxy/background.h"
#include "proxy/client_state.h"
#include "proxy/transaction.h"

namespace penstock {

// What a client that is led elsewhere on its way gets is for that client alone.
bool Transaction::begin_visit() {
  if (host_unverified_ || !hop_.upgrade.empty() || carries_login(request_)) return false;
  const ClientState* const state = ClientState::find(exchange_.connection());
  if (state != nullptr && !state->pins.empty()) return false;
  const CacheKeyParts key = cache_key_parts();
  if (key.host.empty()) return false;
  visit_.emplace(parts_.cache->worker,
                 CacheQuestion{.request = &request_,
                               .has_content = request_framing_.has_body(),
                               .key = key,
                               .rule = parts_.cache->rules->for_request(facts()),
                               .refreshes = origin_ == Origin::cache});
  return true;
}

CacheKeyParts Transaction::cache_key_parts() const {
  const bool reverse = destination_.group != nullptr;
  const auto authority = parse_authority(host_field_);
  return {.scheme = reverse && exchange_.client().secure() ? "https" : "http",
          .host = host_,
          .port = authority ? authority->port : destination_.port,
          .path_and_query = path_of(request_),
          .owner = reverse ? destination_.name : std::string_view()};
}

// A method of Squid's and Varnish's making, which no server needs to know.
bool Transaction::is_purge() const {
  return request_.method_text == "PURGE" && !parts_.cache->purgers.empty();
}

// What the request names becomes invalid: its URI, or what has the tags that its fields list.
Task<void> Transaction::purge() {
  if (!parts_.cache->purgers.contains(exchange_.client().peer)) {
    co_return co_await fail_with(kPurgeDenied);
  }
  const Field* const soft = request_.fields.find("Soft-Purge");
  Invalidation invalidation{.what = Invalidation::What::tag,
                            .soft = soft != nullptr && soft->value == "1",
                            .text = {},
                            .expression = {}};
  Invalidations& invalidations = parts_.cache->worker.cache->invalidations();
  std::size_t tags = 0;
  rfc9111::for_each_tag(request_.fields, [&](std::string_view tag) {
    ++tags;
    invalidation.text = tag;
    invalidations.declare(invalidation);
  });
  Arena arena;
  if (tags == 0) {
    const CacheRule* const rule = parts_.cache->rules->for_request(facts());
    const QueryRules query = rule != nullptr ? query_rules(*rule) : QueryRules{};
    invalidation.what = Invalidation::What::uri;
    invalidation.text = make_cache_key(cache_key_parts(), query, {}, arena).uri();
    invalidations.declare(invalidation);
  }
  const std::string text = tags == 0 ? fmt::format("purged {}\n", invalidation.text)
                                     : fmt::format("purged {} tags\n", tags);
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.fields.add(FieldId::content_type, "text/plain");
  TextBody body(text);
  record_.status = head.status;
  const auto sent =
      co_await exchange_.respond(head, body, {.kind = BodyKind::length, .length = text.size()});
  if (!sent) note_client_gone();
}

RequestFacts Transaction::facts() const {
  return {
      .client = exchange_.client(),
      .route = route_ != nullptr ? std::string_view(route_->settings->name) : std::string_view(),
      .host = host_,
      .path_and_query = path_of(request_),
      .method = request_.method_text,
      .login = request_.fields.value(FieldId::proxy_authorization)};
}

Task<void> Transaction::serve_through_cache() {
  const CacheStep step = co_await visit_->ask();
  if (adaptation_ && origin_ == Origin::client && adaptation_->wants(kLookupInterest)) {
    const AdaptedMessage& message = begin_request_message(AdaptPoint::client_request);
    const AdaptResult result = co_await adaptation_->run_lookup(message, visit_->result());
    if (result != AdaptResult::go_on) {
      co_await end_by_filter(result);
      co_return;
    }
  }
  if (step == CacheStep::answer) co_return co_await send_stored();
  if (step == CacheStep::unavailable) co_return co_await fail_with(kNotStored);
  TaskContext& outer = co_await this_context();
  FetchContext context(outer, *visit_);
  parts_.cache->fetches.push_back(context);
  if (parts_.cache->ending && outer.cancelled()) context.cancel();
  co_await fetch().in(context);
}

// What is stored, as the client gets it.
Task<void> Transaction::send_stored() {
  CacheAnswer& answer = visit_->answer();
  response_ = &answer.head();
  BodySource* body = &answer.body();
  Framing framing = answer.framing();
  visit_->write_status(response_->fields);
  record_.status = response_->status;
  if (origin_ == Origin::cache) co_return;
  if (adaptation_ && !co_await adapt_response(AdaptPoint::client_response, body, framing)) {
    co_return;
  }
  if (route_ != nullptr && !route_->response.empty()) {
    route_->response.apply(variables(), response_->fields);
  }
  record_.status = response_->status;
  const auto sent = co_await exchange_.respond(*response_, *body, framing);
  if (!sent) note_cut(sent.error());
  if (adaptation_ && adaptation_->has_work()) co_await adaptation_->end_work();
  if (visit_->wants_refresh()) {
    parts_.cache->background->refresh(answer.stored(), request_, exchange_.client());
  }
}

void Transaction::choose_response_rule(const ResponseHead& response, const Framing& framing) {
  const CacheRules& rules = *parts_.cache->rules;
  if (!rules.need_response()) return;
  MessageFacts message{.status = response.status,
                       .content_type = response.fields.value(FieldId::content_type)};
  if (framing.kind == BodyKind::length) message.length = framing.length;
  visit_->use_rule(rules.for_response(facts(), message));
}

// The cache has something to say about what came from the server. True: the client gets that.
Task<bool> Transaction::take_to_cache(ResponseHead& response, BodySource*& body,
                                      const Framing& framing) {
  TaskContext& context = co_await this_context();
  choose_response_rule(response, framing);
  if (visit_->receive(response, *body, framing) == CacheStep::forward) {
    body = &visit_->body_of(*body, context);
    visit_->write_status(response.fields);
    co_return false;
  }
  if (visit_->drops_response()) {
    co_await settle(true);
    co_await send_stored();
    co_return true;
  }
  visit_->begin_reading(context);
  co_await send_stored();
  co_await visit_->finish(true);
  co_await settle(true);
  co_return true;
}

}  // namespace penstock
