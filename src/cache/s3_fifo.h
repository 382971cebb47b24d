// Which objects stay: S3-FIFO (Yang and others, SOSP 2023).
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "base/intrusive_list.h"

namespace penstock {

// An object as the policy sees it; what is stored derives from it.
class EvictionNode : public ListNode {
 public:
  // Its size in bytes, and what tells it from others: a hash of its key, also after it has gone.
  std::uint64_t charge = 0;
  std::uint64_t fingerprint = 0;
  // Never chosen to go.
  bool pinned = false;

  // It was used. To be called under the lock that guards its queue.
  void touch() {
    if (uses_ < 3) ++uses_;
  }
  [[nodiscard]] unsigned uses() const { return uses_; }

 private:
  friend class S3Fifo;
  std::uint8_t uses_ = 0;
  bool in_main_ = false;
};

// Three queues. New objects enter a small one, a tenth of the bytes; those that were not used again
// by the time they reach its end go, and only their fingerprints are remembered for a while. So a
// scan passes through it without moving what is in use. Used ones, and those that come back while
// they are remembered, enter the main queue, where each use buys another round. Not safe to use
// from several threads.
class S3Fifo {
 public:
  // Takes it in; `charge` and `fingerprint` are set.
  void insert(EvictionNode& node);
  // Takes it out, as it goes for another reason.
  void remove(EvictionNode& node);
  // What it stands for has changed its size.
  void recharge(EvictionNode& node, std::uint64_t charge);
  // The next that is to go, taken out; null: there is none but pinned ones.
  EvictionNode* evict();

  [[nodiscard]] std::uint64_t bytes() const { return small_bytes_ + main_bytes_; }
  [[nodiscard]] std::size_t count() const { return small_count_ + main_count_; }

 private:
  EvictionNode* evict_small();
  EvictionNode* evict_main();
  void push_main(EvictionNode& node);
  void remember(std::uint64_t fingerprint);

  IntrusiveList<EvictionNode> small_;
  IntrusiveList<EvictionNode> main_;
  std::uint64_t small_bytes_ = 0;
  std::uint64_t main_bytes_ = 0;
  std::size_t small_count_ = 0;
  std::size_t main_count_ = 0;
  // Fingerprints of those that left the small queue unused, the oldest next to be overwritten.
  std::vector<std::uint64_t> remembered_;
  std::size_t next_remembered_ = 0;
  std::unordered_multiset<std::uint64_t> ghosts_;
};

}  // namespace penstock
