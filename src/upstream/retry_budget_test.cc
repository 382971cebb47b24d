#include "upstream/retry_budget.h"

#include <chrono>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

int withdraw_all(RetryBudget& budget, TimePoint now) {
  int count = 0;
  while (count < 100'000 && budget.withdraw(now)) ++count;
  return count;
}

TEST(RetryBudget, AllowsAShareOfTheRequests) {
  RetryBudget budget(0.2, 0);
  const TimePoint start = TimePoint() + 1h;
  EXPECT_FALSE(budget.withdraw(start));
  for (int i = 0; i < 100; ++i) budget.deposit(start);
  EXPECT_EQ(withdraw_all(budget, start), 20);
  for (int i = 0; i < 4; ++i) budget.deposit(start + 1s);
  EXPECT_FALSE(budget.withdraw(start + 1s));
  budget.deposit(start + 1s);
  EXPECT_TRUE(budget.withdraw(start + 1s));
  EXPECT_FALSE(budget.withdraw(start + 1s));
}

TEST(RetryBudget, FollowsTheLastTenSeconds) {
  RetryBudget budget(0.5, 0);
  const TimePoint start = TimePoint() + 1h;
  for (int i = 0; i < 10; ++i) budget.deposit(start);
  for (int i = 0; i < 20; ++i) budget.deposit(start + 5s);
  EXPECT_EQ(withdraw_all(budget, start + 9s + 999ms), 15);
  // The ten of the first second have gone, the retries have not.
  EXPECT_EQ(withdraw_all(budget, start + 14s), 0);
  for (int i = 0; i < 20; ++i) budget.deposit(start + 14s);
  EXPECT_EQ(withdraw_all(budget, start + 14s), 5);
  EXPECT_EQ(withdraw_all(budget, start + 24s), 0);
  budget.deposit(start + 1h);
  budget.deposit(start + 1h);
  EXPECT_EQ(withdraw_all(budget, start + 1h), 1);
}

TEST(RetryBudget, AlwaysAllowsAFewInASecond) {
  RetryBudget budget(0.1, 3);
  TimePoint now = TimePoint() + 1h;
  for (int second = 0; second < 30; ++second) {
    EXPECT_EQ(withdraw_all(budget, now), 3) << second;
    now += 1s;
  }
  // A share that is larger than the minimum has it included.
  RetryBudget other(0.1, 3);
  for (int i = 0; i < 200; ++i) other.deposit(now);
  EXPECT_EQ(withdraw_all(other, now), 20);
}

// What a server in trouble sees: a tenth more, whatever fails.
TEST(RetryBudget, BoundsASteadyStreamOfFailures) {
  RetryBudget budget(0.1, 1);
  TimePoint now = TimePoint() + 1h;
  int retries = 0;
  for (int i = 0; i < 60'000; ++i) {
    budget.deposit(now);
    if (budget.withdraw(now)) ++retries;
    now += 1ms;
  }
  EXPECT_NEAR(retries, 6'000, 70);
}

}  // namespace
}  // namespace penstock
