#include "upstream/slow_start.h"

#include <chrono>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

std::uint32_t weight_after(Duration age, std::uint32_t weight = 1, Duration ramp = 90s) {
  const TimePoint since = TimePoint() + 1h;
  return slow_start_weight(weight, since, since + age, ramp);
}

TEST(SlowStart, RisesInAStraightLineFromATenth) {
  EXPECT_EQ(weight_after(0s), 10U);
  EXPECT_EQ(weight_after(1s), 11U);
  EXPECT_EQ(weight_after(45s), 55U);
  EXPECT_EQ(weight_after(90s - 1ns), 99U);
  EXPECT_EQ(weight_after(90s), 100U);
  EXPECT_EQ(weight_after(10h), 100U);
  EXPECT_EQ(weight_after(45s, 7), 385U);
}

TEST(SlowStart, KeepsItsBounds) {
  EXPECT_EQ(weight_after(-5s), 10U);
  EXPECT_EQ(weight_after(0s, 0), 0U);
  EXPECT_EQ(weight_after(90s, 0), 0U);
  EXPECT_EQ(weight_after(0s, 1, 0s), 100U);
  EXPECT_EQ(weight_after(0s, 1, -1s), 100U);
  EXPECT_EQ(weight_after(90s, 0xffffffff), 4'294'967'200U);
  EXPECT_EQ(slow_start_weight(1, TimePoint::min(), TimePoint(), 1s), 100U);
  EXPECT_EQ(slow_start_weight(1, TimePoint(), TimePoint(), Duration::max()), 10U);
}

}  // namespace
}  // namespace penstock
