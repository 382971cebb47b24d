// Waiting for one other party of the same thread, with a limit of time and without a coroutine of
// its own.
#pragma once

#include <coroutine>

#include "async/context.h"
#include "async/timer.h"
#include "base/error.h"
#include "base/time.h"

namespace penstock::http2 {

// At most one task waits at a time. A wake() while nobody waits is forgotten: whoever waits looks
// first at what it waits for, and again afterwards.
class Signal {
 public:
  // co_await signal.wait(deadline): success when woken, else timed_out or cancelled.
  class Wait final : public CancelHook, private Timer {
   public:
    Wait(Signal& signal, TimePoint deadline) : signal_(&signal), deadline_(deadline) {}
    bool await_ready() const { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) {
      return suspend(caller, caller.promise().context());
    }
    Result<void> await_resume() const { return result_; }

   private:
    friend class Signal;
    bool suspend(std::coroutine_handle<> waiter, TaskContext& context);
    void finish(Result<void> result);
    void on_cancel() override;
    void on_timer() override;

    Signal* signal_;
    TimePoint deadline_;
    Result<void> result_;
    std::coroutine_handle<> waiter_;
    Executor* executor_ = nullptr;
  };

  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  [[nodiscard]] Wait wait(TimePoint deadline = kNever) { return {*this, deadline}; }
  [[nodiscard]] bool waited_for() const { return waiting_ != nullptr; }
  // Posts the task that waits, if one does.
  void wake();

 private:
  Wait* waiting_ = nullptr;
};

}  // namespace penstock::http2
