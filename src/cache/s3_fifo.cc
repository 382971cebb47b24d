#include "cache/s3_fifo.h"

#include <algorithm>

namespace penstock {
namespace {

// The small queue's part of all bytes.
constexpr std::uint64_t kSmallPart = 10;
// Uses that get an object from the small queue into the main one.
constexpr unsigned kUsedAgain = 2;
constexpr std::size_t kMinRemembered = 64;

}  // namespace

void S3Fifo::insert(EvictionNode& node) {
  node.uses_ = 0;
  const auto ghost = ghosts_.find(node.fingerprint);
  if (ghost != ghosts_.end()) {
    push_main(node);
    return;
  }
  node.in_main_ = false;
  small_.push_back(node);
  small_bytes_ += node.charge;
  ++small_count_;
}

void S3Fifo::push_main(EvictionNode& node) {
  node.in_main_ = true;
  main_.push_back(node);
  main_bytes_ += node.charge;
  ++main_count_;
}

void S3Fifo::remove(EvictionNode& node) {
  if (node.in_main_) {
    main_bytes_ -= node.charge;
    --main_count_;
  } else {
    small_bytes_ -= node.charge;
    --small_count_;
  }
  static_cast<ListNode&>(node).unlink();
}

void S3Fifo::recharge(EvictionNode& node, std::uint64_t charge) {
  (node.in_main_ ? main_bytes_ : small_bytes_) += charge - node.charge;
  node.charge = charge;
}

EvictionNode* S3Fifo::evict() {
  const bool small_first = small_bytes_ * kSmallPart >= bytes() || main_.empty();
  if (small_first) {
    if (EvictionNode* const gone = evict_small()) return gone;
    return evict_main();
  }
  if (EvictionNode* const gone = evict_main()) return gone;
  return evict_small();
}

EvictionNode* S3Fifo::evict_small() {
  for (std::size_t left = small_count_; left > 0; --left) {
    EvictionNode& oldest = small_.front();
    if (!oldest.pinned && oldest.uses_ < kUsedAgain) {
      remove(oldest);
      remember(oldest.fingerprint);
      return &oldest;
    }
    remove(oldest);
    oldest.uses_ = 0;
    push_main(oldest);
  }
  return nullptr;
}

// Each round takes a use away, so it ends.
EvictionNode* S3Fifo::evict_main() {
  for (std::size_t left = main_count_ * 4; left > 0; --left) {
    EvictionNode& oldest = main_.front();
    remove(oldest);
    if (!oldest.pinned && oldest.uses_ == 0) return &oldest;
    if (oldest.uses_ > 0) --oldest.uses_;
    push_main(oldest);
  }
  return nullptr;
}

// As many as there are objects in the main queue.
void S3Fifo::remember(std::uint64_t fingerprint) {
  const std::size_t bound = std::max(kMinRemembered, main_count_);
  if (remembered_.size() < bound) {
    remembered_.push_back(fingerprint);
  } else {
    next_remembered_ %= remembered_.size();
    std::uint64_t& place = remembered_[next_remembered_++];
    if (const auto old = ghosts_.find(place); old != ghosts_.end()) ghosts_.erase(old);
    place = fingerprint;
  }
  ghosts_.insert(fingerprint);
}

}  // namespace penstock
