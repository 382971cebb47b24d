#include "http2/signal.h"

#include <utility>

#include "base/check.h"

namespace penstock::http2 {

bool Signal::Wait::suspend(std::coroutine_handle<> waiter, TaskContext& context) {
  if (context.cancelled()) {
    result_ = fail(ErrorKind::cancelled);
    return false;
  }
  PENSTOCK_CHECK(signal_->waiting_ == nullptr);
  waiter_ = waiter;
  executor_ = &context.executor();
  context.add(*this);
  signal_->waiting_ = this;
  if (deadline_ != kNever) executor_->timers().arm(*this, deadline_);
  return true;
}

void Signal::Wait::finish(Result<void> result) {
  signal_->waiting_ = nullptr;
  CancelHook::unlink();
  disarm();
  result_ = result;
  executor_->post(waiter_);
}

void Signal::Wait::on_cancel() { finish(fail(ErrorKind::cancelled)); }
void Signal::Wait::on_timer() { finish(fail(ErrorKind::timed_out)); }

void Signal::wake() {
  if (waiting_ != nullptr) waiting_->finish({});
}

}  // namespace penstock::http2
