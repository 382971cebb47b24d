// The way from any thread to a worker's thread, for as long as that is there.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

namespace penstock {

// Shared by a worker and all who may have something to tell it later. Safe to use from all threads.
class WorkerGate {
 public:
  // Runs a function on the worker's thread, between its tasks, from any thread.
  using Call = std::function<void(std::function<void()>)>;
  explicit WorkerGate(Call call) : call_(std::move(call)) {}
  WorkerGate(const WorkerGate&) = delete;
  WorkerGate& operator=(const WorkerGate&) = delete;

  // Runs f on the worker's thread; false: the worker is gone, and f will not be run.
  bool call(std::function<void()> f) {
    const std::lock_guard lock(mutex_);
    if (!call_) return false;
    call_(std::move(f));
    return true;
  }
  // By the worker, before it ends: nothing gets through any more.
  void close() {
    const std::lock_guard lock(mutex_);
    call_ = nullptr;
  }

 private:
  std::mutex mutex_;
  Call call_;
};

}  // namespace penstock
