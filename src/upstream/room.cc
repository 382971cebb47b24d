#include "upstream/room.h"

#include "async/wait.h"

namespace penstock {

WaitingRoom::Seat::Seat(WaitingRoom& room) : room_(&room), taken_(room.share_->begin_waiting()) {
  if (taken_) room.line_.push_back(*this);
}

WaitingRoom::Seat::~Seat() {
  if (!taken_) return;
  unlink();
  room_->share_->end_waiting();
  if (called_.is_set()) room_->call(nullptr);
}

Task<Result<void>> WaitingRoom::Seat::wait(const HopShare* wanted, TimePoint deadline) {
  wanted_ = wanted;
  const auto called = co_await wait_until(called_, deadline);
  if (called) called_.reset();
  co_return called;
}

bool WaitingRoom::call(const HopShare* server) {
  // Where the group has a bound, a connection to any server takes the place of one to another.
  const bool for_all = server == nullptr || share_->settings().breaker.connections != 0;
  bool somebody = false;
  line_.for_each([&](Seat& seat) {
    const bool can_use = for_all || seat.wanted_ == nullptr || seat.wanted_ == server;
    if (somebody || !can_use || seat.called_.is_set()) return;
    seat.called_.set();
    somebody = true;
  });
  return somebody;
}

}  // namespace penstock
