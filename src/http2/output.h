// What is to be written next: frames and slices of content, gathered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "base/copied_bytes.h"
#include "base/frame_pool.h"
#include "base/slab.h"

namespace penstock::http2 {

// A write is long enough.
inline constexpr std::size_t kOutputBytes = std::size_t{64} * 1024;
// What stands before the payload of each frame.
inline constexpr std::size_t kFrameHead = 9;

// One gathered write. Small things are copied together; content of some size stays where it is.
// Holds no memory when it is empty.
class Output {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Copies.
  void put(std::string_view bytes);
  // Keeps a reference to the slab, or copies where that is cheaper or where there is no slab: the
  // bytes may be gone before they are written.
  void put(Slice bytes);
  // The parts; valid until the next change.
  [[nodiscard]] std::span<iovec> parts();
  void clear();

 private:
  Slices pieces_;
  std::vector<iovec, PoolAllocator<iovec>> parts_;
  CopiedBytes copies_;
  std::size_t size_ = 0;
};

}  // namespace penstock::http2
