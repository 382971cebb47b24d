#include "cache/memory_store.h"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

// What the index takes for each object, beside the object: nodes, places in tables.
constexpr std::uint64_t kIndexOverhead = 256;
// Shards looked through in one call of sweep().
constexpr std::size_t kSweptAtOnce = 4;  // a divisor of the number of shards

std::uint64_t index_memory(const StoredResponse& response) {
  return response.key().size() + kIndexOverhead;
}

std::uint64_t charge_of(const StoredResponse& response) {
  return response.memory() + index_memory(response);
}

}  // namespace

MemoryStore::MemoryStore(const CacheSettings& settings, std::shared_ptr<MemoryAccount> account,
                         const Invalidations& invalidations)
    : settings_(settings),
      account_(std::move(account)),
      invalidations_(invalidations),
      hosts_(settings.host_objects, settings.host_memory) {}

MemoryStore::~MemoryStore() {
  for (Shard& shard : shards_) {
    for (auto& [hash, entry] : shard.entries) {
      for (const auto& item : entry.variants) {
        shard.queue.remove(*item);
        account_->subtract(index_memory(*item->response));
      }
    }
  }
}

MemoryStore::Entry* MemoryStore::find_entry(Shard& shard, std::uint64_t hash,
                                            std::string_view key) {
  const auto [first, last] = shard.entries.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second.key == key) return &entry->second;
  }
  return nullptr;
}

MemoryStore::Found MemoryStore::find(const CacheKey& key, const FieldSection& request) {
  Found found;
  Gone gone;
  Shard& shard = shard_of(key.hash);
  const std::lock_guard lock(shard.mutex);
  Entry* const entry = find_entry(shard, key.hash, key.text);
  if (entry == nullptr) return found;
  Item* best = nullptr;
  for (const auto& item : entry->variants) {
    if (!item->response->selected_by(request)) {
      found.other_variants = true;
    } else if (best == nullptr || item->response->received_after(*best->response)) {
      best = item.get();
    }
  }
  if (best == nullptr) return found;
  if (invalidations_.judge(*best->response) == Invalidations::Verdict::gone) {
    drop(shard, *best, gone);
    return found;
  }
  best->touch();
  found.response = best->response;
  return found;
}

std::vector<std::shared_ptr<StoredResponse>> MemoryStore::variants(const CacheKey& key) {
  std::vector<std::shared_ptr<StoredResponse>> all;
  Shard& shard = shard_of(key.hash);
  const std::lock_guard lock(shard.mutex);
  if (Entry* const entry = find_entry(shard, key.hash, key.text)) {
    for (const auto& item : entry->variants) {
      if (invalidations_.judge(*item->response) != Invalidations::Verdict::gone) {
        all.push_back(item->response);
      }
    }
  }
  return all;
}

bool MemoryStore::put(std::shared_ptr<StoredResponse> response) {
  const std::uint64_t hash = response->key_hash();
  const std::size_t number = hash % kShards;
  Gone gone;
  bool stored = false;
  {
    Shard& shard = shards_[number];
    const std::lock_guard lock(shard.mutex);
    stored = insert(shard, hash, std::move(response), gone);
  }
  make_room(number);
  return stored;
}

bool MemoryStore::replace(const StoredResponse& expected,
                          std::shared_ptr<StoredResponse> response) {
  const std::uint64_t hash = response->key_hash();
  const std::size_t number = hash % kShards;
  Gone gone;
  {
    Shard& shard = shards_[number];
    const std::lock_guard lock(shard.mutex);
    Entry* const entry = find_entry(shard, hash, response->key());
    if (entry == nullptr) return false;
    const auto is_expected = [&expected](const auto& item) {
      return item->response.get() == &expected;
    };
    if (std::none_of(entry->variants.begin(), entry->variants.end(), is_expected)) return false;
    if (!insert(shard, hash, std::move(response), gone)) return false;
  }
  make_room(number);
  return true;
}

MemoryStore::Entry& MemoryStore::entry_for(Shard& shard, std::uint64_t hash, std::string_view key) {
  if (Entry* const entry = find_entry(shard, hash, key)) return *entry;
  return shard.entries.emplace(hash, Entry{.key = std::string(key), .variants = {}})->second;
}

bool MemoryStore::insert(Shard& shard, std::uint64_t hash, std::shared_ptr<StoredResponse> response,
                         Gone& gone) {
  if (Entry* const entry = find_entry(shard, hash, response->key())) {
    for (const auto& item : entry->variants) {
      if (item->response->same_variant(*response)) {
        return exchange(shard, *item, std::move(response), gone);
      }
    }
    if (entry->variants.size() >= settings_.max_variants) {
      drop(shard, *entry->variants.front(), gone);
    }
  }
  const std::uint64_t charge = charge_of(*response);
  if (hosts_.bounded() && !hosts_.add(response->host_hash(), charge)) return false;
  Entry& entry = entry_for(shard, hash, response->key());
  auto item = std::make_unique<Item>();
  item->entry = &entry;
  item->charge = item->counted = charge;
  item->fingerprint = hash ^ response->variant_hash();
  account_->add(index_memory(*response));
  item->response = std::move(response);
  shard.queue.insert(*item);
  entry.variants.push_back(std::move(item));
  stored_ += charge;
  ++objects_;
  return true;
}

