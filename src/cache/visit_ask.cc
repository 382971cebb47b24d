// What the cache says to a request before it goes to the origin.
#include <algorithm>
#include <string>
#include <utility>

#include "async/wait.h"
#include "cache/rfc9111/conditions.h"
#include "cache/rfc9111/vary.h"
#include "cache/visit.h"

namespace penstock {
namespace {

const CacheRule kNoRule;
// Responses for other variants that a request waits for before it goes alone.
constexpr unsigned kMostOthers = 3;

// The value of a cookie; an empty view where there is none.
std::string_view cookie_value(const FieldSection& fields, std::string_view name) {
  std::string_view found;
  for (const Field& field : fields) {
    if (field.id != FieldId::cookie) continue;
    std::string_view rest = field.value;
    while (!rest.empty() && found.empty()) {
      const std::size_t end = rest.find(';');
      std::string_view pair = rest.substr(0, end);
      pair.remove_prefix(std::min(pair.find_first_not_of(" \t"), pair.size()));
      if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
        found = pair.substr(name.size() + 1);
      }
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  return found;
}

}  // namespace

CacheVisit::CacheVisit(const CacheWorker& worker, const CacheQuestion& question)
    : worker_(worker),
      settings_(worker.cache->settings()),
      question_(question),
      request_(*question.request),
      rule_(question.rule != nullptr ? question.rule : &kNoRule) {}

void CacheVisit::use_rule(const CacheRule* rule) { rule_ = rule != nullptr ? rule : &kNoRule; }

CacheVisit::~CacheVisit() {
  filling_.reset();
  let_go(Fill::Stage::ask_again);
  if (followed_) followed_->leave();
}

MaybeTask<CacheStep> CacheVisit::ask() {
  times_.request_time = worker_.now();
  last_invalidation_ = worker_.cache->invalidations().last();
  if (!may_be_asked()) {
    worker_.counters->count(CacheEvent::bypass);
    return CacheStep::forward;
  }
  make_key();
  const CacheStep step = look();
  if (step != CacheStep::forward) return step;
  keep_request();
  if (!may_collapse()) return CacheStep::forward;
  return lead_or_follow();
}

// False: the cache has nothing to do with it, or only with what comes of it.
bool CacheVisit::may_be_asked() {
  if (rule_->mode == CacheRule::Mode::never) {
    why_ = "rule";
    return false;
  }
  if (request_.fields.has(FieldId::upgrade)) {
    why_ = "upgrade";
    return false;
  }
  asked_for_ = true;
  const bool get = request_.method == Method::get || request_.method == Method::head;
  if (!get) {
    forward_ = rfc9111::ForwardReason::method;
    why_ = "method";
    make_key();
    keep_request();
    return false;
  }
  if (question_.has_content) why_ = "request-content";
  if (rfc9111::find_unkeyed_field(request_.fields, settings_.unkeyed_fields) != nullptr) {
    why_ = "unkeyed-input";
  }
  if (rfc9111::has_origin_conditions(request_.fields)) why_ = "precondition";
  if (why_.empty()) return true;
  asked_for_ = false;
  return false;
}

void CacheVisit::make_key() {
  CacheKeyParts parts = question_.key;
  std::vector<std::string_view, PoolAllocator<std::string_view>> more;
  for (const std::string& name : rule_->key_fields) {
    std::string_view value;
    for (const Field& field : request_.fields) {
      if (equals_ignoring_case(field.name, name)) value = arena_.join(value, ",", field.value);
    }
    more.push_back(value);
  }
  for (const std::string& name : rule_->key_cookies) {
    more.push_back(cookie_value(request_.fields, name));
  }
  parts.more = more;
  key_ = make_cache_key(parts, query_rules(*rule_), worker_.cache->secret(), arena_);
}

CacheStep CacheVisit::look() {
  if (settings_.honour_request) wanted_ = rfc9111::request_directives(request_.fields);
  auto found = worker_.cache->memory().find(key_, request_.fields);
  if (found.response) return judge(std::move(found.response));
  forward_ =
      found.other_variants ? rfc9111::ForwardReason::vary_miss : rfc9111::ForwardReason::uri_miss;
  result_ = "miss";
  why_ = rfc9111::to_string(forward_);
  if (rfc9111::wants_only_cached(wanted_, reuse_options())) return CacheStep::unavailable;
  worker_.counters->count(CacheEvent::miss);
  return CacheStep::forward;
}

// What is stored, and selected by the request: may it be the answer?
CacheStep CacheVisit::judge(std::shared_ptr<StoredResponse> stored) {
  // One that is still coming may have been made before what came between.
  if (worker_.cache->invalidations().judge(*stored) == Invalidations::Verdict::gone) {
    return CacheStep::forward;
  }
  rfc9111::ReusePolicy policy = stored->reuse();
  if (stored->made_stale()) policy.lifetime = std::chrono::seconds(0);
  const auto verdict =
      rfc9111::may_reuse(policy, stored->age(worker_.now()), wanted_, reuse_options());
  result_ = "miss";
  why_ = rfc9111::to_string(verdict.reason);
  const bool usable = verdict.reuse != rfc9111::Reuse::validate && !question_.refreshes;
  if (usable) {
    const bool fresh = verdict.reuse == rfc9111::Reuse::fresh;
    if (take(stored, fresh ? "hit" : "stale")) {
      worker_.counters->count(fresh ? CacheEvent::hit : CacheEvent::stale_hit);
      why_ = {};
      wants_refresh_ =
          verdict.reuse == rfc9111::Reuse::stale_while_revalidate && stored->begin_refresh();
      return CacheStep::answer;
    }
    forward_ = rfc9111::ForwardReason::partial;
    why_ = rfc9111::to_string(forward_);
    completes_ = fresh && stored->validators().strong() && request_.method == Method::get;
    missing_ = answer_.missing();
  } else {
    const bool request_only = verdict.reason != rfc9111::ReuseReason::stale &&
                              verdict.reason != rfc9111::ReuseReason::no_cache;
    forward_ = request_only ? rfc9111::ForwardReason::request : rfc9111::ForwardReason::stale;
    validates_ = stored->whole() && !stored->validators().empty();
  }
  stored_ = std::move(stored);
  if (rfc9111::wants_only_cached(wanted_, reuse_options())) return CacheStep::unavailable;
  worker_.counters->count(CacheEvent::miss);
  return CacheStep::forward;
}

bool CacheVisit::take(const std::shared_ptr<StoredResponse>& stored, std::string_view result) {
  const RequestHead& request = kept_ ? asked_ : request_;
  if (!answer_.make(stored, request, worker_.now(), worker_.gate)) return false;
  stored->count_hit();
  forward_ = rfc9111::ForwardReason::none;
  result_ = result;
  return true;
}

rfc9111::ReuseOptions CacheVisit::reuse_options() const {
  return {.honour_request = settings_.honour_request,
          .stale_if_unreachable = whole_seconds(settings_.stale_if_unreachable),
          .stale_if_error_status = whole_seconds(settings_.stale_if_error)};
}

// Views into the request, whose texts stay as long as it does.
void CacheVisit::keep_request() {
  kept_ = true;
  asked_.method = request_.method;
  asked_.method_text = request_.method_text;
  asked_.version = request_.version;
  for (const Field& field : request_.fields) asked_.fields.add(field.id, field.name, field.value);
}

// --- Collapsed forwarding ---

bool CacheVisit::may_collapse() const {
  return request_.method == Method::get && settings_.collapse_wait > Duration::zero() &&
         forward_ != rfc9111::ForwardReason::request && !completes_ && !wanted_.no_store &&
         !request_.fields.has(FieldId::range) && !request_.fields.has(FieldId::authorization);
}

// Requests for different variants do not wait for each other, as far as it is known what tells
// variants apart: by what is stored, or by a response for another variant that is `coming`.
std::uint64_t CacheVisit::fill_hash(const StoredResponse* coming) const {
  std::string names;
  if (coming != nullptr) {
    names = rfc9111::names_of_key(coming->variant_key());
  } else {
    for (const auto& variant : worker_.cache->memory().variants(key_)) {
      names = rfc9111::names_of_key(variant->variant_key());
      if (!names.empty()) break;
    }
  }
  if (names.empty()) return key_.hash;
  const auto selecting = rfc9111::variant_key(names, asked_.fields);
  if (!selecting) return key_.hash;
  return key_.hash ^ keyed_hash(worker_.cache->secret(), *selecting);
}

MaybeTask<CacheStep> CacheVisit::lead_or_follow() {
  fill_hash_ = fill_hash(nullptr);
  auto place = worker_.cache->fills().join(fill_hash_, worker_.now().time_since_epoch().count());
  if (!place.fill) return CacheStep::forward;
  if (!place.leads) return follow(std::move(place.fill));
  fill_ = std::move(place.fill);
  // Another one may have ended between the look and this.
  auto found = worker_.cache->memory().find(key_, asked_.fields);
  if (found.response && found.response != stored_) {
    const CacheStep step = judge(std::move(found.response));
    if (step != CacheStep::forward) let_go(Fill::Stage::ask_again);
    return step;
  }
  return CacheStep::forward;
}

Task<CacheStep> CacheVisit::follow(std::shared_ptr<Fill> fill) {
  const TimePoint deadline = deadline_after(worker_.executor->now(), settings_.collapse_wait);
  for (unsigned others = 0; others < kMostOthers;) {
    const auto waiting = std::make_shared<Waiting>(worker_.gate);
    fill->waiters().add(waiting);
    if (fill->stage() == Fill::Stage::asking) {
      const auto woken = co_await wait_until(waiting->event(), deadline);
      if (!woken) {
        fill->leave();
        why_ = "collapse-timeout";
        co_return CacheStep::forward;
      }
      continue;
    }
    const Fill::Stage stage = fill->stage();
    collapsed_ = true;
    if (stage == Fill::Stage::known) {
      followed_ = fill;
      const auto& response = fill->response();
      if (response->selected_by(asked_.fields)) {
        const rfc9111::ForwardReason forward = forward_;
        const CacheStep step = judge(response);
        if (step == CacheStep::answer) {
          forward_ = forward;
          result_ = "collapsed";
          worker_.counters->count(CacheEvent::collapsed);
        }
        co_return step;
      }
      followed_.reset();
    }
    fill->leave();
    if (stage == Fill::Stage::go_alone) co_return CacheStep::forward;
    // It was another variant, or came to nothing. Perhaps something is stored by now.
    if (const CacheStep step = look(); step != CacheStep::forward) co_return step;
    const bool known = stage == Fill::Stage::known;
    if (known) ++others;
    fill_hash_ = fill_hash(known ? fill->response().get() : nullptr);
    auto place = worker_.cache->fills().join(fill_hash_, worker_.now().time_since_epoch().count());
    if (!place.fill || place.leads) {
      fill_ = std::move(place.fill);
      co_return CacheStep::forward;
    }
    fill = std::move(place.fill);
  }
  fill->leave();
  co_return CacheStep::forward;
}

void CacheVisit::let_go(Fill::Stage stage) {
  if (!fill_) return;
  worker_.cache->fills().finish(fill_hash_, *fill_);
  if (fill_->stage() == Fill::Stage::asking) fill_->end(stage);
  fill_.reset();
}

// Edge Architecture Specification, section 3.
void CacheVisit::announce_surrogate(FieldSection& fields) const {
  const auto& targeted = settings_.targeted;
  const bool understood = std::any_of(targeted.begin(), targeted.end(), [](std::string_view name) {
    return equals_ignoring_case(name, "Surrogate-Control");
  });
  if (!understood) return;
  constexpr std::string_view kCapability = "Surrogate-Capability";
  const std::string own = std::string(kSurrogateToken) + "=\"Surrogate/1.0\"";
  const Field* const others = fields.find(kCapability);
  fields.set(kCapability,
             others != nullptr ? fields.arena().join(others->value, ", ", own) : fields.keep(own));
}

void CacheVisit::prepare(RequestHead& request) {
  announce_surrogate(request.fields);
  if (validates_) {
    static_cast<void>(rfc9111::take_conditions(request.fields));
    static_cast<void>(rfc9111::take_range(request.fields));
    const rfc9111::Validators& validators = stored_->validators();
    static_cast<void>(rfc9111::write_validation(request.fields, {&validators, 1}));
  } else if (completes_) {
    static_cast<void>(rfc9111::take_conditions(request.fields));
    completes_ = rfc9111::write_range_request(request.fields, missing_, stored_->validators());
  }
}

}  // namespace penstock
