#include "icap/service_share.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace penstock::icap {
namespace {

ServiceUri checked_uri(const ServiceSettings& settings) {
  auto uri = parse_service_uri(settings.url);
  PENSTOCK_CHECK(uri.has_value());
  return std::move(*uri);
}

}  // namespace

Options tolerated_options() {
  Options options;
  options.reqmod = true;
  options.respmod = true;
  return options;
}

ServiceShare::ServiceShare(const ServiceSettings& settings, std::uint64_t seed)
    : settings_(&settings), uri_(checked_uri(settings)), random_(seed) {}

std::shared_ptr<const Options> ServiceShare::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

std::string ServiceShare::istag() const {
  const std::lock_guard lock(mutex_);
  return istag_;
}

// A hash is enough to see that nothing has changed.
void ServiceShare::note_istag(std::string_view istag) {
  if (istag.empty() || hash_key(istag) == istag_hash_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  const bool first = istag_version_.load(std::memory_order_relaxed) == 0;
  if (!change_istag(istag) || first || wanted_) return;
  wanted_ = true;
  tell();
}

bool ServiceShare::change_istag(std::string_view istag) {
  if (istag.empty() || istag == istag_) return false;
  istag_ = istag;
  istag_hash_.store(hash_key(istag), std::memory_order_relaxed);
  istag_version_.fetch_add(1, std::memory_order_release);
  return true;
}

Quirks ServiceShare::untold(Quirks quirks, TimePoint now) {
  if (quirks.empty()) return {};
  const std::int64_t time = now.time_since_epoch().count();
  const bool holds = time < told_until_.load(std::memory_order_relaxed);
  if (holds && quirks.without(told_.load(std::memory_order_relaxed)).empty()) return {};
  const std::lock_guard lock(mutex_);
  if (time >= told_until_.load(std::memory_order_relaxed)) {
    told_.store(Quirks(), std::memory_order_relaxed);
    told_until_.store(time + kQuirkTold.count(), std::memory_order_relaxed);
  }
  Quirks told = told_.load(std::memory_order_relaxed);
  const Quirks fresh = quirks.without(told);
  told.add(quirks);
  told_.store(told, std::memory_order_relaxed);
  return fresh;
}

// ---- Lookups.

TimePoint ServiceShare::due() const {
  if (looking_) return kNever;
  // What pauses there are while it is down is not for others to say.
  const bool soon = wanted_ && !down_.load(std::memory_order_relaxed);
  const TimePoint least = last_begun_ ? *last_begun_ + kLookupGap : TimePoint{};
  return soon ? least : std::max(due_, least);
}

void ServiceShare::set_servers(std::vector<std::shared_ptr<const HopShare>> servers) {
  const std::lock_guard lock(mutex_);
  if (servers_.empty()) servers_ = std::move(servers);
}

std::uint32_t ServiceShare::connections() const {
  const std::lock_guard lock(mutex_);
  std::uint32_t connections = 0;
  for (const auto& server : servers_) connections += server->connections();
  return connections;
}

std::optional<TimePoint> ServiceShare::options_since() const {
  const std::lock_guard lock(mutex_);
  return options_ != nullptr ? std::optional(since_) : std::nullopt;
}

TimePoint ServiceShare::next_lookup() const {
  const std::lock_guard lock(mutex_);
  return due();
}

bool ServiceShare::begin_lookup(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (now < due()) return false;
  looking_ = true;
  wanted_ = false;
  last_begun_ = now;
  return true;
}

void ServiceShare::set_options(Options options, TimePoint now) {
  const Duration said = options.ttl.value_or(settings_->options_ttl);
  const Duration ttl = std::clamp<Duration>(said, kLookupGap, kMaxOptionsTtl);
  since_ = now;
  expires_ = now + ttl;
  due_ = now + random_.between(ttl / 10 * 8, ttl / 10 * 9);
  options_ = std::make_shared<const Options>(std::move(options));
  generation_.fetch_add(1, std::memory_order_release);
}

ServiceEvent ServiceShare::come_up(TimePoint now, ServiceEvent otherwise) {
  const bool failed_before = std::exchange(lookup_failures_, 0) > 0;
  const bool was_down = down_.load(std::memory_order_relaxed);
  if (was_down) {
    up_since_ = now;
    down_.store(false, std::memory_order_release);
  }
  return was_down || failed_before ? ServiceEvent::came_up : otherwise;
}

ServiceEvent ServiceShare::end_lookup(Options options, TimePoint now) {
  const std::lock_guard lock(mutex_);
  looking_ = false;
  has_sense_ = true;
  // Who saw the same ISTag meanwhile wanted nothing else than this answer.
  if (!options.istag.empty() && options.istag == istag_) wanted_ = false;
  change_istag(options.istag);
  set_options(std::move(options), now);
  const ServiceEvent event = come_up(now, ServiceEvent::nothing);
  tell();
  return event;
}

ServiceEvent ServiceShare::end_lookup_without_sense(TimePoint now) {
  const std::lock_guard lock(mutex_);
  looking_ = false;
  ServiceEvent event = ServiceEvent::nothing;
  if (has_sense_) {
    event = fail_lookup(now);
  } else {
    const bool first = options_ == nullptr;
    set_options(tolerated_options(), now);
    event = come_up(now, ServiceEvent::nothing);
    if (first) event = ServiceEvent::tolerated;
  }
  tell();
  return event;
}

ServiceEvent ServiceShare::end_lookup_failed(TimePoint now) {
  const std::lock_guard lock(mutex_);
  looking_ = false;
  const ServiceEvent event = fail_lookup(now);
  tell();
  return event;
}

ServiceEvent ServiceShare::fail_lookup(TimePoint now) {
  if (down_.load(std::memory_order_relaxed)) {
    due_ = now + pause(probes_++);
    return ServiceEvent::nothing;
  }
  ++lookup_failures_;
  const TimePoint last = expires_ + kOptionsGrace;
  if (!options_ || now >= last || count_failure(now)) return go_down(now);
  due_ = std::min(now + pause(lookup_failures_ - 1), last);
  return lookup_failures_ == 1 ? ServiceEvent::kept : ServiceEvent::nothing;
}

void ServiceShare::end_lookup_undecided(TimePoint now) {
  const std::lock_guard lock(mutex_);
  looking_ = false;
  due_ = now + kLookupGap;
  tell();
}

void ServiceShare::want_lookup() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(wanted_, true)) return;
  tell();
}

