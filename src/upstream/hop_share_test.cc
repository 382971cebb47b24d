#include "upstream/hop_share.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "sim/network.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(1)};

class HopShareTest : public testing::Test {
 protected:
  std::shared_ptr<HopShare> server(const std::string& identity, std::uint32_t most = 0) {
    return group.server(identity, most);
  }
  std::vector<std::shared_ptr<HopShare>> servers(std::size_t count) {
    std::vector<std::shared_ptr<HopShare>> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(server(std::to_string(i)));
    return all;
  }
  // Fails it until it is ejected, or as often as that should have taken.
  bool fail_until_ejected(HopShare& server, TimePoint now) {
    for (std::uint32_t i = 0; i < settings.ejection.failures; ++i) {
      if (server.noted(true, false, now)) return true;
    }
    return false;
  }

  UpstreamGroupSettings settings;
  GroupShare group{settings};
};

TEST_F(HopShareTest, ConnectionsUpToTheServersBound) {
  const auto a = server("a", 2);
  EXPECT_TRUE(a->open_connection());
  EXPECT_FALSE(a->full());
  EXPECT_TRUE(a->open_connection());
  EXPECT_TRUE(a->full());
  EXPECT_FALSE(a->open_connection());
  EXPECT_EQ(a->connections(), 2U);
  a->connection_closed();
  EXPECT_EQ(a->connections(), 1U);
  EXPECT_TRUE(a->open_connection());
}

