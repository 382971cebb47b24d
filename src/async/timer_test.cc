#include "async/timer.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

class TestTimer final : public Timer {
 public:
  std::function<void(TestTimer&)> then;  // called when it fires, if set
  int fired = 0;

 private:
  void on_timer() override {
    EXPECT_FALSE(armed());
    ++fired;
    if (then) then(*this);
  }
};

// Both sides of the places where digits of the wheel turn over, up to several turns of the whole.
constexpr Duration kStarts[] = {0ms,
                                1ms,
                                63ms,
                                4095ms,
                                (1LL << 18) * 1ms,
                                (1LL << 24) * 1ms - 1ms,
                                (1LL << 30) * 1ms - 10s,
                                (1LL << 30) * 1ms - 1ms,
                                (1LL << 30) * 1ms,
                                (3LL << 30) * 1ms + (10LL << 24) * 1ms + 5ms};
constexpr Duration kDelays[] = {
    1ns,  1ms + 1ns, 64ms + 1ns, 30s + 1ns,      1ms,      2ms,      62ms,      63ms, 64ms,
    65ms, 1s,        4095ms,     4096ms,         30s,      1min,     262'144ms, 1h,   5h,
    24h,  days(9),   days(12),   days(12) + 10h, days(13), days(20), days(40)};

TEST(TimerWheel, FiresAtItsTickAndNotBefore) {
  for (const Duration start : kStarts) {
    for (const Duration delay : kDelays) {
      SCOPED_TRACE(testing::Message()
                   << "start " << start / 1ms << " ms, delay " << delay / 1ns << " ns");
      TimerWheel wheel(TimePoint{start});
      TestTimer timer;
      const TimePoint when{start + delay};
      wheel.arm(timer, when);
      EXPECT_TRUE(timer.armed());
      wheel.advance(when - 1ns);
      EXPECT_EQ(timer.fired, 0);
      EXPECT_LE(wheel.next(), std::chrono::ceil<std::chrono::milliseconds>(when));
      wheel.advance(std::chrono::ceil<std::chrono::milliseconds>(when));
      EXPECT_EQ(timer.fired, 1);
      EXPECT_FALSE(timer.armed());
      EXPECT_EQ(wheel.next(), kNever);
    }
  }
}

// Driven as the loop does it, only ever woken at next(): reaches the timer in few steps.
TEST(TimerWheel, NextLeadsToTheTimer) {
  for (const Duration start : kStarts) {
    for (const Duration delay : kDelays) {
      TimerWheel wheel(TimePoint{start});
      TestTimer timer;
      wheel.arm(timer, TimePoint{start + delay});
      int steps = 0;
      while (timer.fired == 0) {
        const TimePoint next = wheel.next();
        ASSERT_LE(next, std::chrono::ceil<std::chrono::milliseconds>(TimePoint{start + delay}));
        ASSERT_LT(++steps, 10);
        wheel.advance(next);
      }
    }
  }
}

TEST(TimerWheel, ADueTimeFiresAtTheNextTick) {
  TimerWheel wheel(TimePoint{10s});
  TestTimer timer;
  wheel.arm(timer, TimePoint{5s});
  wheel.advance(TimePoint{10s});
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(TimePoint{10s + 1ms});
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, DisarmedRearmedAndDestroyedTimers) {
  TimerWheel wheel;
  TestTimer disarmed;
  TestTimer rearmed;
  TestTimer never;
  wheel.arm(disarmed, TimePoint{1s});
  wheel.arm(rearmed, TimePoint{1s});
  wheel.arm(rearmed, TimePoint{3s});
  wheel.arm(never, TimePoint{1s});
  wheel.arm(never, kNever);
  {
    TestTimer destroyed;
    wheel.arm(destroyed, TimePoint{1s});
  }
  disarmed.disarm();
  EXPECT_FALSE(disarmed.armed());
  EXPECT_FALSE(never.armed());
  wheel.advance(TimePoint{2s});
  EXPECT_EQ(disarmed.fired + rearmed.fired + never.fired, 0);
  wheel.advance(TimePoint{3s});
  EXPECT_EQ(rearmed.fired, 1);
  EXPECT_EQ(wheel.next(), kNever);
}

