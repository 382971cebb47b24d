// The cache that all workers share, and a worker's part in it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "async/executor.h"
#include "async/worker_gate.h"
#include "base/hash.h"
#include "cache/fill.h"
#include "cache/invalidations.h"
#include "cache/memory_account.h"
#include "cache/memory_store.h"
#include "cache/settings.h"

namespace penstock {

// What became of requests, for statistics.
enum class CacheEvent : std::uint8_t {
  hit,
  stale_hit,     // served though stale
  not_modified,  // of the hits, those answered with 304
  miss,
  validated,  // the origin said that what is stored is still valid
  bypass,
  collapsed,  // waited for another's response
  stored,
  refused,  // a response that was not to be stored
  invalidated,
  count_
};

// One thread counts, any may read.
class alignas(64) CacheCounters {
 public:
  void count(CacheEvent event) {
    auto& counter = counters_[static_cast<std::size_t>(event)];
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t counted(CacheEvent event) const {
    return counters_[static_cast<std::size_t>(event)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(CacheEvent::count_)> counters_{};
};

// Safe to use from all threads.
class Cache {
 public:
  // `secret`: of the hashes of keys, so that nobody can choose keys that meet.
  Cache(CacheSettings settings, const HashKey& secret);

  [[nodiscard]] const CacheSettings& settings() const { return settings_; }
  [[nodiscard]] const HashKey& secret() const { return secret_; }
  [[nodiscard]] const std::shared_ptr<MemoryAccount>& account() const { return account_; }
  [[nodiscard]] Invalidations& invalidations() { return invalidations_; }
  [[nodiscard]] MemoryStore& memory() { return memory_; }
  [[nodiscard]] FillTable& fills() { return fills_; }

  // Takes out what is of no use any more, some at a time; to be called about once a second by one
  // thread.
  void sweep(std::chrono::sys_seconds now);
  // A set of counters for one thread, which stays as long as this.
  [[nodiscard]] CacheCounters& add_counters();
  // The sum over all threads.
  [[nodiscard]] std::uint64_t counted(CacheEvent event) const;

 private:
  const CacheSettings settings_;
  const HashKey secret_;
  std::shared_ptr<MemoryAccount> account_;
  Invalidations invalidations_;
  MemoryStore memory_;
  FillTable fills_;
  mutable std::mutex mutex_;
  std::list<CacheCounters> counters_;
};

// What the transactions of one worker need of the cache. Belongs to its thread.
struct CacheWorker {
  Cache* cache;
  Executor* executor;
  std::shared_ptr<WorkerGate> gate;  // to this thread
  std::string name;                  // of this proxy, in Cache-Status
  CacheCounters* counters;

  [[nodiscard]] std::chrono::sys_seconds now() const {
    return std::chrono::floor<std::chrono::seconds>(executor->wall_now());
  }
};

}  // namespace penstock
