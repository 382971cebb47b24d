// How much is stored of each host, where that has a bound.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace penstock {

// Safe to use from all threads.
class HostLedger {
 public:
  // The most of one host: objects and bytes; 0: any number.
  HostLedger(std::uint64_t objects, std::uint64_t bytes) : objects_(objects), bytes_(bytes) {}

  [[nodiscard]] bool bounded() const { return objects_ != 0 || bytes_ != 0; }
  // Enters an object of that host. False, and nothing is entered: it would be too much.
  [[nodiscard]] bool add(std::uint64_t host_hash, std::uint64_t bytes);
  // Strikes it out.
  void remove(std::uint64_t host_hash, std::uint64_t bytes);

 private:
  struct Entry {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Entry> hosts;
  };
  static constexpr std::size_t kShards = 16;

  const std::uint64_t objects_;
  const std::uint64_t bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace penstock