TEST(TimerWheel, ATimerMayArmItselfAndOthersWhenItFires) {
  TimerWheel wheel;
  TestTimer periodic;
  TestTimer other;
  TestTimer stopped;
  periodic.then = [&](TestTimer& self) {
    if (self.fired < 5) wheel.arm(self, TimePoint{self.fired * 100ms});
    wheel.arm(other, TimePoint{10s});
    stopped.disarm();
  };
  wheel.arm(stopped, TimePoint{50ms});
  wheel.arm(periodic, TimePoint{50ms - 1ms});
  wheel.advance(TimePoint{1s});  // one long jump: all that fell due meanwhile fires
  EXPECT_EQ(periodic.fired, 5);
  EXPECT_EQ(stopped.fired, 0);
  EXPECT_TRUE(other.armed());
  wheel.advance(TimePoint{days(100)});
  EXPECT_EQ(other.fired, 1);
}

TEST(TimerWheel, ThousandsOfOneTick) {
  TimerWheel wheel;
  std::vector<TestTimer> timers(5000);
  for (TestTimer& timer : timers) wheel.arm(timer, TimePoint{30s});
  wheel.advance(TimePoint{30s - 1ms});
  EXPECT_TRUE(std::ranges::all_of(timers, [](const TestTimer& t) { return t.fired == 0; }));
  wheel.advance(TimePoint{30s});
  EXPECT_TRUE(std::ranges::all_of(timers, [](const TestTimer& t) { return t.fired == 1; }));
}

// Random arming, disarming and jumps of all sizes, compared with the ticks as they should be.
class TimerWheelProperty : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::size_t kTimers = 60;

  // A duration of a random order of magnitude, from a nanosecond to some weeks.
  Duration random_duration() {
    return Duration(static_cast<std::int64_t>(random_() >> (12 + random_() % 50)));
  }

  void arm_random() {
    const std::size_t i = random_() % kTimers;
    if (random_() % 8 == 0) {
      timers_[i].disarm();
      due_[i] = kNever;
    } else {
      const TimePoint when = now_ + random_duration() - random_duration() / 8;
      wheel_.arm(timers_[i], when);
      due_[i] = std::max<TimePoint>(std::chrono::ceil<std::chrono::milliseconds>(when),
                                    std::chrono::floor<std::chrono::milliseconds>(now_) + 1ms);
    }
  }

  void jump() {
    const TimePoint next = wheel_.next();
    EXPECT_LE(next, *std::ranges::min_element(due_));
    now_ = next != kNever && random_() % 2 == 0 ? std::max(now_, next) : now_ + random_duration();
    wheel_.advance(now_);
    for (std::size_t i = 0; i < kTimers; ++i) {
      EXPECT_EQ(std::exchange(timers_[i].fired, 0), due_[i] <= now_ ? 1 : 0);
      if (due_[i] <= now_) due_[i] = kNever;
      EXPECT_EQ(timers_[i].armed(), due_[i] != kNever);
    }
  }

  std::mt19937_64 random_{GetParam()};
  TimePoint now_{random_duration()};
  TimerWheel wheel_{now_};
  std::vector<TestTimer> timers_ = std::vector<TestTimer>(kTimers);
  std::vector<TimePoint> due_ = std::vector<TimePoint>(kTimers, kNever);
};

TEST_P(TimerWheelProperty, NeverEarlyNeverLate) {
  for (int step = 0; step < 1000 && !HasFailure(); ++step) {
    for (auto arms = random_() % 4; arms > 0; --arms) arm_random();
    jump();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelProperty,
                         testing::Range(std::uint64_t{1}, std::uint64_t{21}));

}  // namespace
}  // namespace penstock
