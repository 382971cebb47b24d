#include "cache/host_ledger.h"

namespace penstock {

bool HostLedger::add(std::uint64_t host_hash, std::uint64_t bytes) {
  Shard& shard = shards_[host_hash % kShards];
  const std::lock_guard lock(shard.mutex);
  Entry& entry = shard.hosts[host_hash];
  const bool too_many = objects_ != 0 && entry.objects >= objects_;
  const bool too_much = bytes_ != 0 && entry.bytes + bytes > bytes_;
  if (too_many || too_much) {
    if (entry.objects == 0) shard.hosts.erase(host_hash);
    return false;
  }
  ++entry.objects;
  entry.bytes += bytes;
  return true;
}

void HostLedger::remove(std::uint64_t host_hash, std::uint64_t bytes) {
  Shard& shard = shards_[host_hash % kShards];
  const std::lock_guard lock(shard.mutex);
  const auto entry = shard.hosts.find(host_hash);
  if (entry == shard.hosts.end()) return;
  entry->second.bytes -= bytes;
  if (--entry->second.objects == 0) shard.hosts.erase(entry);
}

}  // namespace penstock
