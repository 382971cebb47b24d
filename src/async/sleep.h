// Waiting for time to pass, and limiting the time other things take.
#pragma once

#include <coroutine>

#include "async/context.h"
#include "async/task.h"
#include "async/timer.h"
#include "base/error.h"

namespace penstock {

// co_await sleep_until(t): true when the time has come, false when the task was cancelled before.
class SleepUntil final : public CancelHook, private Timer {
 public:
  explicit SleepUntil(TimePoint when) : when_(when) {}
  bool await_ready() const { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return suspend(caller, caller.promise().context());
  }
  bool await_resume() const { return !cancelled_; }

 private:
  bool suspend(std::coroutine_handle<> waiter, TaskContext& context);
  void on_cancel() override;
  void on_timer() override;

  TimePoint when_;
  bool cancelled_ = false;
  std::coroutine_handle<> waiter_;
  Executor* executor_ = nullptr;
};
[[nodiscard]] inline SleepUntil sleep_until(TimePoint when) { return SleepUntil(when); }

// co_await yield_turn(): lets everything else that is ready on this thread go first. For loops that
// may find something to do for a long time without ever having to wait.
struct YieldTurn {
  bool await_ready() const { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) {
    caller.promise().context().executor().post(caller);
  }
  void await_resume() const {}
};
[[nodiscard]] inline YieldTurn yield_turn() { return {}; }

// Cancels a context when a time comes, unless destroyed before; fired() tells which it was.
class CancelAt final : private Timer {
 public:
  CancelAt(TaskContext& context, TimePoint when);
  [[nodiscard]] bool fired() const { return fired_; }

 private:
  void on_timer() override;
  TaskContext* context_;
  bool fired_ = false;
};

}  // namespace penstock
