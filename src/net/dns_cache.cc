#include "net/dns_cache.h"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <utility>

#include "net/address_order.h"

namespace penstock {
namespace {

constexpr Duration kResolutionDelay = std::chrono::milliseconds(50);
constexpr Duration kStalePatience = std::chrono::milliseconds(1800);
// An answer that may be had better in a moment: a question is under way, or may be asked again.
constexpr Duration kSoon = std::chrono::seconds(1);
// An answer in use is asked for anew in this last part of its time.
constexpr int kRenewPart = 10;

bool is_failure(DnsOutcome outcome) {
  return outcome == DnsOutcome::timed_out || outcome == DnsOutcome::failed;
}

bool is_pending(const DnsRecord& record, TimePoint since) {
  return record.asking && !record.fresh(since);
}

// Until when an old answer is held back for the question under way. Not where the one before it
// failed: servers that are down delay a name once, not with each new question.
TimePoint stale_wait_end(const DnsRecord& record) {
  const bool failed_before = is_failure(record.failure);
  return record.asked_at + (failed_before ? Duration{} : kStalePatience);
}

// When asking again may give something new.
TimePoint next_look(const DnsRecord& record, TimePoint since, TimePoint now) {
  if (record.fresh(since)) return record.expires;
  return !record.asking && record.not_before > now ? record.not_before : now + kSoon;
}

// Why there is nothing, when these are all that were asked for.
Error why_nothing(std::initializer_list<const DnsRecord*> records, TimePoint since) {
  bool timed_out = false;
  bool failed = false;
  bool unasked = false;
  for (const DnsRecord* record : records) {
    if (record->fresh(since)) continue;
    if (record->asking || record->failure == DnsOutcome::timed_out) {
      timed_out = true;
    } else if (record->failure == DnsOutcome::failed) {
      failed = true;
    } else {
      unasked = true;
    }
  }
  if (timed_out) return {.kind = ErrorKind::timed_out};
  if (failed) {
    return {.kind = ErrorKind::resolve_failed,
            .cause = static_cast<int>(ResolveCause::servers_failed)};
  }
  return {.kind = unasked ? ErrorKind::overloaded : ErrorKind::resolve_failed};
}

}  // namespace

bool DnsName::asking() const { return std::ranges::any_of(records, &DnsRecord::asking); }

std::shared_ptr<DnsName> DnsCache::use(std::string_view name) {
  if (const auto found = names_.find(name); found != names_.end()) {
    found->second->unlink();
    by_use_.push_back(*found->second);
    return found->second;
  }
  if (names_.size() >= settings_.max_names) make_room();
  if (names_.size() >= settings_.max_names) return nullptr;
  auto made = std::make_shared<DnsName>(name);
  names_.emplace(made->name, made);
  by_use_.push_back(*made);
  return made;
}

void DnsCache::make_room() {
  for (std::size_t looked_at = 0; looked_at < names_.size(); ++looked_at) {
    DnsName& oldest = by_use_.front();
    if (!oldest.asking()) {
      oldest.unlink();
      names_.erase(oldest.name);
      return;
    }
    oldest.unlink();
    by_use_.push_back(oldest);
  }
}

bool DnsCache::is_due(const DnsRecord& record, TimePoint now) const {
  if (record.asking || now < record.not_before) return false;
  const Duration life = record.expires - record.answered_at;
  return !record.answered || now >= record.expires - life / kRenewPart;
}

void DnsCache::begin(DnsName& name, DnsType type, TimePoint now) {
  DnsRecord& record = name.record(type);
  record.asking = true;
  record.asked_at = now;
}

void DnsCache::finish(DnsName& name, DnsType type, DnsAnswer answer, TimePoint now) {
  DnsRecord& record = name.record(type);
  record.asking = false;
  record.failure = is_failure(answer.outcome) ? answer.outcome : DnsOutcome::found;
  if (is_failure(answer.outcome)) {
    record.not_before = now + settings_.negative_ttl;
  } else {
    record.answered = true;
    record.answered_at = now;
    record.expires = now + life_of(answer);
    record.answer = std::move(answer);
  }
  name.changed.set();
  name.changed.reset();
}

Duration DnsCache::life_of(const DnsAnswer& answer) const {
  const Duration life =
      answer.ttl.value_or(answer.outcome == DnsOutcome::none ? settings_.negative_ttl : Duration{});
  return std::max(std::min(life, settings_.max_ttl), settings_.min_ttl);
}

bool DnsCache::is_stale(const DnsRecord& record, TimePoint now) const {
  return record.answered && record.answer.outcome == DnsOutcome::found &&
         now < record.expires + settings_.stale;
}

std::optional<TimePoint> DnsCache::wait_for_addresses(const DnsName& name, TimePoint since,
                                                      TimePoint now) const {
  const DnsRecord& v6 = name.record(DnsType::aaaa);
  const DnsRecord& v4 = name.record(DnsType::a);
  const bool v6_pending = is_pending(v6, since);
  const bool v4_pending = is_pending(v4, since);
  TimePoint until = kNever;
  if (!v6_pending && !v4_pending) return std::nullopt;
  const DnsRecord& here = v6_pending ? v4 : v6;
  const DnsRecord& late = v6_pending ? v6 : v4;
  if (here.fresh_found(since)) {
    until = std::max(here.answered_at, late.asked_at) + kResolutionDelay;
  } else if (is_stale(v6, now) || is_stale(v4, now)) {
    until = stale_wait_end(late);
    if (v6_pending && v4_pending) until = std::max(stale_wait_end(v6), stale_wait_end(v4));
  }
  return until > now ? std::optional(until) : std::nullopt;
}

std::optional<TimePoint> DnsCache::wait_for_service(const DnsName& name, TimePoint since,
                                                    TimePoint now) const {
  const DnsRecord& record = name.record(DnsType::srv);
  if (!is_pending(record, since)) return std::nullopt;
  const TimePoint until = is_stale(record, now) ? stale_wait_end(record) : kNever;
  return until > now ? std::optional(until) : std::nullopt;
}

Result<Resolution> DnsCache::addresses(const DnsName& name, std::uint16_t port, TimePoint since,
                                       TimePoint now) const {
  const DnsRecord& v6 = name.record(DnsType::aaaa);
  const DnsRecord& v4 = name.record(DnsType::a);
  const bool any_fresh = v6.fresh_found(since) || v4.fresh_found(since);
  const auto family = [&](const DnsRecord& record) -> FamilyAddresses {
    // Old addresses beside new ones only where the name servers failed to confirm them.
    const bool usable = record.fresh(since)
                            ? record.fresh_found(since)
                            : is_stale(record, now) && !(record.asking && any_fresh);
    if (!usable) return {};
    return {record.answer.addresses, record.answer.reachable};
  };
  Resolution resolution{.addresses = interleave(family(v6), family(v4)), .expires = kNever};
  if (resolution.addresses.empty()) return fail(why_nothing({&v6, &v4}, since));
  for (Address& address : resolution.addresses) address.set_port(port);
  resolution.expires = std::min(next_look(v6, since, now), next_look(v4, since, now));
  return resolution;
}

Result<ServiceResolution> DnsCache::service(const DnsName& name, TimePoint since,
                                            TimePoint now) const {
  const DnsRecord& record = name.record(DnsType::srv);
  const bool usable = record.fresh(since) ? record.fresh_found(since) : is_stale(record, now);
  if (!usable) return fail(why_nothing({&record}, since));
  return ServiceResolution{.targets = record.answer.targets,
                           .expires = next_look(record, since, now)};
}

}  // namespace penstock