TEST_F(HopShareTest, TheBoundCanChange) {
  const auto a = server("a", 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(a->open_connection());
  a->set_max_connections(1);
  EXPECT_EQ(a->max_connections(), 1U);
  EXPECT_TRUE(a->full());
  EXPECT_TRUE(a->beyond_bound());
  a->connection_closed();
  EXPECT_TRUE(a->beyond_bound());
  a->connection_closed();
  EXPECT_TRUE(a->full());
  EXPECT_FALSE(a->beyond_bound());
  a->set_max_connections(2);
  EXPECT_TRUE(a->open_connection());
  EXPECT_FALSE(a->open_connection());
  a->set_max_connections(0);
  EXPECT_TRUE(a->open_connection());
  EXPECT_FALSE(a->full());
  EXPECT_FALSE(a->beyond_bound());
}

TEST_F(HopShareTest, OneBeyondTheBound) {
  const auto a = server("a", 1);
  EXPECT_TRUE(a->open_connection());
  a->open_beyond_bound();
  EXPECT_EQ(a->connections(), 2U);
  EXPECT_EQ(group.connections(), 2U);
  EXPECT_TRUE(a->beyond_bound());
  a->connection_closed();
  EXPECT_FALSE(a->open_connection());
  a->connection_closed();
  EXPECT_TRUE(a->open_connection());
}

TEST_F(HopShareTest, ZeroIsNoBound) {
  const auto a = server("a");
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(a->open_connection());
  EXPECT_FALSE(a->full());
  EXPECT_EQ(a->connections(), 1000U);
  EXPECT_EQ(group.connections(), 1000U);
}

TEST_F(HopShareTest, ConnectionsUpToTheGroupsBound) {
  settings.breaker.connections = 3;
  const auto a = server("a", 2);
  const auto b = server("b", 2);
  EXPECT_TRUE(a->open_connection());
  EXPECT_TRUE(a->open_connection());
  EXPECT_TRUE(b->open_connection());
  EXPECT_TRUE(group.full());
  // What the group refuses leaves no trace at the server, and the other way round.
  EXPECT_FALSE(b->open_connection());
  EXPECT_EQ(b->connections(), 1U);
  EXPECT_FALSE(a->open_connection());
  EXPECT_EQ(group.connections(), 3U);
  a->connection_closed();
  EXPECT_FALSE(group.full());
  EXPECT_TRUE(b->open_connection());
  EXPECT_EQ(b->connections(), 2U);
}

// Lets two threads go on at the same moment, as far as that can be had.
class Together {
 public:
  void meet() {
    const unsigned round = arrived_.fetch_add(1) / 2;
    for (int i = 0; arrived_.load() / 2 == round; ++i) {
      if (i > 10'000) std::this_thread::yield();
    }
  }

 private:
  std::atomic<unsigned> arrived_ = 0;
};

// One thread gives a place back and asks for one while another asks too. Whoever fails must have
// lost to the other: else both would go and wait, and nobody would ever tell them.
void compete_for_a_place(GroupShare& group, HopShare& one, HopShare& other) {
  constexpr int kRounds = 5'000;
  Together together;
  std::atomic<bool> other_got = false;
  ASSERT_TRUE(one.open_connection());
  std::jthread rival([&] {
    for (int i = 0; i < kRounds; ++i) {
      together.meet();
      other_got = other.open_connection();
      together.meet();
      together.meet();
    }
  });
  int both_failed = 0;
  for (int i = 0; i < kRounds; ++i) {
    together.meet();
    one.connection_closed();
    const bool got = one.open_connection();
    together.meet();
    if (!got && !other_got) ++both_failed;
    if (!got && other_got) other.connection_closed();
    if (!got) EXPECT_TRUE(one.open_connection());
    together.meet();
  }
  EXPECT_EQ(both_failed, 0);
  EXPECT_EQ(group.connections(), 1U);
}

TEST_F(HopShareTest, TheLastPlaceIsNotLostBetweenTwoThreads) {
  const auto a = server("a", 1);
  compete_for_a_place(group, *a, *a);
}

TEST_F(HopShareTest, TheGroupsLastPlaceIsNotLostBetweenTwoThreads) {
  settings.breaker.connections = 1;
  compete_for_a_place(group, *server("a"), *server("b"));
}

TEST_F(HopShareTest, APlaceRefusedByTheGroupHidesNoneOfTheServers) {
  // The rival may only get the group's place; while it is refused, the server's looks taken.
  settings.breaker.connections = 1;
  const auto a = server("a", 1);
  compete_for_a_place(group, *a, *a);
}

TEST_F(HopShareTest, Requests) {
  const auto a = server("a");
  a->request_begun();
  a->request_begun();
  a->request_ended();
  EXPECT_EQ(a->requests(), 1U);
}

TEST_F(HopShareTest, ChecksInARowChangeTheState) {
  const CheckSettings check{.rise = 2, .fall = 3};
  const auto a = server("a");
  EXPECT_TRUE(a->available(kStart));
  EXPECT_FALSE(a->checked(false, check, kStart));
  EXPECT_FALSE(a->checked(false, check, kStart));
  EXPECT_FALSE(a->checked(true, check, kStart));  // the row begins anew
  EXPECT_FALSE(a->checked(false, check, kStart));
  EXPECT_FALSE(a->checked(false, check, kStart));
  EXPECT_TRUE(a->available(kStart));
  EXPECT_TRUE(a->checked(false, check, kStart));
  EXPECT_FALSE(a->available(kStart));
  EXPECT_FALSE(a->checked(false, check, kStart));
  EXPECT_FALSE(a->checked(true, check, kStart));
  EXPECT_FALSE(a->checked(false, check, kStart));
  EXPECT_FALSE(a->checked(true, check, kStart));
  EXPECT_FALSE(a->available(kStart));
  EXPECT_TRUE(a->checked(true, check, kStart + seconds(9)));
  EXPECT_TRUE(a->available(kStart));
  EXPECT_EQ(a->available_since(), kStart + seconds(9));
}

TEST_F(HopShareTest, FailuresInARowEject) {
  const auto all = servers(2);
  HopShare& a = *all[0];
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(a.noted(true, false, kStart));
  EXPECT_FALSE(a.noted(false, false, kStart));
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(a.noted(true, false, kStart));
  EXPECT_TRUE(a.available(kStart));
  EXPECT_TRUE(a.noted(true, false, kStart));
  EXPECT_FALSE(a.available(kStart));
  EXPECT_FALSE(a.available(kStart + seconds(10) - milliseconds(1)));
  EXPECT_TRUE(a.available(kStart + seconds(10)));
  EXPECT_EQ(a.available_since(), kStart + seconds(10));
}

TEST_F(HopShareTest, BadResponsesInARowEjectIfWanted) {
  const auto all = servers(2);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(all[0]->noted(false, true, kStart));
  settings.ejection.responses = 3;
  HopShare& b = *all[1];
  EXPECT_FALSE(b.noted(false, true, kStart));
  EXPECT_FALSE(b.noted(false, true, kStart));
  EXPECT_FALSE(b.noted(true, false, kStart));  // says nothing about responses
  EXPECT_TRUE(b.noted(false, true, kStart));
  EXPECT_FALSE(b.available(kStart));
}

TEST_F(HopShareTest, ZeroFailuresIsNever) {
  settings.ejection.failures = 0;
  const auto all = servers(2);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(all[0]->noted(true, false, kStart));
}

TEST_F(HopShareTest, NoMoreThanTheirShareAreOut) {
  struct Case {
    std::size_t servers;
    std::uint32_t share;
    std::size_t out;
  };
  for (const Case& c :
       {Case{1, 50, 0}, Case{2, 50, 1}, Case{3, 50, 1}, Case{4, 50, 2}, Case{5, 50, 2},
        Case{1, 100, 1}, Case{3, 100, 3}, Case{3, 0, 0}, Case{10, 9, 0}, Case{10, 10, 1}}) {
    SCOPED_TRACE(std::to_string(c.servers) + " servers, " + std::to_string(c.share));
    UpstreamGroupSettings own;
    own.ejection.max_share = c.share;
    GroupShare others(own);
    std::vector<std::shared_ptr<HopShare>> all;
    for (std::size_t i = 0; i < c.servers; ++i) all.push_back(others.server(std::to_string(i), 0));
    std::size_t out = 0;
    for (const auto& each : all) out += fail_until_ejected(*each, kStart) ? 1U : 0U;
    EXPECT_EQ(out, c.out);
  }
}

TEST_F(HopShareTest, OneThatComesBackMakesRoomForAnother) {
  const auto all = servers(2);
  EXPECT_TRUE(fail_until_ejected(*all[0], kStart));
  EXPECT_FALSE(fail_until_ejected(*all[1], kStart));
  EXPECT_FALSE(all[1]->noted(true, false, kStart + seconds(9)));
  EXPECT_TRUE(all[1]->noted(true, false, kStart + seconds(10)));
}

// Servers that records no longer name are remembered, but are of no use to anybody.
TEST_F(HopShareTest, ServersThatAreGoneDoNotCount) {
  servers(9);
  const auto only = server("only");
  EXPECT_FALSE(fail_until_ejected(*only, kStart));
  EXPECT_TRUE(only->available(kStart));
}

TEST_F(HopShareTest, EjectedServersThatAreGoneDoNotCountEither) {
  settings.ejection.max_share = 100;
  for (const auto& each : servers(2)) EXPECT_TRUE(fail_until_ejected(*each, kStart));
  settings.ejection.max_share = 50;
  const auto a = server("a");
  const auto b = server("b");
  EXPECT_TRUE(fail_until_ejected(*a, kStart));
  EXPECT_FALSE(fail_until_ejected(*b, kStart));
}

TEST_F(HopShareTest, EachEjectionInARowIsLonger) {
  settings.ejection.time = seconds(10);
  settings.ejection.max_time = seconds(70);
  const auto all = servers(2);
  HopShare& a = *all[0];
  TimePoint now = kStart;
  for (const int expected : {10, 20, 40, 70, 70}) {
    ASSERT_TRUE(fail_until_ejected(a, now));
    EXPECT_EQ(a.ejected_until() - now, seconds(expected));
    EXPECT_FALSE(a.noted(true, false, now));  // is out already
    now = a.ejected_until() + seconds(1);
  }
  // It did well for long.
  now += 2 * seconds(70);
  ASSERT_TRUE(fail_until_ejected(a, now));
  EXPECT_EQ(a.ejected_until() - now, seconds(10));
}

TEST_F(HopShareTest, ManyEjectionsStayAtTheLongest) {
  settings.ejection.time = minutes(1);
  settings.ejection.max_time = minutes(5);
  const auto all = servers(2);
  TimePoint now = kStart;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(fail_until_ejected(*all[0], now));
    EXPECT_LE(all[0]->ejected_until() - now, minutes(5));
    EXPECT_GE(all[0]->ejected_until() - now, minutes(1));
    now = all[0]->ejected_until();
  }
}

TEST_F(HopShareTest, AServerIsTheSameForAll) {
  const auto a = server("a", 3);
  EXPECT_EQ(server("a", 3), a);
  EXPECT_NE(server("b", 3), a);
  EXPECT_EQ(&a->group(), &group);
  EXPECT_EQ(a->identity(), "a");
}

TEST_F(HopShareTest, ItsStateOutlivesItsAbsence) {
  {
    const auto all = servers(2);
    EXPECT_TRUE(fail_until_ejected(*all[0], kStart));
  }
  EXPECT_FALSE(server("0")->available(kStart));
}

TEST_F(HopShareTest, NotAllThatEverWereAreRemembered) {
  const auto kept = server("kept");
  ASSERT_TRUE(kept->open_connection());
  const CheckSettings check{.fall = 1};
  server("0")->checked(false, check, kStart);
  EXPECT_FALSE(server("0")->checked_up());
  servers(5000);
  EXPECT_TRUE(server("0")->checked_up());  // another one of that name
  EXPECT_EQ(server("kept"), kept);
}

TEST_F(HopShareTest, PlacesToWaitAreBounded) {
  settings.queue.length = 2;
  EXPECT_TRUE(group.begin_waiting());
  EXPECT_TRUE(group.begin_waiting());
  EXPECT_FALSE(group.begin_waiting());
  EXPECT_EQ(group.waiting(), 2U);
  group.end_waiting();
  EXPECT_TRUE(group.begin_waiting());
  settings.queue.length = 0;
  EXPECT_FALSE(group.begin_waiting());
}

TEST_F(HopShareTest, RetriesAreBounded) {
  settings.breaker.retries = 1;
  EXPECT_TRUE(group.begin_retry());
  EXPECT_FALSE(group.begin_retry());
  group.end_retry();
  EXPECT_TRUE(group.begin_retry());
  settings.breaker.retries = 0;
  EXPECT_TRUE(group.begin_retry());
}

// ---- Telling.

struct Heard final : RoomListener {
  void on_room(const HopShare* server) override { rooms.push_back(server); }
  void on_room_wanted() override { ++wanted; }
  virtual ~Heard() = default;
  std::vector<const HopShare*> rooms;
  int wanted = 0;
};

class TellingTest : public HopShareTest {
 protected:
  TellingTest() {
    group.join(one, a);
    group.join(two, b);
  }
  SimWorld world{1};
  SimNetwork one{world};
  SimNetwork two{world};
  std::shared_ptr<Heard> a = std::make_shared<Heard>();
  std::shared_ptr<Heard> b = std::make_shared<Heard>();
};

TEST_F(TellingTest, AllThreadsAreToldWhileSomebodyWaits) {
  const auto s = server("s", 1);
  ASSERT_TRUE(s->open_connection());
  s->connection_closed();
  group.tell_room_wanted();
  world.run_until_idle();
  EXPECT_TRUE(a->rooms.empty());
  EXPECT_EQ(a->wanted, 0);
  ASSERT_TRUE(group.begin_waiting());
  ASSERT_TRUE(s->open_connection());
  s->connection_closed();
  EXPECT_TRUE(a->rooms.empty());  // on its own loop only
  group.tell_room_wanted();
  world.run_until_idle();
  for (const Heard* heard : {a.get(), b.get()}) {
    EXPECT_EQ(heard->rooms, std::vector<const HopShare*>{s.get()});
    EXPECT_EQ(heard->wanted, 1);
  }
}

TEST_F(TellingTest, WhenABoundBecomesLarger) {
  ASSERT_TRUE(group.begin_waiting());
  const auto s = server("s", 2);
  s->set_max_connections(2);
  s->set_max_connections(1);
  world.run_until_idle();
  EXPECT_TRUE(a->rooms.empty());
  s->set_max_connections(3);
  world.run_until_idle();
  EXPECT_EQ(a->rooms, std::vector<const HopShare*>{s.get()});
  s->set_max_connections(0);
  world.run_until_idle();
  EXPECT_EQ(a->rooms.size(), 2U);
  s->set_max_connections(5);
  world.run_until_idle();
  EXPECT_EQ(a->rooms.size(), 2U);
}

TEST_F(TellingTest, WhenAServerIsUpAgain) {
  ASSERT_TRUE(group.begin_waiting());
  const CheckSettings check{.rise = 1, .fall = 1};
  const auto s = server("s");
  EXPECT_TRUE(s->checked(false, check, kStart));
  world.run_until_idle();
  EXPECT_TRUE(a->rooms.empty());
  EXPECT_TRUE(s->checked(true, check, kStart));
  world.run_until_idle();
  EXPECT_EQ(a->rooms.size(), 1U);
}

TEST_F(TellingTest, WhoHasLeftOrIsGoneIsNotTold) {
  ASSERT_TRUE(group.begin_waiting());
  group.leave(one);
  group.tell_room_wanted();
  world.run_until_idle();
  EXPECT_EQ(a->wanted, 0);
  EXPECT_EQ(b->wanted, 1);
  group.tell_room_wanted();
  b.reset();  // before it is heard
  world.run_until_idle();
}

}  // namespace
}  // namespace penstock
