#include "http2/receive_queue.h"

#include <algorithm>
#include <cstring>
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
    append_copy(bytes.view());
  }
}

void ReceiveQueue::append_copy(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!copies_ || copied_ == copies_->capacity()) {
      // The first bytes that wait are often the last ones, too.
      copies_ = SlabPool::take(size_ == 0 ? SlabSize::small : SlabSize::medium);
      copied_ = 0;
    }
    const std::size_t n = std::min(bytes.size(), copies_->capacity() - copied_);
    char* const to = copies_->data() + copied_;
    std::memcpy(to, bytes.data(), n);
    copied_ += n;
    size_ += n;
    bytes.remove_prefix(n);
    if (first_ < pieces_.size() && pieces_.back().data() + pieces_.back().size() == to) {
      const std::string_view longer(pieces_.back().data(), pieces_.back().size() + n);
      pieces_.back() = Slice(copies_, longer);
    } else {
      pieces_.emplace_back(copies_, std::string_view(to, n));
    }
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
  copies_ = SlabRef();
  first_ = 0;
  size_ = 0;
  copied_ = 0;
}

}  // namespace penstock::http2
