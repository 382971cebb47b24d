#include "sim/world.h"

#include <algorithm>
#include <utility>

#include "sim/connection.h"
#include "sim/network.h"

namespace penstock {
namespace {

// Not zero, so that times before the start can be reckoned with.
constexpr TimePoint kStart{std::chrono::hours(1)};
// 2024-02-29 12:00:00 UTC.
constexpr std::chrono::system_clock::time_point kWallStart{std::chrono::seconds(1'709'208'000)};
// As the event loop: rounds of ready tasks before deliveries are looked at again.
constexpr int kRoundsATurn = 16;

}  // namespace

SimWorld::SimWorld(std::uint64_t seed, const Faults& faults)
    : seed_(seed), start_(kStart), executor_(kStart), random_(seed), faults_(faults) {
  set_time(kStart);
}

SimWorld::~SimWorld() {
  deliveries_.clear();
  PENSTOCK_CHECK(open_streams_ == 0 && listeners_.empty());
}

void SimWorld::set_time(TimePoint now) {
  using WallDuration = std::chrono::system_clock::duration;
  executor_.set_time(now, kWallStart + std::chrono::duration_cast<WallDuration>(now - start_));
}

bool SimWorld::later(const Delivery& a, const Delivery& b) {
  return a.when != b.when ? a.when > b.when : a.number > b.number;
}

void SimWorld::call_at(TimePoint when, std::function<void()> f) {
  if (when == kNever) return;
  deliveries_.push_back({std::max(when, now()), deliveries_made_++, std::move(f)});
  std::push_heap(deliveries_.begin(), deliveries_.end(), later);
}

std::uint64_t SimWorld::deliver_due() {
  std::uint64_t count = 0;
  while (!deliveries_.empty() && deliveries_.front().when <= now()) {
    std::pop_heap(deliveries_.begin(), deliveries_.end(), later);
    const std::function<void()> f = std::move(deliveries_.back().f);
    deliveries_.pop_back();
    f();
    ++count;
  }
  return count;
}

std::uint64_t SimWorld::run_turn() {
  std::uint64_t steps = deliver_due();
  executor_.timers().advance(now());
  for (int round = 0; round < kRoundsATurn && executor_.has_ready(); ++round) {
    steps += executor_.run_ready();
  }
  return steps;
}

TimePoint SimWorld::next_time() const {
  const TimePoint timer = const_cast<SimWorld*>(this)->executor_.timers().next();
  return deliveries_.empty() ? timer : std::min(timer, deliveries_.front().when);
}

SimOutcome SimWorld::run(TimePoint end, std::uint64_t steps) {
  std::uint64_t made = 0;
  while (true) {
    made += run_turn();
    if (made >= steps) return SimOutcome::step_limit;
    if (executor_.has_ready()) continue;
    const TimePoint next = next_time();
    if (next == kNever) return SimOutcome::idle;
    if (next > end) {
      set_time(end);
      return SimOutcome::time_limit;
    }
    set_time(std::max(next, now()));
  }
}

SimOutcome SimWorld::run_until_idle(const SimLimits& limits) {
  return run(deadline_after(now(), limits.time), limits.steps);
}

SimOutcome SimWorld::run_for(Duration time, std::uint64_t steps) {
  const TimePoint end = now() + time;
  const SimOutcome outcome = run(end, steps);
  if (outcome == SimOutcome::idle) set_time(end);
  return outcome;
}

void SimWorld::set_name(std::string_view host, SimName name) {
  names_.insert_or_assign(std::string(host), std::move(name));
}

void SimWorld::set_service(std::string_view name, SimService service) {
  services_.insert_or_assign(std::string(name), std::move(service));
}

std::size_t SimWorld::bytes_in_flight() const {
  std::size_t bytes = 0;
  const_cast<SimWorld*>(this)->connections_.for_each(
      [&bytes](const SimConnection& connection) { bytes += connection.bytes_held(); });
  return bytes;
}

void SimWorld::trace(std::string_view what, std::uint64_t connection, std::uint64_t number) {
  std::uint64_t hash = trace_hash_;
  for (const char c : what) hash = mix(hash ^ static_cast<std::uint64_t>(c));
  hash = mix(hash ^ connection);
  hash = mix(hash ^ number);
  trace_hash_ = mix(hash ^ static_cast<std::uint64_t>(now().time_since_epoch().count()));
  if (trace_file_ != nullptr) {
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now() - start_);
    std::fprintf(trace_file_, "%10.3f ms  #%llu %.*s %llu\n",
                 static_cast<double>(micros.count()) / 1000,
                 static_cast<unsigned long long>(connection), static_cast<int>(what.size()),
                 what.data(), static_cast<unsigned long long>(number));
  }
}

SimListener* SimWorld::find_listener(const Address& to) const {
  if (const auto exact = listeners_.find(to.to_string()); exact != listeners_.end()) {
    return exact->second;
  }
  if (to.is_unix()) return nullptr;
  for (const char* wildcard : {"[::]:", "0.0.0.0:"}) {
    const auto found = listeners_.find(wildcard + std::to_string(to.port()));
    if (found != listeners_.end()) return found->second;
  }
  return nullptr;
}

Fate SimWorld::next_fate(const Address& to, const Faults& faults) {
  const auto scripted = scripts_.find(to.to_string());
  if (scripted == scripts_.end() || scripted->second.empty()) return Fate::draw(faults, random_);
  const Fate fate = scripted->second.front();
  scripted->second.pop_front();
  return fate;
}

std::uint16_t SimWorld::next_port() {
  last_port_ =
      last_port_ == 65535 ? std::uint16_t{32768} : static_cast<std::uint16_t>(last_port_ + 1);
  return last_port_;
}

}  // namespace penstock
