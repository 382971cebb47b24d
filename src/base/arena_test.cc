#include "base/arena.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Arena, CopiesStayInPlace) {
  Arena arena;
  std::vector<std::string> originals;
  std::vector<std::string_view> copies;
  for (std::size_t i = 0; i < 300; ++i) {
    originals.emplace_back(i * 7 % 1500, static_cast<char>('a' + i % 26));
    copies.push_back(arena.copy(originals.back()));
    if (!originals.back().empty()) EXPECT_NE(copies.back().data(), originals.back().data());
  }
  EXPECT_TRUE(std::ranges::equal(copies, originals));
}

TEST(Arena, JoinsParts) {
  Arena arena;
  EXPECT_EQ(arena.join("a", "bc"), "abc");
  EXPECT_EQ(arena.join("", "x", "", "yz"), "xyz");
  EXPECT_EQ(arena.join("", ""), "");
  EXPECT_EQ(arena.copy({}), "");
}

TEST(Arena, AllocatesMoreThanAChunk) {
  Arena arena;
  for (const std::size_t size : {std::size_t{1}, std::size_t{511}, std::size_t{512}, 100'000UZ}) {
    std::memset(arena.allocate(size), 'x', size);
  }
  EXPECT_EQ(arena.copy("after"), "after");
}

TEST(Arena, ViewsSurviveMoves) {
  Arena first;
  const std::string_view text = first.copy("kept");
  Arena second(std::move(first));
  Arena third;
  const std::string_view other = third.copy("other");
  third = std::move(second);
  EXPECT_EQ(text, "kept");
  EXPECT_EQ(other, "other");                          // second has it now
  EXPECT_EQ(first.copy("used again"), "used again");  // NOLINT(bugprone-use-after-move)
}

}  // namespace
}  // namespace penstock
