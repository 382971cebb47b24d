#include "async/context.h"

namespace penstock {

void TaskContext::cancel() {
  cancelled_ = true;
  while (!hooks_.empty()) hooks_.pop_front().on_cancel();
}

}  // namespace penstock
