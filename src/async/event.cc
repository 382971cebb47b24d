#include "async/event.h"

namespace penstock {

bool Event::Waiter::suspend(std::coroutine_handle<> waiter, TaskContext& context) {
  if (context.cancelled()) {
    cancelled_ = true;
    return false;
  }
  handle_ = waiter;
  executor_ = &context.executor();
  context.add(*this);
  event_->waiters_.push_back(link_);
  return true;
}

void Event::Waiter::on_cancel() {
  link_.unlink();
  cancelled_ = true;
  executor_->post(handle_);
}

void Event::wake(Waiter& waiter) {
  waiter.unlink();
  waiter.executor_->post(waiter.handle_);
}

void Event::set() {
  set_ = true;
  while (wake_one()) {
  }
}

bool Event::wake_one() {
  if (waiters_.empty()) return false;
  wake(*waiters_.pop_front().waiter);
  return true;
}

}  // namespace penstock
