// Responses that are being fetched, and the requests that wait for them: collapsed forwarding.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "cache/stored_response.h"
#include "cache/waiting.h"

namespace penstock {

// One request to a server that others wait for. Shared by who leads it and who follows; safe to use
// from all threads.
class Fill {
 public:
  enum class Stage : std::uint8_t {
    asking,     // there is no response yet
    known,      // there is one that can be stored; its content may still be coming
    ask_again,  // it came to nothing: one of those who wait should try
    go_alone,   // it is of no use to others: each should ask for itself
  };

  // By the one who leads; each only once, and the last one wins.
  void become_known(std::shared_ptr<StoredResponse> response);
  void end(Stage stage);

  [[nodiscard]] Stage stage() const { return stage_.load(std::memory_order_acquire); }
  // Once it is known.
  [[nodiscard]] const std::shared_ptr<StoredResponse>& response() const { return response_; }
  [[nodiscard]] WaitList& waiters() { return waiters_; }

  // Those who wait for it or read what it brings: it is worth being finished for them.
  void join() {
    followers_.fetch_add(1, std::memory_order_release);
    leader_.wake();
  }
  void leave() { followers_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t followers() const {
    return followers_.load(std::memory_order_acquire);
  }
  // The one who leads, waiting for followers.
  [[nodiscard]] WaitList& leader() { return leader_; }

 private:
  std::atomic<Stage> stage_ = Stage::asking;
  std::shared_ptr<StoredResponse> response_;
  std::atomic<std::uint32_t> followers_ = 0;
  WaitList waiters_;
  WaitList leader_;
};

// What is being fetched, by key. Safe to use from all threads.
class FillTable {
 public:
  // `hash` stands for a key and what selects among its variants.
  struct Place {
    std::shared_ptr<Fill> fill;  // null: who asks goes alone
    bool leads = false;
  };
  // Follows what is under way, or begins it.
  [[nodiscard]] Place join(std::uint64_t hash, std::int64_t now_s);
  // It is not to be followed any more. By the one who leads it.
  void finish(std::uint64_t hash, const Fill& fill);
  // Responses for that key are for nobody else: until then requests for it do not wait for each
  // other.
  void pass(std::uint64_t hash, std::int64_t until_s);

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::shared_ptr<Fill>> fills;
    std::unordered_map<std::uint64_t, std::int64_t> passes;
  };
  static constexpr std::size_t kShards = 16;
  [[nodiscard]] Shard& shard_of(std::uint64_t hash) { return shards_[hash % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace penstock
