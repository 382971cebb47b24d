// For tests: tasks on virtual time.
#pragma once

#include <algorithm>

#include "async/executor.h"
#include "async/scope.h"
#include "async/task.h"

namespace penstock {

// An executor with a scope for the test's tasks; the test moves the time.
class VirtualTime {
 public:
  Executor executor;
  Scope scope{executor};

  // Runs all that is ready, without time passing.
  void run() {
    while (executor.has_ready()) executor.run_ready();
  }
  void spawn(Task<void> task) {
    scope.spawn(std::move(task));
    run();
  }
  // Lets time pass, stopping at each timer on the way.
  void advance_to(TimePoint end) {
    while (executor.now() < end) {
      const TimePoint now = std::min(end, executor.timers().next());
      executor.set_time(now, {});
      executor.timers().advance(now);
      run();
    }
  }
  void advance(Duration by) { advance_to(executor.now() + by); }
};

}  // namespace penstock
