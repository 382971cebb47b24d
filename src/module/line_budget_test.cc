#include "module/line_budget.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LineBudget, CountsWhatIsLeftOutOfAPeriod) {
  LineBudget budget(2, seconds(1));
  TimePoint now{seconds(100)};
  EXPECT_EQ(budget.take_left_out(now), 0U);
  EXPECT_TRUE(budget.allows(now));
  EXPECT_TRUE(budget.allows(now));
  EXPECT_FALSE(budget.allows(now));
  now += milliseconds(999);
  EXPECT_FALSE(budget.allows(now));
  EXPECT_EQ(budget.take_left_out(now), 0U);
  now += milliseconds(1);
  EXPECT_EQ(budget.end(), now);
  EXPECT_EQ(budget.take_left_out(now), 2U);
  EXPECT_EQ(budget.take_left_out(now), 0U);
  EXPECT_TRUE(budget.allows(now));
  EXPECT_TRUE(budget.allows(now));
  EXPECT_FALSE(budget.allows(now));
  EXPECT_EQ(budget.take_left_out(), 1U);
}

}  // namespace
}  // namespace penstock
