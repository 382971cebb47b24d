#include "upstream/room.h"

#include <chrono>
#include <utility>

#include "async/wait.h"

namespace penstock {
namespace {

// As long as a thread may hand a connection on among its own while others wait.
constexpr Duration kTurn = std::chrono::milliseconds(100);

}  // namespace

WaitingRoom::Seat::Seat(WaitingRoom& room) : room_(&room), taken_(room.share_->begin_waiting()) {
  if (!taken_) return;
  room.line_.push_back(*this);
  ++room.waiting_;
}

WaitingRoom::Seat::~Seat() {
  if (!taken_) return;
  unlink();
  --room_->waiting_;
  room_->share_->end_waiting();
  if (was_called_) room_->call(called_for_);
}

Task<Result<void>> WaitingRoom::Seat::wait(const HopShare* wanted, TimePoint deadline) {
  wanted_ = wanted;
  if (was_called_ && called_for_ != nullptr && wanted_ == nullptr && !called_.is_set()) {
    room_->call(called_for_, true);
  }
  const auto called = co_await wait_until(called_, deadline);
  called_.reset();
  co_return called;
}

bool WaitingRoom::call(const HopShare* server) { return call(server, false); }

bool WaitingRoom::give_way(TimePoint now) {
  if (waiting_ == 0 || share_->waiting() <= waiting_ || now < keeps_until_) return false;
  keeps_until_ = now + kTurn;
  gives_way_ = true;
  return true;
}

// Those who gave way look again by themselves, if nobody took it.
void WaitingRoom::on_room(const HopShare* server) {
  if (!std::exchange(gives_way_, false)) call(server);
}

bool WaitingRoom::call(const HopShare* server, bool bound_only) {
  bool somebody = false;
  line_.for_each([&](Seat& seat) {
    const bool bound = seat.wanted_ != nullptr;
    const bool can_use = bound ? server == nullptr || seat.wanted_ == server : !bound_only;
    if (somebody || !can_use || seat.called_.is_set()) return;
    seat.was_called_ = true;
    seat.called_for_ = server;
    seat.called_.set();
    somebody = true;
  });
  return somebody;
}

}  // namespace penstock
