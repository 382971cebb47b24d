#include "async/input_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace penstock {
namespace {
// Less room than this at a slab's end is not worth a read of its own.
constexpr std::size_t kWorthReading = 512;
}  // namespace

void InputBuffer::release() {
  slab_ = SlabRef();
  begin_ = end_ = 0;
}

void InputBuffer::consume(std::size_t n) {
  PENSTOCK_CHECK(n <= size());
  begin_ += static_cast<std::uint32_t>(n);
  if (begin_ != end_) return;
  release();
  expected_ = 0;
}

Slice InputBuffer::take(std::size_t n) {
  PENSTOCK_CHECK(n <= size());
  if (n == 0) return {};
  const std::string_view bytes = unread().substr(0, n);
  if (n == size()) {
    Slice slice(std::move(slab_), bytes);
    begin_ = end_ = 0;
    expected_ = 0;
    return slice;
  }
  begin_ += static_cast<std::uint32_t>(n);
  return {slab_, bytes};
}

SlabSize InputBuffer::size_for(std::size_t unread) const {
  // Heads are small; what goes on beyond one small slab is a body or a very large head. Unread
  // bytes that have to move leave at least as much room again, as long as that takes no huge one.
  const std::uint64_t wanted = std::max<std::uint64_t>(unread * 2, expected_);
  const std::size_t bounded = std::min<std::uint64_t>(wanted, kLargeSlab - sizeof(Slab));
  return SlabPool::fitting(std::max(bounded, unread + kWorthReading));
}

std::span<char> InputBuffer::writable() {
  const std::size_t unread_bytes = size();
  if (slab_ && slab_->capacity() - end_ >= kWorthReading) {
    return {slab_->data() + end_, slab_->capacity() - end_};
  }
  SlabRef next = SlabPool::take(size_for(unread_bytes));
  PENSTOCK_CHECK(unread_bytes + kWorthReading <=
                 next->capacity());  // callers bound what waits here
  if (unread_bytes > 0) std::memcpy(next->data(), slab_->data() + begin_, unread_bytes);
  slab_ = std::move(next);
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(unread_bytes);
  return {slab_->data() + end_, slab_->capacity() - end_};
}

void InputBuffer::commit(std::size_t n) {
  end_ += static_cast<std::uint32_t>(n);
  if (begin_ == end_) release();
}

}  // namespace penstock
