// Where requests of one worker wait for a connection to a server of a group that is at its bounds.
#pragma once

#include "async/event.h"
#include "base/error.h"
#include "base/intrusive_list.h"
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
    // Taken at the end of the line.
    explicit Seat(WaitingRoom& room);
    // Room that it was told of, and did not look for, is for the next one.
    ~Seat();
    // False: there are as many waiting as the group lets. Then it is not to be waited.
    [[nodiscard]] bool taken() const { return taken_; }
    // Until there may be room: success, timed_out, cancelled. `wanted`: the only server that will
    // do, null for any. A Seat may wait again, it keeps its place in the line.
    Task<Result<void>> wait(const HopShare* wanted, TimePoint deadline);

   private:
    friend class WaitingRoom;
    WaitingRoom* room_;
    const HopShare* wanted_ = nullptr;
    bool taken_;
    Event called_;
  };

  // A connection to that server has become idle here: true if somebody was called to use it. Null:
  // there may be room somewhere.
  bool call(const HopShare* server);
  void on_room(const HopShare* server) override { call(server); }

 private:
  GroupShare* share_;
  IntrusiveList<Seat> line_;
};

}  // namespace penstock
