#include "cache/cache.h"

#include <utility>

namespace penstock {

Cache::Cache(CacheSettings settings, const HashKey& secret)
    : settings_(std::move(settings)),
      secret_(secret),
      account_(std::make_shared<MemoryAccount>(settings_.memory)),
      memory_(settings_, account_, invalidations_) {}

void Cache::sweep(std::chrono::sys_seconds now) {
  const auto all_seen = memory_.sweep(now.time_since_epoch().count());
  if (all_seen) invalidations_.forget(*all_seen);
}

CacheCounters& Cache::add_counters() {
  const std::lock_guard lock(mutex_);
  return counters_.emplace_back();
}

std::uint64_t Cache::counted(CacheEvent event) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const CacheCounters& counters : counters_) sum += counters.counted(event);
  return sum;
}

}  // namespace penstock
