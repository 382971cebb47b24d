// Bytes in the order they came, as slices of the slabs they were read into.
#pragma once

#include <cstddef>

#include "base/copied_bytes.h"
#include "base/slab.h"

namespace penstock::http2 {

// Holds no memory when it is empty.
class ReceiveQueue {
 public:
  void push(Slice bytes);
  // The same, for bytes that may have to wait long: a piece that is small beside its slab is copied
  // together with others, so that what waits holds no more than some eight times its own size.
  void push_compact(Slice bytes);
  // The first piece, no more than `limit` bytes of it; empty when there is none.
  [[nodiscard]] Slice pop(std::size_t limit);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void clear();

 private:
  Slices pieces_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  CopiedBytes copies_;  // where small pieces go
};

}  // namespace penstock::http2
