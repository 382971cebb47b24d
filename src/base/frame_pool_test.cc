#include "base/frame_pool.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

TEST(FramePool, BlocksAreLargeEnoughAndAligned) {
  for (const std::size_t size :
       {0UZ, 1UZ, 63UZ, 64UZ, 65UZ, 1000UZ, 16'384UZ, 16'385UZ, 1'000'000UZ}) {
    void* const block = pool_allocate(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t), 0U) << size;
    std::memset(block, 'x', size);
    pool_free(block, size);
  }
  pool_free(nullptr, 64);
}

TEST(FramePool, FreedBlocksComeBackForTheirSizeClass) {
  if (!kPooled) GTEST_SKIP() << "no pool under this sanitizer";
  void* const block = pool_allocate(100);
  pool_free(block, 100);
  void* const smaller = pool_allocate(64);  // another class than 65 bytes
  EXPECT_NE(smaller, block);
  void* const same = pool_allocate(128);
  EXPECT_EQ(same, block);
  pool_free(smaller, 64);
  pool_free(same, 128);
}

TEST(FramePool, BlocksInUseAreDistinct) {
  std::set<void*> blocks;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(blocks.insert(pool_allocate(200)).second);
    for (void* block : blocks) pool_free(block, 200);
    blocks.clear();
  }
}

TEST(FramePool, WorksAsAllocator) {
  std::vector<int, PoolAllocator<int>> numbers;
  for (int i = 0; i < 10'000; ++i) numbers.push_back(i);
  const auto copy = numbers;
  EXPECT_EQ(copy.back(), 9'999);
  EXPECT_EQ(PoolAllocator<int>(), PoolAllocator<int>(PoolAllocator<char>()));
}

}  // namespace
}  // namespace penstock
