// Freed blocks of one size, kept for their next use.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>

namespace penstock {

// Under a sanitizer that watches memory nothing is kept: a use after free must be one.
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kKeepFreedBlocks = false;
#else
inline constexpr bool kKeepFreedBlocks = true;
#endif

// Blocks come from operator new; those kept go back with the list. Not safe across threads; a block
// may end on another thread's list than it came from.
class FreeList {
 public:
  FreeList() = default;
  FreeList(const FreeList&) = delete;
  FreeList& operator=(const FreeList&) = delete;
  ~FreeList() {
    while (first_ != nullptr) ::operator delete(pop());
  }

  // A block of `size` bytes, the same in all calls and at least a pointer's.
  [[nodiscard]] void* take(std::size_t size) {
    if (first_ == nullptr) return ::operator new(size);
    kept_ -= size;
    least_kept_ = std::min(least_kept_, kept_);
    return pop();
  }
  // Keeps the block, unless `most` bytes are kept already.
  void give_back(void* block, std::size_t size, std::size_t most) noexcept {
    if (!kKeepFreedBlocks || kept_ + size > most) {
      ::operator delete(block);
      return;
    }
    first_ = ::new (block) Block{first_};
    kept_ += size;
  }
  // Frees what was not needed since the last call; the number of bytes.
  std::size_t trim(std::size_t size) noexcept {
    std::size_t freed = 0;
    for (; least_kept_ >= size; least_kept_ -= size) {
      ::operator delete(pop());
      freed += size;
    }
    kept_ -= freed;
    least_kept_ = kept_;
    return freed;
  }

 private:
  struct Block {
    Block* next;
  };
  void* pop() {
    Block* const block = first_;
    first_ = block->next;
    return block;
  }

  Block* first_ = nullptr;
  std::size_t kept_ = 0;        // bytes
  std::size_t least_kept_ = 0;  // since the last trim
};

}  // namespace penstock
