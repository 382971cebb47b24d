#include "base/copied_bytes.h"

#include <algorithm>
#include <cstring>

namespace penstock {

void CopiedBytes::append_to(Slices& pieces, std::size_t first, std::string_view bytes,
                            SlabSize size) {
  while (!bytes.empty()) {
    if (!slab_ || used_ == slab_->capacity()) {
      slab_ = SlabPool::take(size);
      size = SlabSize::medium;
      used_ = 0;
    }
    const std::size_t n = std::min(bytes.size(), slab_->capacity() - used_);
    char* const to = slab_->data() + used_;
    std::memcpy(to, bytes.data(), n);
    used_ += n;
    bytes.remove_prefix(n);
    if (first < pieces.size() && pieces.back().data() + pieces.back().size() == to) {
      const std::string_view longer(pieces.back().data(), pieces.back().size() + n);
      pieces.back() = Slice(slab_, longer);
    } else {
      pieces.emplace_back(slab_, std::string_view(to, n));
    }
  }
}

void CopiedBytes::clear() {
  slab_ = SlabRef();
  used_ = 0;
}

}  // namespace penstock
