// Waiting for what another thread does.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "async/event.h"
#include "async/worker_gate.h"

namespace penstock {

// A task that waits, on its own thread. Its event is set on that thread.
class Waiting {
 public:
  // To be made on the thread that waits, which others reach through `gate`.
  explicit Waiting(std::shared_ptr<WorkerGate> gate) : gate_(std::move(gate)) {}

  // Of the waiting thread only.
  [[nodiscard]] Event& event() { return event_; }
  // From any thread. A thread that is gone is not told, and nobody waits there any more.
  static void wake(const std::shared_ptr<Waiting>& waiting);

 private:
  std::shared_ptr<WorkerGate> gate_;
  const std::thread::id thread_ = std::this_thread::get_id();
  Event event_;
};

// Those who wait for one thing. Safe to use from all threads.
class WaitList {
 public:
  // To be woken the next time; what is waited for has to be looked at again after this.
  void add(std::shared_ptr<Waiting> waiting);
  // Wakes all that are on it, and takes them off.
  void wake();

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Waiting>> waiting_;
};

}  // namespace penstock
