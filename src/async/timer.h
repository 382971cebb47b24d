// Timers on a hierarchical wheel: O(1) to arm, re-arm and disarm, one millisecond fine.
#pragma once

#include <array>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/time.h"

namespace penstock {

class TimerWheel;

// Something to be told when a time has come. Disarms itself when destroyed. A timer that is armed
// far more often than it fires (an idle timeout) should keep its deadline to itself, let the timer
// fire at an old one, and arm it again from on_timer(): then the wheel is hardly touched.
class Timer : public ListNode {
 public:
  virtual ~Timer() = default;
  [[nodiscard]] bool armed() const { return linked(); }
  void disarm() { unlink(); }

 protected:
  // Called from TimerWheel::advance(), disarmed. May arm and destroy timers; must not resume
  // coroutines directly (Executor::post() them).
  virtual void on_timer() = 0;

 private:
  friend class TimerWheel;
  std::int64_t tick_ = 0;
};

// Five levels of 64 slots; the lowest holds one tick (a millisecond) each.
class TimerWheel {
 public:
  explicit TimerWheel(TimePoint start = TimePoint{}) : current_(tick_of(start)) {}

  // Fires at the first advance() at or after `when` (rounded up to the next tick). Re-arms.
  void arm(Timer& timer, TimePoint when);
  // Calls on_timer() of all timers that are due.
  void advance(TimePoint now);
  // When advance() has something to do at the earliest, kNever when no timer is armed. May be
  // earlier than the first timer (a higher level's slot has to be sorted down), never later.
  [[nodiscard]] TimePoint next() const;

 private:
  static constexpr int kLevels = 5;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr Duration kTick = std::chrono::milliseconds(1);

  static std::int64_t tick_of(TimePoint t) { return t.time_since_epoch() / kTick; }
  void insert(Timer& timer);
  void sort_down(int level, int slot);

  struct Level {
    std::array<IntrusiveList<Timer>, kSlots> slots;
    // A set bit may stand for a slot that has become empty; a slot in use always has its bit.
    mutable std::uint64_t used = 0;
  };
  std::array<Level, kLevels> levels_;
  std::int64_t current_;  // the last tick that was fired
};

}  // namespace penstock
