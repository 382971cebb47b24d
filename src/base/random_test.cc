#include "base/random.h"

#include <chrono>

#include <gtest/gtest.h>

namespace penstock {
namespace {

// These numbers are what makes a seed of an old failure still mean the same today.
TEST(Random, GivesTheSameNumbersEverywhere) {
  Random random(1);
  EXPECT_EQ(random.next(), 12966619160104079557U);
  EXPECT_EQ(random.next(), 9600361134598540522U);
  EXPECT_EQ(Random(1).fork().next(), Random(1).fork().next());
  EXPECT_NE(Random(1).next(), Random(2).next());
}

TEST(Random, KeepsItsBounds) {
  Random random(7);
  std::uint64_t seen_small = 0;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_LT(random.below(10), 10U);
    const std::uint64_t skewed = random.skewed(3, 70'000);
    EXPECT_GE(skewed, 3U);
    EXPECT_LE(skewed, 70'000U);
    if (skewed < 300) ++seen_small;
    const Duration duration = random.between(std::chrono::seconds(1), std::chrono::seconds(2));
    EXPECT_GE(duration, std::chrono::seconds(1));
    EXPECT_LE(duration, std::chrono::seconds(2));
  }
  EXPECT_GT(seen_small, 2'000U);
  EXPECT_EQ(random.skewed(0, 0), 0U);
  EXPECT_EQ(random.skewed(5, 5), 5U);
}

TEST(Random, ChanceFollowsItsProbability) {
  Random random(3);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) hits += random.chance(0.25) ? 1 : 0;
  EXPECT_NEAR(hits, 2'500, 200);
  EXPECT_FALSE(random.chance(0));
  EXPECT_TRUE(random.chance(1));
}

}  // namespace
}  // namespace penstock
