#include "async/executor.h"

namespace penstock {

std::size_t Executor::run_ready() {
  running_.swap(ready_);
  for (const std::coroutine_handle<> coroutine : running_) coroutine.resume();
  const std::size_t count = running_.size();
  running_.clear();
  return count;
}

}  // namespace penstock
