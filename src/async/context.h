// Where a task runs and whether it should stop: passed down from task to task on its own.
#pragma once

#include "async/executor.h"
#include "base/intrusive_list.h"

namespace penstock {

// A suspended operation that can be cut short. on_cancel() is called at most once, unlinked; it
// completes the operation with ErrorKind::cancelled (posting, not resuming, its coroutine).
class CancelHook : public ListNode {
 public:
  virtual ~CancelHook() = default;

 protected:
  virtual void on_cancel() = 0;

 private:
  friend class TaskContext;
};

// What all tasks of one scope have in common. Cancelling is cooperative and for good: operations
// that are suspended end with `cancelled`, and so does every later one that would have to suspend.
// What can be done at once (a write the socket takes whole) is still done.
class TaskContext {
 public:
  explicit TaskContext(Executor& executor) : executor_(&executor) {}
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;

  [[nodiscard]] Executor& executor() const { return *executor_; }
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  // Registers an operation that is about to suspend. Not to be called when cancelled.
  void add(CancelHook& hook) { hooks_.push_back(hook); }
  void cancel();

 private:
  Executor* executor_;
  bool cancelled_ = false;
  IntrusiveList<CancelHook> hooks_;
};

// A context of its own inside a task's: cancelled with the outer one, but not the other way round.
class ChildContext final : public TaskContext, private CancelHook {
 public:
  explicit ChildContext(TaskContext& parent);
  // Without an outer one.
  explicit ChildContext(Executor& executor) : TaskContext(executor) {}

 private:
  void on_cancel() override { cancel(); }
};

}  // namespace penstock
