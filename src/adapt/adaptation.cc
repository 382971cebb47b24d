#include "adapt/adaptation.h"

#include <algorithm>
#include <utility>

#include "adapt/in_time.h"
#include "adapt/retarget.h"

namespace penstock {
namespace {

constexpr unsigned kMostRecordFields = 16;
constexpr std::size_t kLongestRecordFields = 4096;  // and lists
constexpr std::size_t kMostNotes = 32;
constexpr std::size_t kLongestNote = 4096;
constexpr unsigned kBitsOfIds = 48;  // below the number of the worker

// What conditions look at.
RequestFacts facts_of(const TransactionFacts& facts, const RequestHead& request,
                      std::string_view host, std::string_view path) {
  return {.client = *facts.client,
          .route = facts.route,
          .host = host,
          .path_and_query = path,
          .method = request.method_text,
          .login = facts.login};
}

Task<FilterOutcome> awaited(MaybeTask<FilterOutcome> outcome) {
  co_return co_await std::move(outcome);
}

}  // namespace

bool is_record_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

FilterSet::FilterSet(std::shared_ptr<const void> owner, std::vector<FilterPlace> places,
                     unsigned worker, const Executor& executor, Log* log)
    : owner_(std::move(owner)),
      places_(std::move(places)),
      failures_(places_.size()),
      executor_(&executor),
      last_id_(std::uint64_t{worker} << kBitsOfIds),
      log_(log) {
  wants_connections_ = std::ranges::any_of(places_, [](const FilterPlace& place) {
    return (place.interests & kConnectionInterest) != 0;
  });
}

void FilterSet::report(const FilterPlace& place, std::string_view where, std::string_view reason) {
  const TimePoint now = executor_->now();
  Failures& failures = failures_[static_cast<std::size_t>(&place - places_.data())];
  if (now < failures.quiet_until) {
    ++failures.unsaid;
    return;
  }
  failures.quiet_until = now + std::chrono::seconds(1);
  const std::uint64_t unsaid = std::exchange(failures.unsaid, 0);
  if (log_ == nullptr) return;
  if (unsaid > 0) {
    log_->warning("filter {}: failed at {}: {}; and {} times since that was last said",
                  place.settings->name, where, reason, unsaid);
  } else {
    log_->warning("filter {}: failed at {}: {}", place.settings->name, where, reason);
  }
}

std::unique_ptr<Adaptation> Adaptation::begin(const std::shared_ptr<FilterSet>& set,
                                              const TransactionFacts& facts,
                                              const RequestHead& request, std::string_view host,
                                              std::string_view path) {
  const RequestFacts asked = facts_of(facts, request, host, path);
  const auto is_meant = [&asked](const FilterPlace& place) { return place.is_meant(asked); };
  const auto first = std::ranges::find_if(set->places(), is_meant);
  if (first == set->places().end()) return nullptr;
  auto adaptation = std::make_unique<Adaptation>(set, facts);
  adaptation->facts_.id = set->next_id();
  adaptation->facts_.host = host;
  adaptation->slots_.reserve(set->places().size());
  for (const FilterPlace& place : set->places()) {
    const bool meant = &place == &*first || (&place > &*first && is_meant(place));
    adaptation->slots_.push_back({.place = &place, .meant = meant});
    if (meant) adaptation->interests_ |= place.interests;
  }
  return adaptation;
}

void Adaptation::look_again(const RequestHead& request, std::string_view host, std::size_t since) {
  const RequestFacts asked = facts_of(facts_, request, host, path_of(request));
  interests_ = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    const bool comes = i > since || slot.place->settings->at == FilterSide::server;
    if (comes && !slot.state) slot.meant = slot.place->is_meant(asked);
    if (slot.meant) interests_ |= slot.place->interests;
  }
}

void Adaptation::note_target(const RequestHead& request, std::string_view route,
                             std::string_view host) {
  facts_.route = route;
  facts_.host = host;
  look_again(request, host, slots_.size());
}

Adaptation::~Adaptation() {
  // Whoever wraps goes before what it has wrapped, and all of them before what they belong to.
  if (extra_) extra_->answers.clear();
  bodies_.clear();
  slots_.clear();
}

bool Adaptation::wants_own_responses() const {
  return std::ranges::any_of(slots_, [](const Slot& slot) {
    return slot.place->settings->own_responses &&
           slot.is_asked(interest(AdaptPoint::client_response));
  });
}

bool Adaptation::is_meant(const FilterPlace& place, const AdaptedMessage& message) const {
  MessageFacts facts{.notes = notes()};
  if (message.response() != nullptr) {
    facts.status = message.response()->status;
    facts.content_type = message.fields().value(FieldId::content_type);
  }
  if (message.framing().kind == BodyKind::length) facts.length = message.framing().length;
  return place.is_meant(facts);
}

std::optional<FilterOutcome> Adaptation::start(Slot& slot, AdaptedMessage& message) {
  if (slot.place->choosy && !is_meant(*slot.place, message)) return FilterOutcome{};
  return slot.place->filter->start(message, slot.state);
}

