// Scopes: tasks that run beside each other and end together.
#pragma once

#include <coroutine>
#include <cstddef>

#include "async/context.h"
#include "async/task.h"

namespace penstock {

// Owns the tasks spawned into it. They must all have ended (join) before it is destroyed.
// Cancelling the context it was made in cancels it too.
class Scope {
 public:
  // A scope at the top, whose tasks nobody cancels but its owner.
  explicit Scope(Executor& executor) : context_(executor) {}
  // A scope inside a task.
  explicit Scope(TaskContext& parent) : context_(parent) {}
  ~Scope() { PENSTOCK_CHECK(running_ == 0); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Starts the task: it runs at once up to where it first suspends.
  void spawn(Task<void> task);
  // Cancels all tasks of the scope, present and future.
  void cancel() { context_.cancel(); }
  [[nodiscard]] bool cancelled() const { return context_.cancelled(); }
  [[nodiscard]] std::size_t running() const { return running_; }
  [[nodiscard]] TaskContext& context() { return context_; }

  // co_await scope.join(): goes on when all tasks have ended. Is not cut short by cancellation of
  // the waiting task, as the tasks may use what that task owns; it cancels the scope instead.
  struct Join {
    Scope* scope;
    bool await_ready() const noexcept { return scope->running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept {
      PENSTOCK_CHECK(!scope->joiner_);
      scope->joiner_ = waiter;
    }
    void await_resume() const noexcept {}
  };
  [[nodiscard]] Join join() { return Join{this}; }

 private:
  friend class PromiseBase;
  void on_task_end() noexcept;

  ChildContext context_;
  std::size_t running_ = 0;
  std::coroutine_handle<> joiner_;
};

}  // namespace penstock
