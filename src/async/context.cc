#include "async/context.h"

namespace penstock {

void TaskContext::cancel() {
  cancelled_ = true;
  while (!hooks_.empty()) hooks_.pop_front().on_cancel();
}

ChildContext::ChildContext(TaskContext& parent) : TaskContext(parent.executor()) {
  if (parent.cancelled()) {
    cancel();
  } else {
    parent.add(*this);
  }
}

}  // namespace penstock
