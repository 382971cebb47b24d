#include "http2/receive_queue.h"

#include <utility>

namespace penstock::http2 {
namespace {
constexpr std::size_t kWorthItsSlab = 8;  // a piece of an eighth of its slab
}  // namespace

void ReceiveQueue::push(Slice bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  pieces_.push_back(std::move(bytes));
}

void ReceiveQueue::push_compact(Slice bytes) {
  const bool worth_it = bytes.owner() && bytes.size() * kWorthItsSlab >= bytes.owner()->capacity();
  if (worth_it) {
    push(std::move(bytes));
  } else {
    // The first bytes that wait are often the last ones, too.
    copies_.append_to(pieces_, first_, bytes.view(), empty() ? SlabSize::small : SlabSize::medium);
    size_ += bytes.size();
  }
}

Slice ReceiveQueue::pop(std::size_t limit) {
  if (empty()) return {};
  Slice& front = pieces_[first_];
  Slice piece;
  if (front.size() <= limit) {
    piece = std::move(front);
    ++first_;
  } else {
    piece = Slice(front.owner(), front.view().substr(0, limit));
    front.remove_prefix(limit);
  }
  size_ -= piece.size();
  if (empty()) {
    clear();
  } else if (first_ >= 64 && first_ * 2 >= pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return piece;
}

void ReceiveQueue::clear() {
  pieces_ = {};
  copies_.clear();
  first_ = 0;
  size_ = 0;
}

}  // namespace penstock::http2
