#include "async/sleep.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/event.h"
#include "async/virtual_time_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

Task<void> sleep_and_note(TimePoint until, std::optional<bool>& result) {
  result = co_await sleep_until(until);
}

TEST(SleepUntil, EndsWhenTheTimeHasCome) {
  VirtualTime time;
  std::optional<bool> result;
  time.spawn(sleep_and_note(TimePoint{10s}, result));
  time.advance_to(TimePoint{10s - 1ms});
  EXPECT_FALSE(result);
  time.advance_to(TimePoint{10s});
  EXPECT_EQ(result, true);
}

TEST(SleepUntil, ThePastIsOverSoon) {
  VirtualTime time;
  time.advance_to(TimePoint{5s});
  std::optional<bool> result;
  time.spawn(sleep_and_note(TimePoint{1s}, result));
  time.advance(1ms);
  EXPECT_EQ(result, true);
}

TEST(SleepUntil, EndsWhenCancelled) {
  VirtualTime time;
  std::optional<bool> results[3];
  time.spawn(sleep_and_note(TimePoint{10s}, results[0]));
  time.spawn(sleep_and_note(kNever, results[1]));
  time.advance_to(TimePoint{1s});
  time.scope.cancel();
  time.run();
  time.spawn(sleep_and_note(TimePoint{10s}, results[2]));
  for (const auto& result : results) EXPECT_EQ(result, false);
  EXPECT_EQ(time.executor.timers().next(), kNever);
}

TEST(SleepUntil, FiredAndThenCancelledHasSlept) {
  VirtualTime time;
  std::optional<bool> result;
  time.spawn(sleep_and_note(TimePoint{1s}, result));
  time.executor.timers().advance(TimePoint{1s});
  time.scope.cancel();
  time.run();
  EXPECT_EQ(result, true);
}

struct Limited {
  bool fired = false;
  bool set = false;
};

Task<void> wait_for(Event& event, bool& set) { set = co_await event.wait(); }
Task<void> wait_limited(Event& event, TimePoint limit, std::optional<Limited>& result) {
  ChildContext context(co_await this_context());
  CancelAt deadline(context, limit);
  Limited limited;
  co_await wait_for(event, limited.set).in(context);
  limited.fired = deadline.fired();
  result = limited;
}

TEST(CancelAt, CancelsWhenTheTimeComes) {
  VirtualTime time;
  Event event;
  std::optional<Limited> result;
  time.spawn(wait_limited(event, TimePoint{2s}, result));
  time.advance_to(TimePoint{2s - 1ms});
  EXPECT_FALSE(result);
  time.advance_to(TimePoint{2s});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->fired);
  EXPECT_FALSE(result->set);
  EXPECT_FALSE(time.scope.cancelled());
}

TEST(CancelAt, DoesNothingOnceDestroyed) {
  VirtualTime time;
  Event event;
  std::optional<Limited> result;
  time.spawn(wait_limited(event, TimePoint{2s}, result));
  event.set();
  time.run();
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->fired);
  EXPECT_TRUE(result->set);
  EXPECT_EQ(time.executor.timers().next(), kNever);
}

TEST(CancelAt, TellsItsOwnCancellationFromOthers) {
  VirtualTime time;
  Event event;
  std::optional<Limited> result;
  time.spawn(wait_limited(event, kNever, result));
  time.scope.cancel();
  time.run();
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->fired);
  EXPECT_FALSE(result->set);
}

}  // namespace
}  // namespace penstock
