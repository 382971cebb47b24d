// Counts what is taken from the heap; for one source of a test program.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PENSTOCK_COUNTS_ALLOCATIONS 0  // the pools are off, and operator new is the sanitizer's
#else
#define PENSTOCK_COUNTS_ALLOCATIONS 1

namespace penstock {
// Of this thread, so far.
inline thread_local std::size_t allocations = 0;
}  // namespace penstock

// NOLINTBEGIN(misc-definitions-in-headers): that is what it is for.
void* operator new(std::size_t size) {
  ++penstock::allocations;
  if (void* block = std::malloc(size)) return block;
  std::abort();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t /*size*/) noexcept { std::free(block); }
// NOLINTEND(misc-definitions-in-headers)

#endif
