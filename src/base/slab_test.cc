#include "base/slab.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace penstock {
namespace {

// Every block comes from the system there.
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

struct SizeCase {
  SlabSize size;
  std::size_t bytes;
};
constexpr SizeCase kSizes[] = {{SlabSize::small, kSmallSlab},
                               {SlabSize::medium, kMediumSlab},
                               {SlabSize::large, kLargeSlab},
                               {SlabSize::huge, kHugeSlab}};

// A slice of a fresh slab that starts with `text`.
Slice slice_of(const std::string& text) {
  SlabRef slab = SlabPool::take(SlabSize::small);
  std::memcpy(slab->data(), text.data(), text.size());
  return {slab, {slab->data(), text.size()}};
}

TEST(SlabPool, SlabsHaveTheirSizesAndAreCounted) {
  const std::size_t before = SlabPool::bytes_in_use();
  for (const SizeCase& c : kSizes) {
    SlabRef slab = SlabPool::take(c.size);
    EXPECT_EQ(slab->capacity(), c.bytes - sizeof(Slab));
    EXPECT_EQ(SlabPool::bytes_in_use(), before + c.bytes);
    std::memset(slab->data(), 'x', slab->capacity());  // all of it is ours
    EXPECT_TRUE(slab->unique());
    slab = SlabRef();
    EXPECT_EQ(SlabPool::bytes_in_use(), before);
  }
}

TEST(SlabPool, GivesFreedSlabsOutAgain) {
  if (!kPooled) GTEST_SKIP() << "no pool under this sanitizer";
  for (const SizeCase& c : kSizes) {
    SlabRef first = SlabPool::take(c.size);
    SlabRef second = SlabPool::take(c.size);
    const Slab* const freed = second.get();
    second = SlabRef();
    const SlabRef again = SlabPool::take(c.size);
    EXPECT_EQ(again.get(), freed);
    EXPECT_TRUE(again->unique());
    EXPECT_EQ(again->capacity(), c.bytes - sizeof(Slab));
  }
}

TEST(SlabRef, SharesAndMoves) {
  const std::size_t before = SlabPool::bytes_in_use();
  SlabRef a = SlabPool::take(SlabSize::small);
  SlabRef b = a;
  EXPECT_FALSE(a->unique());
  SlabRef c = std::move(b);
  EXPECT_FALSE(b);  // NOLINT(bugprone-use-after-move): a moved-from one is empty
  EXPECT_EQ(a.get(), c.get());
  SlabRef& same = a;
  a = same;
  EXPECT_EQ(a.get(), c.get());
  a = SlabRef();
  EXPECT_TRUE(c->unique());
  EXPECT_EQ(SlabPool::bytes_in_use(), before + kSmallSlab);
  c = SlabRef();
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST(Slice, KeepsItsSlabAlive) {
  const std::size_t before = SlabPool::bytes_in_use();
  Slice whole = slice_of("hello, world");
  Slice part = whole;
  part.remove_prefix(7);
  part.remove_suffix(1);
  whole = Slice();
  EXPECT_EQ(part.view(), "worl");
  EXPECT_EQ(part.size(), 4U);
  EXPECT_TRUE(part.owner());
  EXPECT_EQ(SlabPool::bytes_in_use(), before + kSmallSlab);
  part = Slice("literal");
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
  EXPECT_FALSE(part.owner());
  EXPECT_TRUE(Slice().empty());
}

TEST(SlabPool, KeeperKeepsWhatIsSharedUntilTheLastSliceGoes) {
  auto shared = std::make_shared<const std::string>("shared by threads");
  const std::weak_ptr<const std::string> watched = shared;
  const std::string_view text = *shared;
  Slice first;
  {
    const SlabRef keeper = SlabPool::keep(std::move(shared));
    EXPECT_EQ(keeper->capacity(), 0U);
    first = Slice(keeper, text.substr(0, 6));
  }
  Slice second = first;
  first = Slice();
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(second.view(), "shared");
  second = Slice();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace penstock
