#include "base/frame_pool.h"

#include <algorithm>
#include <array>
#include <new>

namespace penstock {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define PENSTOCK_NO_POOL 1
#endif
#endif

#ifndef PENSTOCK_NO_POOL
constexpr std::size_t kStep = 64;
constexpr std::size_t kLargest = 16 * 1024;
// What one size's list may keep, so that a burst's memory goes back in the end.
constexpr std::size_t kKeptBytes = 4 * 1024 * 1024;

struct FreeBlock {
  FreeBlock* next;
};

struct FreeList {
  FreeBlock* first = nullptr;
  std::size_t kept = 0;
  std::size_t least_kept = 0;  // since the last trim
};

struct Lists {
  std::array<FreeList, kLargest / kStep + 1> by_size{};
  ~Lists() {
    for (FreeList& list : by_size) {
      while (list.first != nullptr) {
        FreeBlock* block = list.first;
        list.first = block->next;
        ::operator delete(block);
      }
    }
  }
};

thread_local Lists lists;
#endif

}  // namespace

void* pool_allocate(std::size_t size) {
#ifdef PENSTOCK_NO_POOL
  return ::operator new(size);
#else
  if (size > kLargest) return ::operator new(size);
  const std::size_t slot = (size + kStep - 1) / kStep;
  FreeList& list = lists.by_size[slot];
  if (list.first == nullptr) return ::operator new(slot * kStep);
  FreeBlock* block = list.first;
  list.first = block->next;
  list.kept -= slot * kStep;
  list.least_kept = std::min(list.least_kept, list.kept);
  return block;
#endif
}

void pool_free(void* block, std::size_t size) noexcept {
  if (block == nullptr) return;
#ifdef PENSTOCK_NO_POOL
  ::operator delete(block);
  static_cast<void>(size);
#else
  const std::size_t slot = (size + kStep - 1) / kStep;
  if (size > kLargest || lists.by_size[slot].kept + slot * kStep > kKeptBytes) {
    ::operator delete(block);
    return;
  }
  FreeList& list = lists.by_size[slot];
  list.first = ::new (block) FreeBlock{list.first};
  list.kept += slot * kStep;
#endif
}

std::size_t pool_trim() noexcept {
  std::size_t freed = 0;
#ifndef PENSTOCK_NO_POOL
  for (std::size_t slot = 1; slot < lists.by_size.size(); ++slot) {
    FreeList& list = lists.by_size[slot];
    const std::size_t size = slot * kStep;
    for (; list.least_kept >= size; list.least_kept -= size) {
      FreeBlock* block = list.first;
      list.first = block->next;
      ::operator delete(block);
      list.kept -= size;
      freed += size;
    }
    list.least_kept = list.kept;
  }
#endif
  return freed;
}

}  // namespace penstock
