// What stands behind penstock_waiter where callbacks run beside the transaction's own thread.
#pragma once

#include <memory>

#include "async/worker_gate.h"
#include "module/moment.h"
#include "penstock/module.h"

// A call that waits. Resuming it destroys it.
struct penstock_waiter {
  virtual ~penstock_waiter() = default;
  // From any thread, once.
  virtual void resume() = 0;
};

namespace penstock {

// One that sets the point's event on the worker's thread; the transaction may be gone by then.
[[nodiscard]] std::unique_ptr<penstock_waiter> make_waiter(
    std::shared_ptr<WorkerGate> gate, std::shared_ptr<Moment::WaitPoint> point);

}  // namespace penstock
