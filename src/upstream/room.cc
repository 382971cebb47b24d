#include "upstream/room.h"

#include "async/wait.h"

namespace penstock {

WaitingRoom::Seat::Seat(WaitingRoom& room, const HopShare* wanted)
    : room_(&room), wanted_(wanted), taken_(room.share_->begin_waiting()) {
  if (taken_) room.line_.push_back(*this);
}

WaitingRoom::Seat::~Seat() {
  if (!taken_) return;
  unlink();
  room_->share_->end_waiting();
}

Task<Result<void>> WaitingRoom::Seat::wait(TimePoint deadline) {
  const auto called = co_await wait_until(called_, deadline);
  called_.reset();
  co_return called;
}

bool WaitingRoom::call(const HopShare* server) {
  bool somebody = false;
  line_.for_each([&](Seat& seat) {
    const bool can_use = seat.wanted_ == nullptr || seat.wanted_ == server;
    if (somebody || !can_use || seat.called_.is_set()) return;
    seat.called_.set();
    somebody = true;
  });
  return somebody;
}

}  // namespace penstock
