#include "async/scope.h"

#include <utility>

namespace penstock {

void Scope::spawn(Task<void> task) {
  const auto handle = std::exchange(task.handle_, nullptr);
  handle.promise().context_ = &context_;
  handle.promise().scope_ = this;
  ++running_;
  handle.resume();
}

void Scope::on_task_end() noexcept {
  --running_;
  if (running_ == 0 && joiner_) context_.executor().post(std::exchange(joiner_, nullptr));
}

std::coroutine_handle<> PromiseBase::end_of_child(std::coroutine_handle<> frame,
                                                  Scope& scope) noexcept {
  frame.destroy();
  scope.on_task_end();
  return std::noop_coroutine();
}

}  // namespace penstock
