// A result that is there at once, or a task that gives it.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "async/task.h"

namespace penstock {

// For what hardly ever has to wait: where it has not, no coroutine is made. Awaited once, as a task
// is; awaiting what is ready does not suspend.
template <class T>
class [[nodiscard]] MaybeTask {
 public:
  MaybeTask(T value) : value_(std::move(value)) {}     // NOLINT(google-explicit-constructor)
  MaybeTask(Task<T> rest) : rest_(std::move(rest)) {}  // NOLINT(google-explicit-constructor)
  MaybeTask(MaybeTask&&) noexcept = default;
  MaybeTask& operator=(MaybeTask&&) = delete;

  [[nodiscard]] bool ready() const { return rest_.empty(); }
  // Of one that is ready.
  [[nodiscard]] const T& value() const { return value_; }

  struct Awaiter {
    MaybeTask* of;
    std::optional<typename Task<T>::Awaiter> rest = std::nullopt;
    bool await_ready() const noexcept { return of->ready(); }
    template <class Promise>
    auto await_suspend(std::coroutine_handle<Promise> caller) noexcept {
      rest.emplace(std::move(of->rest_).operator co_await());
      return rest->await_suspend(caller);
    }
    T await_resume() { return rest ? rest->await_resume() : std::move(of->value_); }
  };
  Awaiter operator co_await() && noexcept { return Awaiter{this}; }

 private:
  T value_{};
  Task<T> rest_;
};

}  // namespace penstock
