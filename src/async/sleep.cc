#include "async/sleep.h"

namespace penstock {

bool SleepUntil::suspend(std::coroutine_handle<> waiter, TaskContext& context) {
  if (context.cancelled()) {
    cancelled_ = true;
    return false;
  }
  waiter_ = waiter;
  executor_ = &context.executor();
  context.add(*this);
  executor_->timers().arm(*this, when_);
  return true;
}

void SleepUntil::on_cancel() {
  disarm();
  cancelled_ = true;
  executor_->post(waiter_);
}

void SleepUntil::on_timer() {
  CancelHook::unlink();
  executor_->post(waiter_);
}

CancelAt::CancelAt(TaskContext& context, TimePoint when) : context_(&context) {
  context.executor().timers().arm(*this, when);
}

void CancelAt::on_timer() {
  fired_ = true;
  context_->cancel();
}

}  // namespace penstock
