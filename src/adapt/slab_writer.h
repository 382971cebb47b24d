// Bytes written into slabs, piece by piece, and handed out as slices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "base/check.h"
#include "base/slab.h"

namespace penstock {

// Of what it hands out it goes on filling the same slab. The first slab is a small one, as most of
// what is small needs no more.
class SlabWriter {
 public:
  // Where the next bytes go; never empty. Not to be called when full(): take() first.
  [[nodiscard]] std::span<char> room() {
    PENSTOCK_CHECK(!full());
    if (!slab_) {
      slab_ = SlabPool::take(taken_before_ ? SlabSize::medium : SlabSize::small);
      taken_before_ = true;
    }
    return {slab_->data() + end_, slab_->capacity() - end_};
  }
  // `n` bytes were put at the beginning of room().
  void wrote(std::size_t n) { end_ += n; }
  // Copies the beginning of `bytes`, as much as there is room for; the number of bytes.
  std::size_t copy(std::string_view bytes) {
    const std::span<char> to = room();
    const std::size_t n = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), n);
    wrote(n);
    return n;
  }

  // Bytes written and not handed out yet.
  [[nodiscard]] std::size_t pending() const { return end_ - begin_; }
  // The slab has no more room, and there are bytes in it to be handed out.
  [[nodiscard]] bool full() const { return slab_ && end_ == slab_->capacity(); }
  // All bytes written and not handed out yet; may be empty.
  [[nodiscard]] Slice take() {
    if (pending() == 0) return {};
    Slice slice(slab_, {slab_->data() + begin_, pending()});
    begin_ = end_;
    if (slab_->capacity() - end_ < kWorthKeeping) forget();
    return slice;
  }
  // Keeps no slab while nothing is to be written for a time. Nothing may be pending.
  void rest() {
    PENSTOCK_CHECK(pending() == 0);
    forget();
  }

 private:
  static constexpr std::size_t kWorthKeeping = 512;

  void forget() {
    slab_ = SlabRef();
    begin_ = 0;
    end_ = 0;
  }

  SlabRef slab_;
  std::size_t begin_ = 0;  // of what is pending
  std::size_t end_ = 0;
  bool taken_before_ = false;
};

}  // namespace penstock
