// How much memory the cache holds, counted to the byte.
#pragma once

#include <atomic>
#include <cstdint>

namespace penstock {

// Of all threads: what contents and heads of stored responses, and those under way, have taken.
class MemoryAccount {
 public:
  // `limit`: bytes that it is to stay below; who stores makes room.
  explicit MemoryAccount(std::uint64_t limit) : limit_(limit) {}
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  void add(std::uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void subtract(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  [[nodiscard]] bool over() const { return used() > limit_; }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_ = 0;
};

}  // namespace penstock
