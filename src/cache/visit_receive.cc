// What the cache makes of what came from the origin.
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "cache/rfc9111/conditions.h"
#include "cache/rfc9111/freshening.h"
#include "cache/rfc9111/groups.h"
#include "cache/rfc9111/invalidation.h"
#include "cache/rfc9111/tags.h"
#include "cache/rfc9111/targeted.h"
#include "cache/rfc9111/vary.h"
#include "cache/visit.h"
#include "message/date.h"
#include "message/status.h"
#include "message/url.h"

namespace penstock {
namespace {

constexpr int kPartialContent = 206;
constexpr int kNotModified = 304;
constexpr int kServerErrors = 500;

bool is_get(Method method) { return method == Method::get; }

}  // namespace

// What a response says, as far as the cache goes by it.
struct CacheVisit::Judged {
  rfc9111::Directives directives;
  bool targeted = false;
  rfc9111::Times times;
  rfc9111::Lifetime lifetime;
  rfc9111::StoreVerdict verdict;
};

CacheStep CacheVisit::receive(ResponseHead& response, BodySource& body, const Framing& framing) {
  forward_status_ = response.status;
  times_.response_time = worker_.now();
  if (!asked_for_) return CacheStep::forward;
  if (!response.fields.has(FieldId::date)) {
    response.fields.add(FieldId::date,
                        response.fields.keep(http_date(worker_.executor->wall_now())));
  }
  if (rfc9111::invalidates(request_.method_text, response.status)) invalidate(response);
  if (response.status == kNotModified) {
    if (validates_) return receive_not_modified(response);
    return refuse("status", false);
  }
  if (rfc9111::is_stale_if_error_status(response.status) &&
      serve_stale(rfc9111::OriginFailure::error_status)) {
    return CacheStep::answer;
  }
  if (request_.method == Method::head) {
    receive_head_response(response);
    return refuse("method", false);
  }
  return store(response, body, framing);
}

bool CacheVisit::rescue() {
  times_.response_time = worker_.now();
  return asked_for_ && serve_stale(rfc9111::OriginFailure::unreachable);
}

bool CacheVisit::serve_stale(rfc9111::OriginFailure failure) {
  if (!stored_ || !stored_->whole()) return false;
  rfc9111::ReusePolicy policy = stored_->reuse();
  if (stored_->made_stale()) policy.lifetime = std::chrono::seconds(0);
  const auto verdict = rfc9111::may_serve_on_error(policy, stored_->age(worker_.now()), wanted_,
                                                   failure, reuse_options());
  if (!verdict.serve || !take(stored_, "stale")) return false;
  why_ = rfc9111::to_string(verdict.reason);
  worker_.counters->count(CacheEvent::stale_hit);
  let_go(Fill::Stage::ask_again);
  return true;
}

// What a request may have changed (RFC 9111 section 4.4, RFC 9875 section 3).
void CacheVisit::invalidate(const ResponseHead& response) {
  const auto target = parse_url(key_.uri());
  if (!target) return;
  Invalidations& invalidations = worker_.cache->invalidations();
  std::uint64_t declared = 0;
  const auto declare = [&](Invalidation::What what, std::string text) {
    ++declared;
    invalidations.declare({.what = what, .soft = false, .text = std::move(text), .expression = {}});
    worker_.counters->count(CacheEvent::invalidated);
  };
  for (const Url& url : rfc9111::invalidated_uris(*target, response.fields)) {
    const std::string_view uri = normal_uri(url.text(), query_rules(*rule_), arena_);
    if (!uri.empty()) declare(Invalidation::What::uri, std::string(uri));
  }
  for (const std::string& group :
       rfc9111::invalidated_groups(request_.method_text, response.fields)) {
    declare(Invalidation::What::group, target->origin() + '\n' + group);
  }
  // Its own response may be stored all the same, if nobody else has declared anything meanwhile.
  if (invalidations.last() == last_invalidation_ + declared) last_invalidation_ += declared;
}

// --- Validation ---

CacheStep CacheVisit::receive_not_modified(const ResponseHead& response) {
  auto merged = rfc9111::merge_fields(stored_->fields(), response.fields);
  ResponseHead head;
  head.status = stored_->status();
  head.fields = std::move(merged.fields);
  const Judged judged = judge_storing(head);
  StoredResponseInput input{.status = stored_->status(), .reason = stored_->reason()};
  input.parts.assign(stored_->parts().begin(), stored_->parts().end());
  input.complete_length = stored_->complete_length();
  FieldSection kept;
  std::shared_ptr<StoredResponse> fresh = stored_;
  if (describe(head.fields, judged, input, kept)) {
    fresh = std::make_shared<StoredResponse>(worker_.cache->account(), std::move(input));
    if (judged.verdict.store()) {
      is_stored_ = worker_.cache->memory().replace(*stored_, fresh);
    } else {
      worker_.cache->memory().remove(*stored_);
    }
  }
  worker_.counters->count(CacheEvent::validated);
  if (fill_) {
    if (judged.verdict.store()) {
      fill_->become_known(fresh);
    }
    let_go(Fill::Stage::go_alone);
  }
  // Conditions and ranges of the client are looked at only now that it is known what they are
  // about. All of it is there.
  const rfc9111::ForwardReason forward = forward_;
  static_cast<void>(take(fresh, "validated"));
  forward_ = forward;
  return CacheStep::answer;
}

// RFC 9111 section 4.3.5.
void CacheVisit::receive_head_response(const ResponseHead& response) {
  asked_.method = Method::get;  // for what it tells about is the response to that
  auto found = worker_.cache->memory().find(key_, asked_.fields);
  if (!found.response) return;
  const StoredResponse& before = *found.response;
  switch (rfc9111::effect_of_head(before.validators(), before.complete_length(), response)) {
    case rfc9111::HeadEffect::none:
      return;
    case rfc9111::HeadEffect::make_stale:
      before.make_stale();
      return;
    case rfc9111::HeadEffect::update:
      break;
  }
  auto merged = rfc9111::merge_fields(before.fields(), response.fields);
  ResponseHead head;
  head.status = before.status();
  head.fields = std::move(merged.fields);
  const Judged judged = judge_storing(head);
  StoredResponseInput input{.status = before.status(), .reason = before.reason()};
  input.parts.assign(before.parts().begin(), before.parts().end());
  input.complete_length = before.complete_length();
  FieldSection kept;
  if (!judged.verdict.store() || !describe(head.fields, judged, input, kept)) return;
  static_cast<void>(worker_.cache->memory().replace(
      before, std::make_shared<StoredResponse>(worker_.cache->account(), std::move(input))));
}

// --- Storing ---

CacheVisit::Judged CacheVisit::judge_storing(const ResponseHead& response) {
  Judged judged;
  judged.directives = rfc9111::response_directives(response.fields);
  if (const auto targeted = rfc9111::targeted_directives(response.fields, settings_.targeted,
                                                         {.token = kSurrogateToken})) {
    judged.directives = targeted->directives;
    judged.targeted = true;
  }
  judged.times =
      rfc9111::response_times(response.fields, times_.request_time, times_.response_time);
  judged.lifetime = lifetime_of(response, judged.directives, judged.targeted);
  if (rule_->mode == CacheRule::Mode::always) {
    judged.directives.no_store = judged.directives.is_private = judged.directives.no_cache = false;
  }
  const rfc9111::StoreOptions options{
      .set_cookie = rule_->set_cookie.value_or(settings_.set_cookie),
      .unkeyed_fields = settings_.unkeyed_fields,
      .honour_request = settings_.honour_request};
  judged.verdict = rfc9111::may_store(
      {.request = completes_ ? request_ : asked_,  // a 206 answers the Range that was sent
       .response = response,
       .request_directives = wanted_,
       .directives = judged.directives,
       .targeted = judged.targeted,
       .lifetime = judged.lifetime,
       .request_has_content = question_.has_content && request_.method == Method::get,
       .target_uri = key_.uri()},
      options);
  return judged;
}

rfc9111::Lifetime CacheVisit::lifetime_of(const ResponseHead& response,
                                          const rfc9111::Directives& directives, bool targeted) {
  const auto times =
      rfc9111::response_times(response.fields, times_.request_time, times_.response_time);
  auto lifetime = rfc9111::freshness_lifetime(
      response.status, response.fields, directives, targeted, times.date_value,
      {.heuristic_percent = settings_.heuristic_percent,
       .heuristic_max = whole_seconds(settings_.heuristic_max),
       .override_lifetime = whole_seconds(rule_->lifetime)});
  if (rule_->lifetime_min)
    lifetime.value = std::max(lifetime.value, whole_seconds(*rule_->lifetime_min));
  if (rule_->lifetime_max)
    lifetime.value = std::min(lifetime.value, whole_seconds(*rule_->lifetime_max));
  if (response.status >= kServerErrors) {
    lifetime.value = std::min(lifetime.value, whole_seconds(settings_.error_max));
  }
  return lifetime;
}

rfc9111::ReusePolicy CacheVisit::policy_of(const rfc9111::Directives& directives,
                                           const rfc9111::Lifetime& lifetime) const {
  auto policy = rfc9111::reuse_policy(directives, lifetime);
  policy.stale_while_revalidate =
      whole_seconds(rule_->stale_while_revalidate).value_or(policy.stale_while_revalidate);
  if (rule_->stale_if_error) {
    policy.stale_if_error = whole_seconds(*rule_->stale_if_error);
    policy.has_stale_if_error = true;
  }
  return policy;
}

void CacheVisit::collect_tags(const FieldSection& fields, StoredResponseInput& input) const {
  rfc9111::for_each_tag(fields,
                        [&input](std::string_view tag) { input.tags.push_back(hash_key(tag)); });
  const auto groups = rfc9111::groups_of(fields);
  if (groups.empty()) return;
  const auto target = parse_url(key_.uri());
  if (!target) return;
  for (const std::string& group : groups) {
    input.tags.push_back(hash_key(target->origin() + '\n' + group));
  }
}

// What is common to all that is stored. `kept` are the fields that are, and must outlive the input.
// False: it cannot be selected later.
bool CacheVisit::describe(const FieldSection& fields, const Judged& judged,
                          StoredResponseInput& input, FieldSection& kept) {
  const auto vary = rfc9111::parse_vary(fields);
  if (vary.kind == rfc9111::VaryKind::any) return false;
  if (vary.kind == rfc9111::VaryKind::names) {
    auto selecting = rfc9111::variant_key(vary.text, asked_.fields);
    if (!selecting) return false;
    input.variant_key = std::move(*selecting);
  }
  for (const Field& field : fields) {
    if (rfc9111::is_stored(field, judged.directives, judged.verdict)) {
      kept.add(field.id, field.name, field.value);
    }
  }
  input.key = key_.text;
  input.key_hash = key_.hash;
  input.fields = &kept;
  input.reuse = policy_of(judged.directives, judged.lifetime);
  input.source = judged.lifetime.source;
  input.times = judged.times;
  input.looked_at = last_invalidation_;
  collect_tags(fields, input);
  return true;
}

CacheStep CacheVisit::refuse(std::string_view why, bool for_all) {
  why_ = why;
  if (for_all && fill_) {
    worker_.cache->fills().pass(
        fill_hash_,
        (worker_.now() + whole_seconds(settings_.pass_time)).time_since_epoch().count());
  }
  let_go(for_all ? Fill::Stage::go_alone : Fill::Stage::ask_again);
  return CacheStep::forward;
}

CacheStep CacheVisit::store(ResponseHead& response, BodySource& body, const Framing& framing) {
  const Judged judged = judge_storing(response);
  if (!judged.verdict.store()) {
    if (is_get(request_.method)) worker_.counters->count(CacheEvent::refused);
    const auto reason = judged.verdict.reason;
    const bool for_all = reason != rfc9111::StoreReason::authorization &&
                         reason != rfc9111::StoreReason::request_no_store &&
                         reason != rfc9111::StoreReason::method;
    return refuse(rfc9111::to_string(reason), for_all);
  }
  if (framing.kind == BodyKind::length && framing.length > settings_.max_object) {
    return refuse("too-large", true);
  }
  StoredResponseInput input{.status = response.status, .reason = response.reason};
  std::optional<std::uint64_t> length;
  if (framing.kind == BodyKind::length) length = framing.length;
  if (framing.kind == BodyKind::none) length = 0;
  if (response.status == kPartialContent) return store_part(response, body, judged);
  auto content = std::make_shared<Content>(worker_.cache->account(), length);
  input.parts.push_back({.first = 0, .content = content});
  return begin_filling(response.fields, body, judged, std::move(input), std::move(content));
}

}  // namespace penstock
