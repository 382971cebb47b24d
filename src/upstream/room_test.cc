#include "upstream/room.h"

#include <chrono>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/network.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Room final : WaitingRoom {
  using WaitingRoom::WaitingRoom;
  void on_room_wanted() override {}
};

// Somebody who waits, and leaves as soon as it is called, or stays for more.
struct Guest {
  Guest(Executor& executor, Room& room, const HopShare* only) : scope(executor), wanted(only) {
    seat.emplace(room);
  }
  ~Guest() {
    scope.cancel();
    Executor& executor = scope.context().executor();
    while (executor.has_ready()) executor.run_ready();
  }
  void wait(Duration limit = seconds(5)) {
    scope.spawn(wait(*this, scope.context().executor().now() + limit));
  }
  static Task<void> wait(Guest& self, TimePoint deadline) {
    do {
      self.outcome = co_await self.seat->wait(self.wanted, deadline);
      if (*self.outcome) ++self.calls;
    } while (self.stays && *self.outcome);
    if (self.leaves) self.seat.reset();
  }

  std::optional<WaitingRoom::Seat> seat;
  Scope scope;
  const HopShare* wanted;
  bool stays = false;  // what it was called for is of no use to it
  bool leaves = true;
  int calls = 0;
  std::optional<Result<void>> outcome;
};

class RoomTest : public testing::Test {
 protected:
  std::unique_ptr<Guest> guest(const HopShare* wanted = nullptr) {
    return std::make_unique<Guest>(world.executor(), room, wanted);
  }
  std::unique_ptr<Guest> waiting(const HopShare* wanted = nullptr, bool stays = false) {
    auto made = guest(wanted);
    made->stays = stays;
    made->wait();
    return made;
  }
  void settle() { world.run_for({}); }

  SimWorld world{1};
  UpstreamGroupSettings settings;
  GroupShare group{settings};
  Room room{group};
  std::shared_ptr<HopShare> a = group.server("a", 1);
  std::shared_ptr<HopShare> b = group.server("b", 1);
};

TEST_F(RoomTest, NobodyIsCalledWhereNobodyWaits) { EXPECT_FALSE(room.call(a.get())); }

TEST_F(RoomTest, FirstComeFirstServed) {
  const auto first = waiting(nullptr, true);
  const auto second = waiting(nullptr, true);
  EXPECT_EQ(group.waiting(), 2U);
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(first->calls, 1);
  EXPECT_EQ(second->calls, 0);
  // Its place in the line stays.
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(first->calls, 2);
  EXPECT_EQ(second->calls, 0);
  // Each call is for another one.
  EXPECT_TRUE(room.call(a.get()));
  EXPECT_TRUE(room.call(a.get()));
  EXPECT_FALSE(room.call(a.get()));
  settle();
  EXPECT_EQ(first->calls, 3);
  EXPECT_EQ(second->calls, 1);
  first->scope.cancel();
  second->scope.cancel();
  settle();
  EXPECT_EQ(group.waiting(), 0U);
}

TEST_F(RoomTest, WhoWantsAnotherServerIsPassedOver) {
  const auto for_b = waiting(b.get());
  const auto any = waiting();
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(any->calls, 1);
  EXPECT_EQ(for_b->calls, 0);
  EXPECT_FALSE(room.call(a.get()));
  EXPECT_TRUE(room.call(b.get()));
  settle();
  EXPECT_EQ(for_b->calls, 1);
}

TEST_F(RoomTest, CallBeforeTheWaitCounts) {
  const auto early = guest();
  EXPECT_TRUE(room.call(a.get()));
  early->wait();
  settle();
  EXPECT_EQ(early->calls, 1);
}

TEST_F(RoomTest, WaitsNoLongerThanItMay) {
  const auto late = guest();
  late->wait(milliseconds(100));
  world.run_for(milliseconds(99));
  EXPECT_FALSE(late->outcome);
  world.run_for(milliseconds(2));
  ASSERT_TRUE(late->outcome);
  EXPECT_EQ(late->outcome->error().kind, ErrorKind::timed_out);
  EXPECT_EQ(group.waiting(), 0U);
}

TEST_F(RoomTest, SeatsThatAreNotTakenAreInNobodysWay) {
  settings.queue.length = 1;
  const auto first = waiting();
  {
    const auto second = guest();
    EXPECT_TRUE(first->seat->taken());
    EXPECT_FALSE(second->seat->taken());
    EXPECT_EQ(group.waiting(), 1U);
  }
  EXPECT_EQ(group.waiting(), 1U);
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(first->calls, 1);
}

// A call must not get lost with the one who was called.
TEST_F(RoomTest, ACallToOneWhoIsCancelledGoesToTheNext) {
  const auto first = waiting();
  const auto second = waiting();
  first->scope.cancel();  // its task goes on, but has not yet
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(first->calls, 0);
  EXPECT_EQ(second->calls, 1);
}

TEST_F(RoomTest, ACallToOneWhoseTimeIsOverGoesToTheNext) {
  const auto first = guest();
  first->wait(milliseconds(100));
  const auto second = waiting();
  // In the same turn, before or after its timer.
  world.call_at(world.now() + milliseconds(100), [this] { room.call(a.get()); });
  world.run_for(milliseconds(99));
  world.run_for(milliseconds(2));
  EXPECT_EQ(first->calls + second->calls, first->calls > 0 ? 2 : 1);
  EXPECT_EQ(second->calls, 1);
}

TEST_F(RoomTest, WhoDoesNotWaitAnyMorePassesItsCallOn) {
  auto first = guest();
  const auto second = waiting();
  EXPECT_TRUE(room.call(a.get()));
  first.reset();
  settle();
  EXPECT_EQ(second->calls, 1);
}

// There may be room for more than one, though it is told of once.
TEST_F(RoomTest, WhoLeavesCallsTheNext) {
  const auto first = waiting();
  const auto second = waiting();
  const auto third = waiting(nullptr, true);
  const auto fourth = waiting(nullptr, true);
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(first->calls, 1);
  EXPECT_EQ(second->calls, 1);
  // Found nothing left.
  EXPECT_EQ(third->calls, 1);
  EXPECT_EQ(fourth->calls, 0);
  third->scope.cancel();
  fourth->scope.cancel();
  settle();
}

// A server that takes nobody new has room for those that are bound to it only.
TEST_F(RoomTest, WhoHasNoUseForItLetsThoseHaveItWhoWantNothingElse) {
  const auto any = waiting(nullptr, true);
  const auto for_b = waiting(b.get());
  const auto for_a = waiting(a.get());
  EXPECT_TRUE(room.call(a.get()));
  settle();
  EXPECT_EQ(for_a->calls, 1);
  EXPECT_EQ(for_b->calls, 0);
  any->scope.cancel();
  for_b->scope.cancel();
  settle();
}

}  // namespace
}  // namespace penstock
