#include "module/watchdog.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// Looks when it is told to, at times of the test's own.
class WatchdogTest : public testing::Test {
 protected:
  void pass(Duration time) {
    now += time;
    watchdog.look(now);
  }
  std::vector<std::string> take_lines() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::vector<std::string> counted;
  TimePoint now{seconds(50)};
  Watchdog watchdog{[this](std::string_view line) { lines.emplace_back(line); },
                    [this](std::string_view name) { counted.emplace_back(name); }};
  WatchdogSlot& slot = watchdog.add_slot();
};

TEST_F(WatchdogTest, LooksOnlyWhileThereAreInstances) {
  EXPECT_EQ(watchdog.interval(), Duration::zero());
  {
    const WatchedInstance slow = watchdog.add_instance("slow", milliseconds(200));
    EXPECT_EQ(watchdog.interval(), milliseconds(50));
    const WatchedInstance quick = watchdog.add_instance("quick", milliseconds(20));
    EXPECT_EQ(watchdog.interval(), milliseconds(5));
    const WatchedInstance unwatched = watchdog.add_instance("unwatched", Duration::zero());
    EXPECT_EQ(watchdog.interval(), milliseconds(5));
    const WatchedInstance quickest = watchdog.add_instance("quickest", milliseconds(1));
    EXPECT_EQ(watchdog.interval(), milliseconds(1));
  }
  EXPECT_EQ(watchdog.interval(), Duration::zero());
}

TEST_F(WatchdogTest, ReportsOnceWhileACallLastsAndOnceWhenItHasEnded) {
  const WatchedInstance instance = watchdog.add_instance("filter", milliseconds(40));
  std::optional<WatchedCall> call(std::in_place, &slot, instance, ModuleEvent::request_body);
  pass(milliseconds(10));
  pass(milliseconds(39));
  EXPECT_THAT(take_lines(), IsEmpty());
  pass(milliseconds(1));
  EXPECT_THAT(take_lines(),
              ElementsAre("module.filter: request_body has held a worker for 40 ms and goes on"));
  pass(milliseconds(10));
  pass(milliseconds(10));
  EXPECT_THAT(take_lines(), IsEmpty());
  call.reset();
  pass(milliseconds(10));
  EXPECT_THAT(take_lines(),
              ElementsAre("module.filter: request_body held a worker for at least 60 ms"));
  pass(seconds(10));
  EXPECT_THAT(take_lines(), IsEmpty());
  EXPECT_THAT(counted, ElementsAre("filter"));
}

TEST_F(WatchdogTest, ManyShortCallsAreNotOneLongOne) {
  const WatchedInstance instance = watchdog.add_instance("filter", milliseconds(40));
  for (int i = 0; i < 100; ++i) {
    const WatchedCall call(&slot, instance, ModuleEvent::request_body);
    pass(milliseconds(39));
  }
  EXPECT_THAT(take_lines(), IsEmpty());
  EXPECT_THAT(counted, IsEmpty());
}

TEST_F(WatchdogTest, CallsOfOneKindThatAreSlowInTurnAreToldApart) {
  const WatchedInstance instance = watchdog.add_instance("filter", milliseconds(40));
  for (int i = 0; i < 2; ++i) {
    const WatchedCall call(&slot, instance, ModuleEvent::timer);
    pass(milliseconds(10));
    pass(milliseconds(40));
  }
  EXPECT_THAT(take_lines(),
              ElementsAre("module.filter: timer has held a worker for 40 ms and goes on",
                          "module.filter: timer held a worker for at least 40 ms",
                          "module.filter: timer has held a worker for 40 ms and goes on"));
  EXPECT_THAT(counted, ElementsAre("filter", "filter"));
}

TEST_F(WatchdogTest, WorkersAndInstancesAreToldApart) {
  WatchdogSlot& other_slot = watchdog.add_slot();
  const WatchedInstance strict = watchdog.add_instance("strict", milliseconds(10));
  const WatchedInstance patient = watchdog.add_instance("patient", milliseconds(100));
  const WatchedInstance unwatched = watchdog.add_instance("unwatched", Duration::zero());
  WatchdogSlot& third_slot = watchdog.add_slot();
  const WatchedCall first(&slot, strict, ModuleEvent::logged);
  const WatchedCall second(&other_slot, patient, ModuleEvent::watch);
  const WatchedCall third(&third_slot, unwatched, ModuleEvent::watch);
  const WatchedCall nobodys(nullptr, patient, ModuleEvent::watch);
  pass(milliseconds(5));
  pass(milliseconds(50));
  EXPECT_THAT(take_lines(),
              ElementsAre("module.strict: logged has held a worker for 50 ms and goes on"));
  pass(milliseconds(50));
  EXPECT_THAT(take_lines(),
              ElementsAre("module.patient: watch has held a worker for 100 ms and goes on"));
}