// ---- The breaker.

// Doubled each time, and a little shorter by chance: several proxies do not come back together.
Duration ServiceShare::pause(std::uint32_t attempt) {
  const IcapBreakerSettings& settings = settings_->breaker;
  const Duration most = std::max(settings.max_retry_after, Duration::zero());
  Duration bound = std::min(std::max(settings.retry_after, Duration::zero()), most);
  for (; attempt > 0 && bound < most && bound > Duration::zero(); --attempt) {
    bound = bound > most / 2 ? most : 2 * bound;
  }
  last_pause_ = random_.between(bound / 4 * 3, bound);
  return last_pause_;
}

// One that did well for long begins anew.
ServiceEvent ServiceShare::go_down(TimePoint now) {
  const Duration long_time = 2 * std::max(settings_->breaker.window, last_pause_);
  if (!up_since_ || now - *up_since_ > long_time) probes_ = 0;
  failures_.clear();
  due_ = now + pause(probes_++);
  down_.store(true, std::memory_order_release);
  return ServiceEvent::went_down;
}

bool ServiceShare::count_failure(TimePoint now) {
  const IcapBreakerSettings& settings = settings_->breaker;
  if (settings.failures == 0) return false;
  failures_.push_back(now);
  while (failures_.front() < now - settings.window) failures_.pop_front();
  return failures_.size() >= settings.failures;
}

ServiceEvent ServiceShare::note_failure(TimePoint now) {
  // Those that were under way when it went down.
  if (down()) return ServiceEvent::nothing;
  const std::lock_guard lock(mutex_);
  if (down_.load(std::memory_order_relaxed) || !count_failure(now)) return ServiceEvent::nothing;
  const ServiceEvent event = go_down(now);
  tell();
  return event;
}

// ---- Telling.

void ServiceShare::join(Network& network, const std::shared_ptr<ServiceListener>& listener) {
  const std::lock_guard lock(mutex_);
  threads_.push_back({.network = &network, .listener = listener});
}

void ServiceShare::leave(const Network& network) {
  const std::lock_guard lock(mutex_);
  std::erase_if(threads_, [&](const Thread& thread) { return thread.network == &network; });
}

// As GroupShare does: a listener is looked up on its own thread, which alone lets go of it.
void ServiceShare::tell() {
  for (const Thread& thread : threads_) {
    thread.network->call([weak = thread.listener] {
      if (const auto listener = weak.lock()) listener->on_change();
    });
  }
}

}  // namespace penstock::icap