// Most filters need no time: then there is no coroutine.
MaybeTask<AdaptResult> Adaptation::run(AdaptedMessage& message) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].is_asked(message)) continue;
    const auto outcome = start(slots_[i], message);
    if (!outcome) return finish(message, i, false);
    if (message.retargeted()) look_again(message.request(), host_of(message.request()), i);
    if (outcome->kind == FilterOutcome::Kind::go_on) continue;
    if (outcome->kind == FilterOutcome::Kind::look) return finish(message, i, true);
    const AdaptResult result = settle(slots_[i], *outcome, to_string(message.point()), false);
    if (result != AdaptResult::go_on) return result;
  }
  return AdaptResult::go_on;
}

Task<AdaptResult> Adaptation::finish(AdaptedMessage& message, std::size_t at, bool looks) {
  const TaskContext& context = co_await this_context();
  std::optional<FilterOutcome> outcome;
  if (looks) outcome = FilterOutcome{.kind = FilterOutcome::Kind::look};
  for (bool first = true; at < slots_.size(); ++at, first = false) {
    Slot& slot = slots_[at];
    if (!first) {
      if (!slot.is_asked(message)) continue;
      outcome = start(slot, message);
    }
    Filter& filter = *slot.place->filter;
    if (!outcome) {
      outcome = co_await in_time(filter.finish(message, slot.state), slot.place->settings->timeout);
    }
    if (outcome->kind == FilterOutcome::Kind::look) {
      const bool takes = is_request(message.point()) && message.has_content();
      if (takes && facts_.owner != nullptr) co_await facts_.owner->on_content_wanted();
      outcome = co_await filter.look(message, slot.state);
    }
    if (message.retargeted()) look_again(message.request(), host_of(message.request()), at);
    if (outcome->kind == FilterOutcome::Kind::go_on) continue;
    const AdaptResult result =
        settle(slot, *outcome, to_string(message.point()), context.cancelled());
    if (result != AdaptResult::go_on) co_return result;
  }
  co_return AdaptResult::go_on;
}

template <class Ask>
MaybeTask<AdaptResult> Adaptation::ask_from(std::size_t at, Interests about, std::string_view where,
                                            Ask ask) {
  for (; at < slots_.size(); ++at) {
    if (!slots_[at].is_asked(about)) continue;
    MaybeTask<FilterOutcome> outcome = ask(slots_[at]);
    if (!outcome.ready()) return wait_for(std::move(outcome), at, about, where, ask);
    if (outcome.value().kind == FilterOutcome::Kind::go_on) continue;
    const AdaptResult settled = settle(slots_[at], outcome.value(), where, false);
    if (settled != AdaptResult::go_on) return settled;
  }
  return AdaptResult::go_on;
}

template <class Ask>
Task<AdaptResult> Adaptation::wait_for(MaybeTask<FilterOutcome> slow, std::size_t at,
                                       Interests about, std::string_view where, Ask ask) {
  const FilterOutcome outcome =
      co_await in_time(awaited(std::move(slow)), slots_[at].place->settings->timeout);
  const AdaptResult settled =
      settle(slots_[at], outcome, where, (co_await this_context()).cancelled());
  if (settled != AdaptResult::go_on) co_return settled;
  co_return co_await ask_from(at + 1, about, where, ask);
}

MaybeTask<AdaptResult> Adaptation::run_lookup(const AdaptedMessage& message,
                                              std::string_view result) {
  return ask_from(0, kLookupInterest, "cache_lookup", [&message, result](Slot& slot) {
    return slot.place->filter->on_lookup(message, result, slot.state);
  });
}

MaybeTask<AdaptResult> Adaptation::run_connect(const AdaptedMessage& message,
                                               ConnectChoice& choice) {
  return ask_from(0, kConnectInterest, "before_connect", [&message, &choice](Slot& slot) {
    return slot.place->filter->on_connect(message, choice, slot.state);
  });
}

void Adaptation::run_logged(RequestHead& request, ResponseHead* response,
                            const RecordView& record) {
  const LoggedMessages messages{*this, request, response};
  for (Slot& slot : slots_) {
    // Who was left out may have something to say of what was before.
    if (!slot.meant || (slot.place->interests & kLogInterest) == 0) continue;
    if (slot.left && (!slot.state || !slot.state->dropped)) continue;
    slot.place->filter->on_logged(messages, record, slot.state);
  }
}

Task<FilterOutcome> Adaptation::in_time(Task<FilterOutcome> work, Duration limit) {
  const Result<FilterOutcome> outcome = co_await run_in_time(std::move(work), limit);
  if (outcome) co_return *outcome;
  co_return FilterOutcome{.kind = FilterOutcome::Kind::failed,
                          .reason = to_string(outcome.error().kind)};
}

