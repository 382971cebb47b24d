#include "base/back_off.h"

#include <algorithm>
#include <chrono>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

TEST(BackOff, IsSpreadFromZeroToABoundThatDoubles) {
  Random random(1);
  const Duration bounds[] = {100ms, 200ms, 400ms, 800ms, 1s, 1s};
  for (unsigned attempt = 0; attempt < 6; ++attempt) {
    const Duration bound = bounds[attempt];
    Duration least = bound;
    Duration most{};
    Duration sum{};
    for (int i = 0; i < 2'000; ++i) {
      const Duration wait = back_off(100ms, 1s, attempt, random);
      least = std::min(least, wait);
      most = std::max(most, wait);
      sum += wait;
    }
    EXPECT_GE(least, 0ns);
    EXPECT_LT(least, bound / 50) << attempt;
    EXPECT_LE(most, bound) << attempt;
    EXPECT_GT(most, bound - bound / 50) << attempt;
    EXPECT_NEAR(static_cast<double>((sum / 2'000).count()), static_cast<double>(bound.count()) / 2,
                static_cast<double>(bound.count()) / 30);
  }
}

TEST(BackOff, TakesAnyNumbers) {
  Random random(1);
  EXPECT_EQ(back_off(0s, 1s, 3, random), 0s);
  EXPECT_EQ(back_off(1s, 0s, 3, random), 0s);
  EXPECT_EQ(back_off(-1s, -1s, 3, random), 0s);
  for (const unsigned attempt : {30U, 61U, 62U, 63U, 64U, 4'000'000'000U}) {
    EXPECT_LE(back_off(1ns, 1s, attempt, random), 1s);
    EXPECT_GE(back_off(1s, Duration::max() - 1ns, attempt, random), 0s);
  }
  EXPECT_LE(back_off(5s, 1s, 0, random), 1s);
}

}  // namespace
}  // namespace penstock