TEST_F(WatchdogTest, AnOuterCallIsSeenAgainWhenTheInnerOneHasEnded) {
  const WatchedInstance outer = watchdog.add_instance("outer", milliseconds(40));
  const WatchedInstance inner = watchdog.add_instance("inner", milliseconds(40));
  const WatchedCall call(&slot, outer, ModuleEvent::request_body);
  {
    const WatchedCall nested(&slot, inner, ModuleEvent::request_head);
    pass(milliseconds(10));
  }
  pass(milliseconds(10));
  pass(milliseconds(40));
  EXPECT_THAT(take_lines(),
              ElementsAre("module.outer: request_body has held a worker for 40 ms and goes on"));
}

TEST_F(WatchdogTest, ManySlowCallsAreCountedAndNotDescribed) {
  const WatchedInstance instance = watchdog.add_instance("filter", milliseconds(40));
  for (int i = 0; i < 15; ++i) {
    const WatchedCall call(&slot, instance, ModuleEvent::free);
    pass(milliseconds(1));
    pass(milliseconds(40));
  }
  pass(milliseconds(1));
  EXPECT_EQ(take_lines().size(), 20U);
  EXPECT_EQ(counted.size(), 15U);
  pass(seconds(10));
  EXPECT_THAT(take_lines(),
              ElementsAre("module.filter: 5 more callbacks held a worker for longer than 40 ms"));
}

TEST_F(WatchdogTest, AnInstanceThatGoesLeavesNothingUnsaid) {
  {
    const WatchedInstance instance = watchdog.add_instance("filter", milliseconds(40));
    const WatchedCall call(&slot, instance, ModuleEvent::free);
    pass(milliseconds(1));
    pass(milliseconds(40));
  }
  EXPECT_THAT(take_lines(),
              ElementsAre("module.filter: free has held a worker for 40 ms and goes on",
                          "module.filter: free held a worker for at least 40 ms"));
  // One that comes later is not taken for it.
  const WatchedInstance next = watchdog.add_instance("next", milliseconds(40));
  pass(seconds(1));
  pass(seconds(1));
  EXPECT_THAT(take_lines(), IsEmpty());
}

TEST_F(WatchdogTest, AMovedInstanceIsRegisteredOnce) {
  WatchedInstance instance = watchdog.add_instance("filter", milliseconds(40));
  WatchedInstance moved(std::move(instance));
  instance = watchdog.add_instance("second", milliseconds(20));
  EXPECT_EQ(watchdog.interval(), milliseconds(5));
  instance = {};
  EXPECT_EQ(watchdog.interval(), milliseconds(10));
  moved = {};
  EXPECT_EQ(watchdog.interval(), Duration::zero());
}

// Threads as they are in the proxy; for the thread sanitizer, too.
TEST(WatchdogThread, SeesACallThatHoldsItsWorkerAndOthersThatDoNot) {
  std::mutex mutex;
  std::condition_variable changed;
  int slow = 0;
  int ended = 0;
  Watchdog watchdog(
      [&](std::string_view line) {
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(line.starts_with("module.slow: request_head ")) << line;
        if (line.find("at least") != std::string_view::npos) ++ended;
        changed.notify_all();
      },
      [&](std::string_view name) {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(name, "slow");
        ++slow;
        changed.notify_all();
      });
  watchdog.start();
  const WatchedInstance slow_instance = watchdog.add_instance("slow", milliseconds(4));
  const WatchedInstance quick_instance = watchdog.add_instance("quick", seconds(100));
  std::atomic<bool> stop = false;
  std::thread quick([&] {
    WatchdogSlot& slot = watchdog.add_slot();
    while (!stop.load()) const WatchedCall call(&slot, quick_instance, ModuleEvent::logged);
  });
  std::thread comes_and_goes([&] {
    while (!stop.load()) {
      const WatchedInstance instance = watchdog.add_instance("gone", seconds(100));
    }
  });
  {
    WatchdogSlot& slot = watchdog.add_slot();
    const WatchedCall call(&slot, slow_instance, ModuleEvent::request_head);
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, seconds(20), [&] { return slow == 1; }));
  }
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, seconds(20), [&] { return ended == 1; }));
  }
  stop.store(true);
  quick.join();
  comes_and_goes.join();
  EXPECT_EQ(slow, 1);
}

}  // namespace
}  // namespace penstock
