#include "async/event.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "async/virtual_time_test.h"

namespace penstock {
namespace {

Task<void> wait_for(Event& event, std::vector<int>& woken, int number) {
  woken.push_back(co_await event.wait() ? number : -number);
}

class EventTest : public testing::Test {
 protected:
  void start(int number) { time_.spawn(wait_for(*event_, woken_, number)); }

  VirtualTime time_;
  std::optional<Event> event_{std::in_place};
  std::vector<int> woken_;
};

TEST_F(EventTest, SetWakesAllAndLetsLaterOnesPassUntilReset) {
  start(1);
  start(2);
  event_->set();
  time_.run();
  start(3);
  EXPECT_EQ(woken_, (std::vector{1, 2, 3}));
  event_->reset();
  EXPECT_FALSE(event_->is_set());
  start(4);
  EXPECT_EQ(woken_.size(), 3U);
  event_->set();
  event_->reset();  // the one that waited is awake all the same
  time_.run();
  EXPECT_EQ(woken_.back(), 4);
}

TEST_F(EventTest, WakeOneWakesTheLongestWaiting) {
  EXPECT_FALSE(event_->wake_one());
  for (int i = 1; i <= 3; ++i) start(i);
  EXPECT_TRUE(event_->wake_one());
  EXPECT_TRUE(event_->wake_one());
  time_.run();
  EXPECT_EQ(woken_, (std::vector{1, 2}));
  EXPECT_FALSE(event_->is_set());
  event_->set();
  time_.run();
}

TEST_F(EventTest, CancelledWaitersLeaveTheQueue) {
  Scope other(time_.executor);
  other.spawn(wait_for(*event_, woken_, 7));
  start(1);
  other.cancel();
  EXPECT_TRUE(event_->wake_one());  // goes to the one that still waits
  time_.run();
  EXPECT_EQ(woken_, (std::vector{-7, 1}));
  EXPECT_FALSE(event_->wake_one());
}

TEST_F(EventTest, MayBeDestroyedOnceItHasWoken) {
  start(1);
  start(2);
  event_->set();
  event_.reset();
  time_.run();
  EXPECT_EQ(woken_, (std::vector{1, 2}));
}

}  // namespace
}  // namespace penstock
