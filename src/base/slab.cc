#include "base/slab.h"

#include <array>
#include <new>
#include <utility>

#include "base/frame_pool.h"
#include "base/free_list.h"

namespace penstock {
namespace {

// What the pool keeps of one size when nobody uses it; more goes back to the system.
constexpr std::size_t kKeptBytes = 8 * 1024 * 1024;
constexpr std::array<std::size_t, 4> kBlockBytes = {kSmallSlab, kMediumSlab, kLargeSlab, kHugeSlab};

struct Pool {
  std::array<FreeList, kBlockBytes.size()> by_size;
  std::size_t bytes_in_use = 0;
};

thread_local Pool pool;

}  // namespace

// The slab is its first part, as all code but the pool's knows nothing else.
struct SlabPool::Keeper {
  Slab slab;
  std::shared_ptr<const void> kept;
};

SlabRef SlabPool::keep(std::shared_ptr<const void> kept) {
  void* const memory = pool_allocate(sizeof(Keeper));
  auto* const keeper = ::new (memory) Keeper{Slab(0, SlabSize::keeper), std::move(kept)};
  return SlabRef(&keeper->slab);
}

SlabSize SlabPool::fitting(std::size_t bytes) {
  std::size_t index = 0;
  while (index + 1 < kBlockBytes.size() && kBlockBytes[index] - sizeof(Slab) < bytes) ++index;
  return static_cast<SlabSize>(index);
}

SlabRef SlabPool::take(SlabSize size) {
  const auto index = static_cast<std::size_t>(size);
  const std::size_t block = kBlockBytes[index];
  pool.bytes_in_use += block;
  void* const memory = pool.by_size[index].take(block);
  return SlabRef(::new (memory) Slab(static_cast<std::uint32_t>(block - sizeof(Slab)), size));
}

std::size_t SlabPool::bytes_in_use() { return pool.bytes_in_use; }

void SlabPool::give_back(Slab* slab) noexcept {
  if (slab->size_ == SlabSize::keeper) {
    auto* const keeper = reinterpret_cast<Keeper*>(slab);
    keeper->~Keeper();
    return pool_free(keeper, sizeof(Keeper));
  }
  const auto index = static_cast<std::size_t>(slab->size_);
  const std::size_t block = kBlockBytes[index];
  pool.bytes_in_use -= block;
  slab->~Slab();
  pool.by_size[index].give_back(slab, block, kKeptBytes);
}

std::size_t SlabPool::trim() noexcept {
  std::size_t freed = 0;
  for (std::size_t i = 0; i < kBlockBytes.size(); ++i) {
    freed += pool.by_size[i].trim(kBlockBytes[i]);
  }
  return freed;
}

}  // namespace penstock
