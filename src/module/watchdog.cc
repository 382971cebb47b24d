#include "module/watchdog.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/clock.h"

namespace penstock {
namespace {

constexpr std::uint32_t kCallsDescribed = 10;
constexpr Duration kBudgetPeriod = std::chrono::seconds(10);
constexpr Duration kShortestInterval = std::chrono::milliseconds(1);

std::int64_t in_ms(Duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

WatchedInstance::WatchedInstance(WatchedInstance&& other) noexcept
    : watchdog_(std::exchange(other.watchdog_, nullptr)), id_(std::exchange(other.id_, 0)) {}

WatchedInstance& WatchedInstance::operator=(WatchedInstance&& other) noexcept {
  std::swap(watchdog_, other.watchdog_);
  std::swap(id_, other.id_);
  return *this;
}

WatchedInstance::~WatchedInstance() {
  if (watchdog_ != nullptr) watchdog_->remove(id_);
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    PENSTOCK_CHECK(instances_.empty());
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::start() {
  thread_ = std::thread([this] { run(); });
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Duration wait = interval_locked();
    if (wait <= Duration::zero()) {
      changed_.wait(lock);
      continue;
    }
    // Woken early, when an instance comes with what may be a shorter limit, it looks once more.
    changed_.wait_for(lock, wait);
    look_locked(monotonic_now());
  }
}

WatchdogSlot& Watchdog::add_slot() {
  const std::lock_guard lock(mutex_);
  return seen_.emplace_back(std::make_unique<Seen>())->slot;
}

WatchedInstance Watchdog::add_instance(std::string name, Duration limit) {
  if (limit <= Duration::zero()) return {};
  const std::lock_guard lock(mutex_);
  PENSTOCK_CHECK(instances_.size() < 0xFFFF);
  // Not one that was used a moment ago, and never 0.
  do ++last_id_;
  while (last_id_ == 0 || instances_.contains(last_id_));
  instances_.emplace(last_id_,
                     Instance{std::move(name), limit, LineBudget(kCallsDescribed, kBudgetPeriod)});
  changed_.notify_all();
  return {*this, last_id_};
}

void Watchdog::remove(std::uint16_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = instances_.find(id);
  PENSTOCK_CHECK(at != instances_.end());
  for (const auto& seen : seen_) {
    // Its last call has ended since the last look.
    if (instance_of(seen->word) != &at->second) continue;
    say_ended(*seen);
    seen->word = 0;
    seen->reported = false;
  }
  say_left_out(at->second, at->second.budget.take_left_out());
  instances_.erase(at);
}

Duration Watchdog::interval() {
  const std::lock_guard lock(mutex_);
  return interval_locked();
}

Duration Watchdog::interval_locked() const {
  if (instances_.empty()) return Duration::zero();
  Duration shortest = Duration::max();
  for (const auto& [id, instance] : instances_) shortest = std::min(shortest, instance.limit);
  return std::max(shortest / 4, kShortestInterval);
}

void Watchdog::look(TimePoint now) {
  const std::lock_guard lock(mutex_);
  look_locked(now);
}

void Watchdog::look_locked(TimePoint now) {
  for (const auto& seen : seen_) look_at(*seen, now);
  for (auto& [id, instance] : instances_) {
    say_left_out(instance, instance.budget.take_left_out(now));
  }
}

void Watchdog::look_at(Seen& seen, TimePoint now) {
  const std::uint64_t word = seen.slot.word_.load(std::memory_order_relaxed);
  if (word != seen.word) {
    say_ended(seen);
    seen.word = word;
    seen.since = now;
    seen.reported = false;
  }
  seen.last = now;
  if (word == 0 || seen.reported) return;
  Instance* const instance = instance_of(word);
  if (instance != nullptr && now - seen.since >= instance->limit) say_slow(seen, *instance, now);
}

void Watchdog::say_slow(Seen& seen, Instance& instance, TimePoint now) {
  seen.reported = true;
  if (count_) count_(instance.name);
  say_left_out(instance, instance.budget.take_left_out(now));
  seen.described = instance.budget.allows(now);
  if (!seen.described) return;
  warn_(fmt::format("module.{}: {} has held a worker for {} ms and goes on", instance.name,
                    to_string(event_of(seen.word)), in_ms(now - seen.since)));
}

void Watchdog::say_ended(const Seen& seen) {
  if (!seen.reported || !seen.described) return;
  const Instance* const instance = instance_of(seen.word);
  if (instance == nullptr) return;
  warn_(fmt::format("module.{}: {} held a worker for at least {} ms", instance->name,
                    to_string(event_of(seen.word)), in_ms(seen.last - seen.since)));
}

ModuleEvent Watchdog::event_of(std::uint64_t word) {
  return static_cast<ModuleEvent>(word & ((1U << WatchdogSlot::kEventBits) - 1));
}

Watchdog::Instance* Watchdog::instance_of(std::uint64_t word) {
  const auto id = static_cast<std::uint16_t>(word >> WatchdogSlot::kEventBits);
  const auto at = instances_.find(id);
  return at == instances_.end() ? nullptr : &at->second;
}

void Watchdog::say_left_out(const Instance& instance, std::uint64_t left_out) const {
  if (left_out == 0) return;
  warn_(fmt::format("module.{}: {} more callbacks held a worker for longer than {} ms",
                    instance.name, left_out, in_ms(instance.limit)));
}

}  // namespace penstock