// The same variant, as it is now.
bool MemoryStore::exchange(Shard& shard, Item& item, std::shared_ptr<StoredResponse> response,
                           Gone& gone) {
  const std::uint64_t charge = charge_of(*response);
  if (hosts_.bounded()) {
    hosts_.remove(response->host_hash(), item.counted);
    if (!hosts_.add(response->host_hash(), charge)) {
      item.counted = 0;  // it has been struck out
      drop(shard, item, gone);
      return false;
    }
  }
  gone.push_back(std::exchange(item.response, std::move(response)));
  stored_ += charge - item.charge;
  shard.queue.recharge(item, charge);
  item.counted = charge;
  return true;
}

// Takes an item out that is still in the queue.
void MemoryStore::drop(Shard& shard, Item& item, Gone& gone) {
  if (item.linked()) shard.queue.remove(item);
  stored_ -= item.charge;
  if (hosts_.bounded() && item.counted != 0) {
    hosts_.remove(item.response->host_hash(), item.counted);
  }
  --objects_;
  account_->subtract(index_memory(*item.response));
  gone.push_back(std::move(item.response));
  Entry& entry = *item.entry;
  std::erase_if(entry.variants, [&item](const auto& one) { return one.get() == &item; });
  if (!entry.variants.empty()) return;
  const auto [first, last] = shard.entries.equal_range(gone.back()->key_hash());
  for (auto candidate = first; candidate != last; ++candidate) {
    if (&candidate->second == &entry) {
      shard.entries.erase(candidate);
      return;
    }
  }
}

// Content that is under way, or still being sent though it has gone, counts too. But what is stored
// never shrinks below half the limit for its sake: it would be given up for nothing.
void MemoryStore::make_room(std::size_t first_shard) {
  const std::uint64_t limit = account_->limit();
  std::size_t shard = first_shard;
  std::size_t empty = 0;
  while (empty < kShards) {
    const std::uint64_t stored = stored_.load(std::memory_order_relaxed);
    const std::uint64_t used = account_->used();
    const std::uint64_t held = used > stored ? used - stored : 0;
    const std::uint64_t room = std::max(limit / 2, limit > held ? limit - held : 0);
    if (stored <= room) return;
    Gone gone;
    bool evicted = false;
    {
      Shard& from = shards_[shard % kShards];
      const std::lock_guard lock(from.mutex);
      evicted = evict_one(from, gone);
    }
    // The shard that has got something gives way first, then all in turn.
    ++shard;
    empty = evicted ? 0 : empty + 1;
    if (!evicted) continue;
    evictions_.fetch_add(1, std::memory_order_relaxed);
    if (evicted_) {
      for (auto& response : gone) evicted_(std::move(response));
    }
  }
}

bool MemoryStore::evict_one(Shard& shard, Gone& gone) {
  EvictionNode* const node = shard.queue.evict();
  if (node == nullptr) return false;
  drop(shard, static_cast<Item&>(*node), gone);
  return true;
}

void MemoryStore::remove(const StoredResponse& response) {
  Gone gone;
  Shard& shard = shard_of(response.key_hash());
  const std::lock_guard lock(shard.mutex);
  Entry* const entry = find_entry(shard, response.key_hash(), response.key());
  if (entry == nullptr) return;
  for (const auto& item : entry->variants) {
    if (item->response.get() != &response) continue;
    drop(shard, *item, gone);
    return;
  }
}

void MemoryStore::pin(const CacheKey& key, bool pinned) {
  Shard& shard = shard_of(key.hash);
  const std::lock_guard lock(shard.mutex);
  if (Entry* const entry = find_entry(shard, key.hash, key.text)) {
    for (const auto& item : entry->variants) item->pinned = pinned;
  }
}

void MemoryStore::for_each(const std::function<bool(const std::shared_ptr<StoredResponse>&)>& f) {
  for (Shard& shard : shards_) {
    std::vector<std::shared_ptr<StoredResponse>> all;
    {
      const std::lock_guard lock(shard.mutex);
      for (const auto& [hash, entry] : shard.entries) {
        for (const auto& item : entry.variants) all.push_back(item->response);
      }
    }
    for (const auto& response : all) {
      if (!f(response)) return;
    }
  }
}

std::optional<std::uint64_t> MemoryStore::sweep(std::int64_t now_s) {
  if (next_swept_ == 0) round_began_ = invalidations_.last();
  for (std::size_t i = 0; i < kSweptAtOnce; ++i) {
    Shard& shard = shards_[next_swept_++];
    Gone gone;
    const std::lock_guard lock(shard.mutex);
    std::vector<Item*> useless;
    for (const auto& [hash, entry] : shard.entries) {
      for (const auto& item : entry.variants) {
        const StoredResponse& response = *item->response;
        if (invalidations_.judge(response) == Invalidations::Verdict::gone ||
            response.useless_from() <= now_s) {
          useless.push_back(item.get());
        }
      }
    }
    for (Item* const item : useless) drop(shard, *item, gone);
  }
  if (next_swept_ < kShards) return std::nullopt;
  next_swept_ = 0;
  return round_began_;
}

MemoryStore::Numbers MemoryStore::numbers() const {
  return {.objects = objects_.load(std::memory_order_relaxed),
          .bytes = stored_.load(std::memory_order_relaxed),
          .evictions = evictions_.load(std::memory_order_relaxed)};
}

}  // namespace penstock
