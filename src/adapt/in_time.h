// Awaiting something no longer than some time.
#pragma once

#include <utility>

#include "async/context.h"
#include "async/task.h"
#include "async/timer.h"
#include "base/error.h"
#include "base/time.h"

namespace penstock {

// What the task gives; `timed_out` when it took longer (it was cancelled then, and has ended), or
// `cancelled` where the caller was.
template <class T>
Task<Result<T>> run_in_time(Task<T> work, Duration limit) {
  class Limit final : public Timer {
   public:
    explicit Limit(TaskContext& context) : context_(&context) {}
    [[nodiscard]] bool passed() const { return passed_; }

   private:
    void on_timer() override {
      passed_ = true;
      context_->cancel();
    }
    TaskContext* context_;
    bool passed_ = false;
  };
  TaskContext& outer = co_await this_context();
  ChildContext context(outer);
  Limit timer(context);
  outer.executor().timers().arm(timer, deadline_after(outer.executor().now(), limit));
  T value = co_await std::move(work).in(context);
  if (timer.passed()) co_return fail(ErrorKind::timed_out);
  if (outer.cancelled()) co_return fail(ErrorKind::cancelled);
  co_return std::move(value);
}

}  // namespace penstock
