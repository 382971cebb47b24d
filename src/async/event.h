// Waiting for another task of the same thread.
#pragma once

#include <coroutine>
#include <utility>

#include "async/context.h"
#include "async/task.h"

namespace penstock {

// Set once or again and again; tasks wait for it to be set. co_await event.wait() gives true, or
// false when the waiting task was cancelled first.
class Event {
 public:
  class Waiter final : public CancelHook {
   public:
    explicit Waiter(Event& event) : event_(&event) {}
    bool await_ready() const { return event_->set_; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) {
      return suspend(caller, caller.promise().context());
    }
    bool await_resume() const { return !cancelled_; }

   private:
    friend class Event;
    // On the event's list while waiting.
    struct Link final : ListNode {
      explicit Link(Waiter& of) : waiter(&of) {}
      Waiter* waiter;
    };
    bool suspend(std::coroutine_handle<> waiter, TaskContext& context);
    void on_cancel() override;

    Event* event_;
    Link link_{*this};
    bool cancelled_ = false;
    std::coroutine_handle<> handle_;
    Executor* executor_ = nullptr;
  };

  Event() = default;
  [[nodiscard]] Waiter wait() { return Waiter(*this); }
  [[nodiscard]] bool is_set() const { return set_; }
  // Wakes all that wait, and lets later ones pass until reset().
  void set();
  // Wakes the one that has waited longest, without setting; false when nobody waits.
  bool wake_one();
  void reset() { set_ = false; }

 private:
  static void wake(Waiter& waiter);
  bool set_ = false;
  IntrusiveList<Waiter::Link> waiters_;
};

}  // namespace penstock
