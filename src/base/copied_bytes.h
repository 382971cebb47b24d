// Small pieces of bytes, copied together into slabs.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/frame_pool.h"
#include "base/slab.h"

namespace penstock {

using Slices = std::vector<Slice, PoolAllocator<Slice>>;

// Where copies go that end a list of slices. Holds at most one slab beside those in the list.
class CopiedBytes {
 public:
  // Appends copies to `pieces`: the last one, if it is one of those from `first` on and what was
  // copied last, grows. Where a slab is needed, the first one is of that size, and medium ones
  // follow.
  void append_to(Slices& pieces, std::size_t first, std::string_view bytes, SlabSize size);
  // Nothing was copied since the beginning, or since clear().
  [[nodiscard]] bool empty() const { return !slab_; }
  void clear();

 private:
  SlabRef slab_;
  std::size_t used_ = 0;
};

}  // namespace penstock
