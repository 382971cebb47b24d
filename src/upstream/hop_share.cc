#include "upstream/hop_share.h"

#include <algorithm>

namespace penstock {
namespace {

// Servers that SRV records no longer name are forgotten beyond so many.
constexpr std::size_t kMaxForgotten = 1024;

std::int64_t count(TimePoint t) { return t.time_since_epoch().count(); }

// One more, unless that would be more than `most` (0: no bound). Sequentially consistent, as are
// the counters of waiters: either who waits sees the place, or who gives it back sees who waits.
// Never counts what it does not get: others would take the last free place for taken, and nobody
// would tell them.
bool take_place(std::atomic<std::uint32_t>& taken, std::uint32_t most) {
  std::uint32_t seen = taken.load();
  while (most == 0 || seen < most) {
    if (taken.compare_exchange_weak(seen, seen + 1)) return true;
  }
  return false;
}

}  // namespace

bool HopShare::open_connection() {
  const std::uint32_t most_of_group = group_->settings().breaker.connections;
  const std::uint32_t most = max_connections_.load();
  // For the same reason: nobody looks between the two steps.
  std::unique_lock lock(group_->mutex_, std::defer_lock);
  if (most != 0 && most_of_group != 0) lock.lock();
  if (!take_place(connections_, most)) return false;
  if (take_place(group_->connections_, most_of_group)) return true;
  connections_.fetch_sub(1);
  return false;
}

void HopShare::open_beyond_bound() {
  connections_.fetch_add(1);
  group_->connections_.fetch_add(1);
}

// Sequentially consistent, for the same reason as in take_place().
void HopShare::set_max_connections(std::uint32_t most) {
  const std::uint32_t before = max_connections_.exchange(most);
  const bool larger = before != 0 && (most == 0 || most > before);
  if (larger) group_->tell_room(this);
}

void HopShare::connection_closed() {
  connections_.fetch_sub(1);
  group_->connections_.fetch_sub(1);
  // A place of the group's is for a connection to any of its servers.
  const bool any = group_->settings().breaker.connections != 0;
  group_->tell_room(any ? nullptr : this);
}

TimePoint HopShare::available_since() const {
  return std::max(TimePoint(Duration(up_since_.load(std::memory_order_relaxed))), ejected_until());
}

bool HopShare::checked(bool good, const CheckSettings& settings, TimePoint now) {
  if (good == checked_up()) {
    checks_in_a_row_ = 0;
    return false;
  }
  if (++checks_in_a_row_ < (good ? settings.rise : settings.fall)) return false;
  checks_in_a_row_ = 0;
  if (good) up_since_.store(count(now), std::memory_order_relaxed);
  checked_up_.store(good, std::memory_order_relaxed);
  if (good) group_->tell_room(this);
  return true;
}

bool HopShare::noted(bool failed, bool bad_response, TimePoint now) {
  // Nearly always there is nothing to write: the line of memory stays shared between cores.
  const auto counted = [](std::atomic<std::uint32_t>& in_a_row, bool bad, std::uint32_t most) {
    if (bad) return in_a_row.fetch_add(1, std::memory_order_relaxed) + 1 >= most && most != 0;
    if (in_a_row.load(std::memory_order_relaxed) != 0) in_a_row.store(0, std::memory_order_relaxed);
    return false;
  };
  const EjectionSettings& settings = group_->settings().ejection;
  const bool too_many_failures = counted(failures_, failed, settings.failures);
  // A connection that failed says nothing about the responses.
  const bool too_many_bad = !failed && counted(bad_responses_, bad_response, settings.responses);
  return (too_many_failures || too_many_bad) && eject(now);
}

bool HopShare::eject(TimePoint now) {
  const std::lock_guard lock(group_->mutex_);
  if (now < ejected_until()) return false;
  const EjectionSettings& settings = group_->settings().ejection;
  std::size_t servers = 0;
  std::size_t out = 0;
  for (const auto& [identity, server] : group_->servers_) {
    // Those that only this table knows are servers no more.
    if (server.use_count() == 1) continue;
    ++servers;
    out += server->available(now) ? 0 : 1;
  }
  if ((out + 1) * 100 > servers * settings.max_share) return false;
  failures_.store(0, std::memory_order_relaxed);
  bad_responses_.store(0, std::memory_order_relaxed);
  // Each time longer; one that did well for twice as long begins anew.
  const Duration last =
      std::min(settings.time * (1U << std::min(ejections_, 16U)) / 2, settings.max_time);
  if (ejections_ > 0 && now - ejected_until() > 2 * last) ejections_ = 0;
  const Duration time =
      std::min<Duration>(settings.time * (1U << std::min(ejections_, 16U)), settings.max_time);
  ++ejections_;
  ejected_until_.store(count(now + time), std::memory_order_relaxed);
  return true;
}

std::shared_ptr<HopShare> GroupShare::server(const std::string& identity,
                                             std::uint32_t max_connections) {
  const std::lock_guard lock(mutex_);
  if (servers_.size() >= kMaxForgotten) {
    std::erase_if(servers_, [](const auto& entry) { return entry.second.use_count() == 1; });
  }
  std::shared_ptr<HopShare>& server = servers_[identity];
  if (!server) server = std::make_shared<HopShare>(*this, identity, max_connections);
  return server;
}

bool GroupShare::begin_waiting() {
  if (waiting_.fetch_add(1) < settings_->queue.length) return true;
  waiting_.fetch_sub(1);
  return false;
}

bool GroupShare::begin_retry() { return take_place(retries_, settings_->breaker.retries); }

bool GroupShare::full() const {
  const std::uint32_t most = settings_->breaker.connections;
  return most != 0 && connections() >= most;
}

void GroupShare::join(Network& network, const std::shared_ptr<RoomListener>& listener) {
  const std::lock_guard lock(mutex_);
  threads_.push_back({.network = &network, .listener = listener});
}

void GroupShare::leave(const Network& network) {
  const std::lock_guard lock(mutex_);
  std::erase_if(threads_, [&](const Thread& thread) { return thread.network == &network; });
}

// A listener that is gone meanwhile is not told: it is looked up on its own thread, which is the
// only one that lets go of it.
template <class F>
void GroupShare::tell(F f) {
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  for (const Thread& thread : threads_) {
    thread.network->call([weak = thread.listener, f] {
      if (const auto listener = weak.lock()) f(*listener);
    });
  }
}

void GroupShare::tell_room(const HopShare* server) {
  tell([server](RoomListener& listener) { listener.on_room(server); });
}

void GroupShare::tell_room_wanted() {
  tell([](RoomListener& listener) { listener.on_room_wanted(); });
}

}  // namespace penstock
