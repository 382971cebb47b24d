#include "base/slab.h"

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

// What the pool keeps of one size when nobody uses it; more goes back to the system.
[[maybe_unused]] constexpr std::size_t kKeptBytes = 8 * 1024 * 1024;
constexpr std::array<std::size_t, 4> kBlockBytes = {kSmallSlab, kMediumSlab, kLargeSlab, kHugeSlab};

struct FreeSlabs {
  Slab* first = nullptr;
  std::size_t kept_bytes = 0;
  std::size_t least_kept = 0;  // since the last trim
};

struct Pool {
  std::array<FreeSlabs, 4> by_size{};
  std::size_t bytes_in_use = 0;
};

thread_local Pool pool;

}  // namespace

SlabRef SlabPool::take(SlabSize size) {
  const auto index = static_cast<std::size_t>(size);
  const std::size_t block = kBlockBytes[index];
  pool.bytes_in_use += block;
  FreeSlabs& free = pool.by_size[index];
  if (free.first != nullptr) {
    Slab* slab = free.first;
    free.first = slab->next_free_;
    free.kept_bytes -= block;
    free.least_kept = std::min(free.least_kept, free.kept_bytes);
    return SlabRef(slab);
  }
  void* memory = ::operator new(block);
  return SlabRef(::new (memory) Slab(static_cast<std::uint32_t>(block - sizeof(Slab)), size));
}

std::size_t SlabPool::bytes_in_use() { return pool.bytes_in_use; }

void SlabPool::give_back(Slab* slab) noexcept {
  const auto index = static_cast<std::size_t>(slab->size_);
  const std::size_t block = kBlockBytes[index];
  pool.bytes_in_use -= block;
  FreeSlabs& free = pool.by_size[index];
#ifdef PENSTOCK_NO_POOL
  constexpr bool keep = false;
#else
  const bool keep = free.kept_bytes + block <= kKeptBytes;
#endif
  if (!keep) {
    slab->~Slab();
    ::operator delete(slab);
    return;
  }
  slab->next_free_ = free.first;
  free.first = slab;
  free.kept_bytes += block;
}

std::size_t SlabPool::trim() noexcept {
  std::size_t freed = 0;
  for (std::size_t i = 0; i < pool.by_size.size(); ++i) {
    FreeSlabs& free = pool.by_size[i];
    const std::size_t block = kBlockBytes[i];
    for (; free.least_kept >= block; free.least_kept -= block) {
      Slab* slab = free.first;
      free.first = slab->next_free_;
      slab->~Slab();
      ::operator delete(slab);
      free.kept_bytes -= block;
      freed += block;
    }
    free.least_kept = free.kept_bytes;
  }
  return freed;
}

}  // namespace penstock
