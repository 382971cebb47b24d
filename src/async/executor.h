// What a thread's tasks run on: a queue of coroutines that can go on, a clock, timers.
#pragma once

#include <chrono>
#include <coroutine>
#include <vector>

#include "async/timer.h"
#include "base/time.h"

namespace penstock {

// Whoever drives it (the event loop, or a simulation) sets the time and runs it in turns: gather
// what has happened, fire timers, run what became ready. Belongs to one thread.
class Executor {
 public:
  explicit Executor(TimePoint start = TimePoint{}) : now_(start), timers_(start) {}
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Resumes the coroutine in the current turn, after those posted before it. Everything that
  // completes an operation does so through here, never by resuming in place: so no caller finds
  // its own objects gone when a call returns.
  void post(std::coroutine_handle<> coroutine) { ready_.push_back(coroutine); }
  [[nodiscard]] bool has_ready() const { return !ready_.empty(); }
  // Runs what is ready now; what that makes ready is left for the next call. The number run.
  std::size_t run_ready();

  // The time of this turn.
  [[nodiscard]] TimePoint now() const { return now_; }
  // The same moment as calendar time, for Date fields and logs.
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const { return wall_now_; }
  // For the driver: starts a turn at that time.
  void set_time(TimePoint now, std::chrono::system_clock::time_point wall) {
    now_ = now;
    wall_now_ = wall;
  }

  [[nodiscard]] TimerWheel& timers() { return timers_; }

 private:
  TimePoint now_;
  std::chrono::system_clock::time_point wall_now_;
  TimerWheel timers_;
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
};

}  // namespace penstock
