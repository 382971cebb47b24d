#include "cache/waiting.h"

namespace penstock {

void Waiting::wake(const std::shared_ptr<Waiting>& waiting) {
  if (waiting->thread_ == std::this_thread::get_id()) {
    waiting->event_.set();
    return;
  }
  // What is not run because the thread is gone leaves only a reference behind, which goes here.
  static_cast<void>(waiting->gate_->call([waiting] { waiting->event_.set(); }));
}

void WaitList::add(std::shared_ptr<Waiting> waiting) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(waiting));
}

void WaitList::wake() {
  std::vector<std::shared_ptr<Waiting>> woken;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;
    woken.swap(waiting_);
  }
  for (const auto& waiting : woken) Waiting::wake(waiting);
}

}  // namespace penstock