AdaptResult Adaptation::settle(Slot& slot, const FilterOutcome& outcome, std::string_view where,
                               bool cancelled) {
  using Kind = FilterOutcome::Kind;
  if (outcome.kind == Kind::go_on) return AdaptResult::go_on;
  if (outcome.kind == Kind::answer && extra_ && !extra_->answers.empty()) {
    decided_by_ = slot.place->settings->name;
    return AdaptResult::answer;
  }
  if (outcome.kind == Kind::leave) {
    leave(slot);
    return AdaptResult::go_on;
  }
  if (outcome.kind == Kind::refuse) return AdaptResult::refused;
  // Nobody is left to care.
  if (cancelled) return AdaptResult::refused;
  const bool answerless = outcome.kind == Kind::answer;
  set_->report(*slot.place, where, answerless ? "no answer was given" : outcome.reason);
  decided_by_ = slot.place->settings->name;
  const FailurePolicy policy = slot.place->settings->on_failure;
  if (policy == FailurePolicy::skip) drop(slot);
  if (policy != FailurePolicy::closed) return AdaptResult::go_on;
  failure_status_ = slot.place->settings->failure_status;
  if (failure_status_ == kUsualFailureStatus && outcome.status != 0)
    failure_status_ = outcome.status;
  return AdaptResult::refused;
}

const Adaptation::Slot* Adaptation::slot_of(const FilterState& state) const {
  const auto found = std::ranges::find_if(
      slots_, [&state](const Slot& slot) { return slot.state.get() == &state; });
  return found != slots_.end() ? &*found : nullptr;
}

Adaptation::Slot* Adaptation::slot_of(const FilterState& state) {
  return const_cast<Slot*>(std::as_const(*this).slot_of(state));
}

std::optional<Error> Adaptation::fail_content(const FilterState& state, AdaptPoint point,
                                              std::string_view reason, bool changed) {
  Slot* const slot = slot_of(state);
  PENSTOCK_CHECK(slot != nullptr);
  set_->report(*slot->place, to_string(point), reason);
  decided_by_ = slot->place->settings->name;
  const FailurePolicy policy = slot->place->settings->on_failure;
  if (policy == FailurePolicy::skip) drop(*slot);
  if (policy != FailurePolicy::closed && !changed) return std::nullopt;
  failure_status_ = slot->place->settings->failure_status;
  return Error{.kind = ErrorKind::adaptation,
               .side = is_request(point) ? Side::client : Side::server};
}

void Adaptation::note_failure(const Filter& filter, AdaptPoint point, std::string_view reason) {
  const auto slot = std::ranges::find_if(
      slots_, [&filter](const Slot& one) { return one.place->filter.get() == &filter; });
  PENSTOCK_CHECK(slot != slots_.end());
  set_->report(*slot->place, to_string(point), reason);
  decided_by_ = slot->place->settings->name;
}

void Adaptation::leave(Slot& slot) {
  slot.left = true;
  if (slot.state) slot.state->left = true;
}

void Adaptation::drop(Slot& slot) {
  leave(slot);
  if (slot.state) slot.state->dropped = true;
}

void Adaptation::leave(const FilterState& state) {
  if (Slot* const slot = slot_of(state)) leave(*slot);
}

void Adaptation::drop(const FilterState& state) {
  if (Slot* const slot = slot_of(state)) drop(*slot);
}

Duration Adaptation::time_limit(const FilterState& state) const {
  const Slot* const slot = slot_of(state);
  PENSTOCK_CHECK(slot != nullptr);
  return slot->place->settings->timeout;
}

void Adaptation::start_work(Executor& executor, Task<void> task) {
  Extra& more = extra();
  if (!more.work) more.work.emplace(executor);
  more.work->spawn(std::move(task));
}

Task<void> Adaptation::end_work() {
  extra_->work->cancel();
  co_await extra_->work->join();
  extra_->work.reset();
}

bool Adaptation::add_record_field(std::string_view name, std::string_view value) {
  if (!is_record_name(name) || record_fields().size() >= kMostRecordFields) return false;
  Extra& more = extra();
  if (more.record_bytes + name.size() + value.size() > kLongestRecordFields) return false;
  more.record_bytes += name.size() + value.size();
  more.record_fields.emplace_back(name, value);
  return true;
}

bool Adaptation::add_record_item(std::string_view name, std::string_view json) {
  if (!is_record_name(name)) return false;
  Extra& more = extra();
  if (more.record_bytes + json.size() > kLongestRecordFields) return false;
  more.record_bytes += json.size();
  auto& lists = more.record_lists;
  auto list = std::ranges::find(lists, name, &std::pair<std::string, std::string>::first);
  if (list == lists.end()) list = lists.insert(list, {std::string(name), std::string()});
  if (!list->second.empty()) list->second += ',';
  list->second += json;
  return true;
}

void Adaptation::leave_note(Note note) {
  if (note.text.size() > kLongestNote) note.text.resize(kLongestNote);
  std::vector<Note>& all = extra().notes;
  const auto known = std::ranges::find_if(
      all, [&note](const Note& one) { return equals_ignoring_case(one.name, note.name); });
  if (known != all.end()) {
    *known = std::move(note);
  } else if (all.size() < kMostNotes) {
    all.push_back(std::move(note));
  }
}

}  // namespace penstock
