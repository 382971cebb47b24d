// Task<T>: a coroutine that runs when awaited, and whose caller goes on when it is done.
//
// Rules of the house (see docs/internals/life-of-a-transaction.md):
// - a task is awaited exactly once, or spawned into a Scope; one that was started is never
//   destroyed before it is done: to end it early, cancel its scope;
// - arguments passed by reference must outlive the task: true for `co_await f(local)`;
// - no coroutine is a lambda with captures (the captures die with the lambda, not the frame).
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "async/context.h"
#include "base/check.h"
#include "base/frame_pool.h"

namespace penstock {

class Scope;

// What every task's promise has: the context it runs in, and who goes on when it ends.
class PromiseBase {
 public:
  // Frames come from the thread's pool.
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { pool_free(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  // Errors are values here; an exception that gets this far is a broken invariant.
  void unhandled_exception() noexcept { std::terminate(); }

  [[nodiscard]] TaskContext& context() const { return *context_; }

 protected:
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      PromiseBase& promise = self.promise();
      if (promise.scope_ != nullptr) return end_of_child(self, *promise.scope_);
      return promise.continuation_;
    }
    void await_resume() noexcept {}
  };
  static std::coroutine_handle<> end_of_child(std::coroutine_handle<> frame, Scope& scope) noexcept;

 private:
  template <class T>
  friend class Task;
  friend class Scope;
  TaskContext* context_ = nullptr;
  std::coroutine_handle<> continuation_ = std::noop_coroutine();
  Scope* scope_ = nullptr;
};

// Awaiting one gives its T. Move-only; owns the frame.
template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  // None: there is nothing to await.
  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] bool empty() const { return handle_ == nullptr; }

  struct Awaiter {
    Handle handle;
    TaskContext* context = nullptr;  // null: the caller's
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    Handle await_suspend(std::coroutine_handle<Promise> caller) noexcept {
      handle.promise().context_ = context != nullptr ? context : caller.promise().context_;
      handle.promise().continuation_ = caller;
      return handle;
    }
    T await_resume() {
      if constexpr (!std::is_void_v<T>) {
        return std::move(*handle.promise().value);
      }
    }
  };
  Awaiter operator co_await() && noexcept { return Awaiter{handle_}; }
  // co_await std::move(task).in(context): runs it in another context than the caller's, usually a
  // ChildContext, so that it can be cancelled alone.
  Awaiter in(TaskContext& context) && noexcept { return Awaiter{handle_, &context}; }

 private:
  friend class Scope;
  explicit Task(Handle handle) : handle_(handle) {}
  Handle handle_ = nullptr;
};

template <class T>
struct TaskResult : PromiseBase {
  std::optional<T> value;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
};
template <>
struct TaskResult<void> : PromiseBase {
  void return_void() noexcept {}
};

template <class T>
struct Task<T>::promise_type : TaskResult<T> {
  Task get_return_object() { return Task(Handle::from_promise(*this)); }
  typename PromiseBase::FinalAwaiter final_suspend() noexcept { return {}; }
};

// co_await this_context() gives the TaskContext the calling task runs in. Never suspends.
struct ThisContext {
  TaskContext* context = nullptr;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    context = &caller.promise().context();
    return false;
  }
  TaskContext& await_resume() const noexcept { return *context; }
};
[[nodiscard]] inline ThisContext this_context() { return {}; }

}  // namespace penstock
