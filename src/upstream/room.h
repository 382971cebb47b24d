// Where requests of one worker wait for a connection to a server of a group that is at its bounds.
#pragma once

#include <cstddef>

#include "async/event.h"
#include "base/error.h"
#include "base/intrusive_list.h"
#include "base/time.h"
#include "upstream/hop_share.h"

namespace penstock {

// First come, first served, among those who can use the room that there is.
class WaitingRoom : public RoomListener {
 public:
  explicit WaitingRoom(GroupShare& share) : share_(&share) {}
  virtual ~WaitingRoom() = default;

  // Somebody who waits, as long as it exists: counted among the group's.
  class Seat final : public ListNode {
   public:
    // At the end of the line.
    explicit Seat(WaitingRoom& room);
    ~Seat();
    // False: there are as many waiting as the group lets. Then it is not to be waited.
    [[nodiscard]] bool taken() const { return taken_; }
    // Until there may be room: success, timed_out, cancelled. `wanted`: the only server that will
    // do, null for any. A Seat may wait again, it keeps its place in the line. No call gets lost:
    // one that is of no use here goes on to those that want nothing else, and whoever leaves after
    // a call lets the next one look for what is left.
    Task<Result<void>> wait(const HopShare* wanted, TimePoint deadline);

   private:
    friend class WaitingRoom;
    WaitingRoom* room_;
    const HopShare* wanted_ = nullptr;
    bool taken_;
    Event called_;
    bool was_called_ = false;
    const HopShare* called_for_ = nullptr;  // the last time; null: for any server
  };

  // There may be room at that server, or, for null, at any; also a connection that has become idle
  // here: true if somebody was called to use it.
  bool call(const HopShare* server);
  // True when it is somebody else's turn: other threads wait for a place that those who wait here
  // would only hand on among themselves. Then its place is to be given back.
  bool give_way(TimePoint now);
  [[nodiscard]] bool gives_way() const { return gives_way_; }
  [[nodiscard]] bool anybody_waits() const { return waiting_ > 0; }
  void on_room(const HopShare* server) override;

 private:
  bool call(const HopShare* server, bool bound_only);

  GroupShare* share_;
  IntrusiveList<Seat> line_;
  std::size_t waiting_ = 0;  // in the line
  TimePoint keeps_until_{};  // when it is to give way again
  bool gives_way_ = false;   // the next room is not for those who wait here
};

}  // namespace penstock
