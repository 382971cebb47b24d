#include "base/frame_pool.h"

#include <algorithm>
#include <array>
#include <new>

#include "base/free_list.h"

namespace penstock {
namespace {

constexpr std::size_t kStep = 32;
constexpr std::size_t kLargest = 16 * 1024;
// What one size's list may keep, so that a burst's memory goes back in the end.
constexpr std::size_t kKeptBytes = 4 * 1024 * 1024;

// By size in steps, from one step on.
thread_local std::array<FreeList, kLargest / kStep> lists;

constexpr std::size_t steps(std::size_t size) {
  return (std::max<std::size_t>(size, 1) + kStep - 1) / kStep;
}

}  // namespace

void* pool_allocate(std::size_t size) {
  if (size > kLargest) return ::operator new(size);
  return lists[steps(size) - 1].take(steps(size) * kStep);
}

void pool_free(void* block, std::size_t size) noexcept {
  if (block == nullptr) return;
  if (size > kLargest) {
    ::operator delete(block);
  } else {
    lists[steps(size) - 1].give_back(block, steps(size) * kStep, kKeptBytes);
  }
}

std::size_t pool_trim() noexcept {
  std::size_t freed = 0;
  for (std::size_t i = 0; i < lists.size(); ++i) freed += lists[i].trim((i + 1) * kStep);
  return freed;
}

}  // namespace penstock
