// Stored responses in memory.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/host_ledger.h"
#include "cache/invalidations.h"
#include "cache/key.h"
#include "cache/memory_account.h"
#include "cache/s3_fifo.h"
#include "cache/settings.h"
#include "cache/stored_response.h"

namespace penstock {

// Shards, each with a lock of its own that is held for a look-up or a change only, never while
// content is read. Which objects go when room is needed is up to S3Fifo, shard by shard. Safe to
// use from all threads.
class MemoryStore {
 public:
  // Told of what goes because room was needed, on the thread that needed it, without any lock held.
  using Evicted = std::function<void(std::shared_ptr<StoredResponse>)>;

  MemoryStore(const CacheSettings& settings, std::shared_ptr<MemoryAccount> account,
              const Invalidations& invalidations);
  ~MemoryStore();
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  void set_evicted(Evicted evicted) { evicted_ = std::move(evicted); }

  // What is there under a key for a request: of the variants that it selects the one that was
  // received last (RFC 9111 section 4.1).
  struct Found {
    std::shared_ptr<StoredResponse> response;  // null: there is none
    bool other_variants = false;               // there are some that the request does not select
  };
  [[nodiscard]] Found find(const CacheKey& key, const FieldSection& request);
  // All variants under a key.
  [[nodiscard]] std::vector<std::shared_ptr<StoredResponse>> variants(const CacheKey& key);

  // Takes it in, in place of the variant with the same selecting fields, and makes room. False: the
  // bounds of its host leave no room for it.
  bool put(std::shared_ptr<StoredResponse> response);
  // The same, if `expected` is still there: what was made of one must not bring back another that
  // has gone meanwhile. False: it is not.
  bool replace(const StoredResponse& expected, std::shared_ptr<StoredResponse> response);
  // Takes that one out, if it is still there.
  void remove(const StoredResponse& response);
  void pin(const CacheKey& key, bool pinned);

  // Calls f for each, shard by shard, without a lock held: what comes and goes meanwhile may be
  // missed. f returns false to end it.
  void for_each(const std::function<bool(const std::shared_ptr<StoredResponse>&)>& f);
  // Takes out what is invalid, or of no use any more; some shards at a time, to be called about
  // once a second by one thread. At the end of a round: the number of the last invalidation before
  // it. All that is stored has been looked at since, so Invalidations may forget up to that one.
  std::optional<std::uint64_t> sweep(std::int64_t now_s);

  struct Numbers {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t evictions = 0;
  };
  [[nodiscard]] Numbers numbers() const;

 private:
  struct Entry;
  struct Item final : EvictionNode {
    std::shared_ptr<StoredResponse> response;
    Entry* entry = nullptr;
    std::uint64_t counted = 0;  // of its bytes among its host's, 0: it is not among them
  };
  struct Entry {
    std::string key;
    std::vector<std::unique_ptr<Item>> variants;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_multimap<std::uint64_t, Entry> entries;
    S3Fifo queue;
  };
  using Gone = std::vector<std::shared_ptr<StoredResponse>>;
  static constexpr std::size_t kShards = 64;

  [[nodiscard]] Shard& shard_of(std::uint64_t hash) { return shards_[hash % kShards]; }
  static Entry* find_entry(Shard& shard, std::uint64_t hash, std::string_view key);
  [[nodiscard]] bool insert(Shard& shard, std::uint64_t hash,
                            std::shared_ptr<StoredResponse> response, Gone& gone);
  [[nodiscard]] bool exchange(Shard& shard, Item& item, std::shared_ptr<StoredResponse> response,
                              Gone& gone);
  static Entry& entry_for(Shard& shard, std::uint64_t hash, std::string_view key);
  void drop(Shard& shard, Item& item, Gone& gone);
  void make_room(std::size_t first_shard);
  bool evict_one(Shard& shard, Gone& gone);

  const CacheSettings& settings_;
  std::shared_ptr<MemoryAccount> account_;
  const Invalidations& invalidations_;
  Evicted evicted_;
  HostLedger hosts_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> stored_ = 0;  // bytes charged to what is in the queues
  std::atomic<std::uint64_t> objects_ = 0;
  std::atomic<std::uint64_t> evictions_ = 0;
  // Of sweep().
  std::size_t next_swept_ = 0;
  std::uint64_t round_began_ = 0;
};

}  // namespace penstock
