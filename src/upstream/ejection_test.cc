// Which servers may be ejected.
#include <chrono>

#include <gtest/gtest.h>

#include "upstream/hop_share.h"

namespace penstock {
namespace {

using std::chrono::seconds;

constexpr TimePoint kNow{seconds(1000)};

TEST(EjectionTest, ServersThatAreNoLongerOfTheGroupDoNotCount) {
  const UpstreamGroupSettings settings{.name = "a", .ejection = {.failures = 1, .max_share = 50}};
  GroupShare group(settings);
  const auto one = group.server("one:80", 0);
  auto two = group.server("two:80", 0);
  EXPECT_TRUE(two->noted(true, false, kNow));
  two = nullptr;
  // It is the only one, though two others were there once, and one of them was ejected.
  static_cast<void>(group.server("three:80", 0));
  EXPECT_FALSE(one->noted(true, false, kNow));
  EXPECT_TRUE(one->available(kNow));
}

TEST(EjectionTest, ServersThatChecksHaveTakenOutCountAsOut) {
  const UpstreamGroupSettings settings{
      .name = "a", .check = {.fall = 1}, .ejection = {.failures = 1, .max_share = 50}};
  GroupShare group(settings);
  const auto one = group.server("one:80", 0);
  const auto two = group.server("two:80", 0);
  EXPECT_TRUE(two->checked(false, settings.check, kNow));
  // It is the only one that is left.
  EXPECT_FALSE(one->noted(true, false, kNow));
  EXPECT_TRUE(one->available(kNow));
}

}  // namespace
}  // namespace penstock
