#include "module/callback_strand.h"

#include <utility>

namespace penstock {

bool CallbackStrand::begin() {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  running_ = std::this_thread::get_id();
  return true;
}

void CallbackStrand::finish() {
  const std::lock_guard lock(mutex_);
  running_ = {};
  if (ended_) idle_.notify_all();
}

void CallbackStrand::run(ModuleEvent event, const Call& f, WatchdogSlot* slot) {
  if (!elsewhere_) {
    if (!begin()) return;
    if (watched_ != nullptr) {
      const WatchedCall call(slot, *watched_, event);
      f();
    } else {
      f();
    }
    finish();
    return;
  }
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  queue_.push_back(f);
  if (std::exchange(queue_runs_, true)) return;
  // Under the lock, so that nothing is handed over once it has ended.
  elsewhere_([self = shared_from_this()] { self->run_queue(); });
}

void CallbackStrand::run_queue() {
  while (true) {
    Call f;
    {
      const std::lock_guard lock(mutex_);
      if (ended_ || queue_.empty()) {
        queue_runs_ = false;
        return;
      }
      f = std::move(queue_.front());
      queue_.pop_front();
      running_ = std::this_thread::get_id();
    }
    f();
    finish();
  }
}

void CallbackStrand::end() {
  std::deque<Call> dropped;  // destroyed without the lock
  std::unique_lock lock(mutex_);
  ended_ = true;
  dropped.swap(queue_);
  if (running_ == std::this_thread::get_id()) return;
  idle_.wait(lock, [this] { return running_ == std::thread::id(); });
}

}  // namespace penstock
