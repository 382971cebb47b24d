// Recycled memory for coroutine frames and other small, short-lived objects of one thread.
#pragma once

#include <cstddef>

namespace penstock {

// Memory of at least `size` bytes, aligned for any fundamental type. Freed blocks are kept on
// per-thread lists by size (rounded up to 32 bytes, at most 16 KiB; larger ones go to operator new)
// so that a steady state allocates nothing. A block must be freed with the same size; on another
// thread than it came from, it is that one's from then on. Under AddressSanitizer every block comes
// from operator new, so that a use after free is found.
[[nodiscard]] void* pool_allocate(std::size_t size);
void pool_free(void* block, std::size_t size) noexcept;

// Gives back to the system what the calling thread has not needed since the last call: a burst's
// memory goes, a steady load's stays. To be called about once a second. The bytes given back.
std::size_t pool_trim() noexcept;

// A standard allocator over the same lists, for containers that live and die with a transaction.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t n) { return static_cast<T*>(pool_allocate(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) noexcept { pool_free(p, n * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

}  // namespace penstock
