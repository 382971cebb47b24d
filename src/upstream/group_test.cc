#include "upstream/group.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/visit_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kA = "10.0.0.1:80";
const std::string kB = "10.0.0.2:80";
const std::string kC = "10.0.0.3:80";

// ---- Which server.

class GroupChoiceTest : public GroupTest {
 protected:
  GroupChoiceTest() { set_servers({kA, kB, kC}); }
  // How often each server gets one of so many requests, one after the other.
  std::map<std::string, int> shares(int requests) {
    std::map<std::string, int> counts;
    for (int i = 0; i < requests; ++i) ++counts[served_by()];
    return counts;
  }
  std::string cookie_of(std::size_t i) {
    return "srv=" + std::string(text_of(server_group().hops()[i]->sticky_id));
  }

  ScriptedServer a{network, kA, {kAnswers}};
  ScriptedServer b{network, kB, {kAnswers}};
  ScriptedServer c{network, kC, {kAnswers}};
};

using Counts = std::map<std::string, int>;

TEST_F(GroupChoiceTest, TheyTakeTurns) {
  EXPECT_EQ(shares(9), (Counts{{kA, 3}, {kB, 3}, {kC, 3}}));
  EXPECT_EQ(a.connections() + b.connections() + c.connections(), 3U);
}

TEST_F(GroupChoiceTest, ByWeight) {
  group().servers[1].weight = 4;
  EXPECT_EQ(shares(12), (Counts{{kA, 2}, {kB, 8}, {kC, 2}}));
}

TEST_F(GroupChoiceTest, TheFirstWhileItLasts) {
  group().balance.algorithm = Balance::first;
  EXPECT_EQ(shares(3), (Counts{{kA, 3}}));
  eject(0);
  EXPECT_EQ(shares(3), (Counts{{kB, 3}}));
}

TEST_F(GroupChoiceTest, TheSameForAClient) {
  group().balance.algorithm = Balance::hash;
  EXPECT_EQ(shares(6).size(), 1U);
}

TEST_F(GroupChoiceTest, TheOneWithTheFewestRequests) {
  group().balance.algorithm = Balance::least_connections;
  std::vector<std::unique_ptr<Visit>> visits;
  for (int i = 0; i < 6; ++i) visits.push_back(stay());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(server(i).requests(), 2U);
  visits[4]->leave();
  wait(milliseconds(10));
  const std::string with_fewest = visits[4]->server;
  EXPECT_EQ(served_by(), with_fewest);
  EXPECT_EQ(served_by(), with_fewest);
  for (const auto& visit : visits) leave(*visit);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(server(i).requests(), 0U);
}

TEST_F(GroupChoiceTest, RequestsThatEndOtherwiseAreCountedDownToo) {
  group().balance.algorithm = Balance::two_choices;
  {
    const auto one = stay();
    const auto two = stay();
    EXPECT_EQ(server(0).requests() + server(1).requests() + server(2).requests(), 2U);
    two->cancel();
    wait(milliseconds(10));
  }
  wait(milliseconds(10));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(server(i).requests(), 0U) << i;
}

TEST_F(GroupChoiceTest, ThoseThatAreOutOfServiceGetNone) {
  eject(0);
  EXPECT_EQ(shares(4), (Counts{{kB, 2}, {kC, 2}}));
  wait(seconds(10));
  EXPECT_NEAR(shares(60)[kA], 20, 1);
}

TEST_F(GroupChoiceTest, SlowStartAfterItHasComeBack) {
  group().slow_start = seconds(100);
  side();
  wait(seconds(1000));
  eject(0);
  wait(seconds(10));
  EXPECT_LE(shares(60)[kA], 6);
  wait(seconds(100));
  EXPECT_EQ(shares(60)[kA], 20);
}

TEST_F(GroupChoiceTest, BackupsOnlyWhenNoOtherServes) {
  group().servers[2].backup = true;
  group().ejection.max_share = 100;
  EXPECT_EQ(shares(4), (Counts{{kA, 2}, {kB, 2}}));
  eject(0);
  EXPECT_EQ(shares(2), (Counts{{kB, 2}}));
  eject(1);
  EXPECT_EQ(shares(2), (Counts{{kC, 2}}));
  wait(seconds(11));
  const Counts counts = shares(40);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_NEAR(counts.at(kA), 20, 1);
}

TEST_F(GroupChoiceTest, NoneWhenAllAreOut) {
  group().ejection.max_share = 100;
  for (std::size_t i = 0; i < 3; ++i) eject(i);
  const auto visit = ask();
  EXPECT_EQ(visit->unavailable(), Unavailable::no_server);
  EXPECT_EQ(visit->acquired->error().side, Side::server);
  EXPECT_TRUE(visit->acquired->error().retryable);
  EXPECT_EQ(share().waiting(), 0U);
}

TEST_F(GroupChoiceTest, DrainedServersKeepThoseThatAreBoundToThem) {
  group().servers[0].drain = true;
  group().sticky_cookie = "srv";
  EXPECT_EQ(shares(4), (Counts{{kB, 2}, {kC, 2}}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(served_by(cookie_of(0)), kA);
  EXPECT_EQ(served_by("srv=0123456789abcdef"), kB);
}

TEST_F(GroupChoiceTest, ACookieBinds) {
  group().sticky_cookie = "srv";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(served_by(cookie_of(1)), kB);
  // To all workers alike.
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(text_of(server_group(1).hops()[i]->sticky_id),
              text_of(server_group(0).hops()[i]->sticky_id));
  }
  Arena arena;
  const auto bound = ask(0, cookie_of(1));
  EXPECT_TRUE(bound->choice.by_cookie);
  EXPECT_EQ(server_group().affinity_cookie(bound->choice, false, arena), "");
  const auto stranger = ask(0, "srv=what");
  EXPECT_FALSE(stranger->choice.by_cookie);
  const std::string_view cookie = server_group().affinity_cookie(stranger->choice, true, arena);
  EXPECT_TRUE(cookie.starts_with("srv=" + std::string(text_of(stranger->choice.hop->sticky_id))))
      << cookie;
}

TEST_F(GroupChoiceTest, ACookieDoesNotBindToAServerThatIsOut) {
  group().sticky_cookie = "srv";
  const std::string cookie = cookie_of(0);
  eject(0);
  const auto visit = ask(0, cookie);
  EXPECT_NE(visit->server, kA);
  EXPECT_FALSE(visit->choice.by_cookie);
  Arena arena;
  EXPECT_NE(server_group().affinity_cookie(visit->choice, false, arena), "");
}

TEST_F(GroupChoiceTest, AServerThatFailedTheRequestIsAvoided) {
  group().sticky_cookie = "srv";
  for (const std::string& cookie : {std::string(), cookie_of(0)}) {
    for (int i = 0; i < 4; ++i) {
      Visit visit(cookie);
      visit.choice.hop = server_group().hops()[0];
      visit.choice.avoid_hop();
      visit.choice.hop = server_group().hops()[1];
      visit.choice.avoid_hop();
      visit.begin(side());
      wait(milliseconds(10));
      EXPECT_EQ(visit.server, kC);
    }
  }
}

// The next attempt must not begin with the server that has just failed.
TEST_F(GroupChoiceTest, AnAvoidedServerIsNotTheChoiceAnyMore) {
  for (const bool fresh : {false, true}) {
    Visit visit;
    visit.fresh = fresh;
    visit.choice.hop = server_group().hops()[0];
    visit.choice.avoid_hop();
    visit.begin(side());
    wait(milliseconds(10));
    EXPECT_TRUE(visit.done);
    EXPECT_NE(visit.server, kA);
  }
}

TEST_F(GroupChoiceTest, ManyFailuresAreNoHarm) {
  Visit visit;
  for (int i = 0; i < 20; ++i) {
    visit.choice.hop = server_group().hops()[static_cast<std::size_t>(i) % 3];
    visit.choice.avoid_hop();
  }
  visit.begin(side());
  wait(milliseconds(10));
  EXPECT_EQ(visit.status, 200);  // all were tried: any will do
}

TEST_F(GroupChoiceTest, WorkersDoNotTakeTurnsInStep) {
  set_servers({kA, kB, kC, "10.0.0.4:80", "10.0.0.5:80", "10.0.0.6:80"});
  std::map<std::string, int> first;
  for (std::size_t i = 0; i < 12; ++i) {
    Visit visit;
    static_cast<void>(server_group(i).take_idle(visit.choice));
    ++first[visit.choice.hop->entry.address];
  }
  EXPECT_GE(first.size(), 3U);
}

// ---- At the bounds.

class GroupQueueTest : public GroupTest {
 protected:
  GroupQueueTest() {
    set_servers({kA});
    group().max_connections = 1;
  }
  ScriptedServer a{network, kA, {kAnswers}};
  ScriptedServer b{network, kB, {kAnswers}};
};

TEST_F(GroupQueueTest, WaitsForAConnectionAndTakesItOver) {
  const auto first = stay();
  const auto second = ask();
  const auto third = ask();
  EXPECT_FALSE(second->acquired);
  EXPECT_EQ(share().waiting(), 2U);
  const TimePoint left = world.now();
  leave(*first);
  EXPECT_EQ(second->status, 200);
  EXPECT_TRUE(second->reused);
  EXPECT_EQ(second->acquired_at, left);
  EXPECT_EQ(third->status, 200);
  EXPECT_GE(third->acquired_at, second->acquired_at);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(share().waiting(), 0U);
  EXPECT_EQ(idle(), 1U);
}

TEST_F(GroupQueueTest, TimeIsLimited) {
  group().queue.timeout = seconds(2);
  const auto first = stay();
  const TimePoint start = world.now();
  const auto second = ask();
  wait(seconds(3));
  EXPECT_EQ(second->unavailable(), Unavailable::queue_timeout);
  EXPECT_EQ(second->ended_at - start, seconds(2));
  EXPECT_EQ(second->acquired->error().side, Side::server);
  EXPECT_EQ(share().waiting(), 0U);
  leave(*first);
  EXPECT_EQ(served_by(), kA);
}

TEST_F(GroupQueueTest, LengthIsLimitedForAllWorkersTogether) {
  group().queue.length = 2;
  const auto first = stay();
  const auto second = ask(0);
  const auto third = ask(1);
  for (std::size_t worker : {0U, 1U}) {
    const auto visit = ask(worker);
    EXPECT_EQ(visit->unavailable(), Unavailable::queue_full);
  }
  EXPECT_EQ(share().waiting(), 2U);
  leave(*first);
  wait(seconds(1));
  EXPECT_EQ(second->status, 200);
  EXPECT_EQ(third->status, 200);
}

TEST_F(GroupQueueTest, WhoIsCancelledLeavesTheLine) {
  const auto first = stay();
  const auto second = ask();
  const auto third = ask();
  second->cancel();
  wait(milliseconds(1));
  EXPECT_TRUE(second->failed_with(ErrorKind::cancelled));
  EXPECT_EQ(share().waiting(), 1U);
  leave(*first);
  EXPECT_EQ(third->status, 200);
}

// The first in the line is cancelled in the very turn in which it is called.
TEST_F(GroupQueueTest, NoCallIsLostWithOneWhoGoes) {
  const auto first = stay();
  const auto second = ask();
  const auto third = ask();
  second->cancel();
  const TimePoint left = world.now();
  leave(*first);
  EXPECT_EQ(third->status, 200);
  EXPECT_EQ(third->acquired_at, left);
}

TEST_F(GroupQueueTest, PlacesOfConnectionsThatEndAreGivenToThoseWhoWait) {
  const auto first = stay();
  const auto second = ask();
  const auto third = ask(1);
  first->cancel();  // which closes its connection
  wait(milliseconds(50));
  EXPECT_EQ(second->status, 200);
  EXPECT_EQ(third->status, 200);
  EXPECT_LE(server(0).connections(), 1U);
}

TEST_F(GroupQueueTest, AConnectThatFailsGivesItsPlaceBack) {
  settings.connect = seconds(1);
  world.script(a.address(), {.connect = Fate::Connect::vanish});
  const auto first = ask();
  const auto second = ask();
  EXPECT_EQ(share().waiting(), 1U);
  wait(seconds(2));
  EXPECT_TRUE(first->failed_with(ErrorKind::timed_out));
  EXPECT_EQ(second->status, 200);
  EXPECT_EQ(second->acquired_at - first->ended_at, milliseconds(2));
  EXPECT_EQ(server(0).connections(), 1U);
}

TEST_F(GroupQueueTest, AnIdleConnectionOfAnotherWorkerGivesWay) {
  EXPECT_EQ(served_by(), kA);
  EXPECT_EQ(idle(0), 1U);
  const auto other = ask(1);
  EXPECT_EQ(other->status, 200);
  EXPECT_FALSE(other->reused);
  EXPECT_EQ(idle(0), 0U);
  EXPECT_EQ(server(0).connections(), 1U);
}

TEST_F(GroupQueueTest, AConnectionThatIsGivenBackGivesWayToAnotherWorker) {
  const auto first = stay(0);
  const auto other = ask(1);
  EXPECT_FALSE(other->acquired);
  leave(*first);
  EXPECT_EQ(other->status, 200);
  EXPECT_EQ(idle(0), 0U);
  EXPECT_EQ(idle(1), 1U);
}

// A busy worker must not keep a server for itself for ever.
TEST_F(GroupQueueTest, ABusyWorkerLetsOthersHaveATurn) {
  group().queue.timeout = seconds(5);
  std::vector<std::unique_ptr<Visit>> visits;
  visits.push_back(stay(0));
  for (int i = 0; i < 3; ++i) visits.push_back(stay(0));
  const auto other = ask(1);
  for (int i = 0; i < 450 && !other->done; ++i) {
    // One leaves, one comes: there is always somebody waiting.
    for (const auto& visit : visits) {
      if (visit->holds()) visit->leave();
    }
    std::erase_if(visits, [](const auto& visit) { return visit->done; });
    visits.push_back(stay(0));
  }
  EXPECT_EQ(other->status, 200);
  for (const auto& visit : visits) EXPECT_NE(visit->unavailable(), Unavailable::queue_timeout);
}

TEST_F(GroupQueueTest, TheServersOwnBoundComesFirst) {
  set_servers({kA, kB});
  group().servers[1].max_connections = 2;
  std::vector<std::unique_ptr<Visit>> visits;
  for (int i = 0; i < 4; ++i) visits.push_back(stay());
  EXPECT_EQ(server(0).connections(), 1U);
  EXPECT_EQ(server(1).connections(), 2U);
  EXPECT_EQ(share().waiting(), 1U);
}

TEST_F(GroupQueueTest, TheGroupsBound) {
  set_servers({kA, kB});
  group().max_connections = 0;
  group().breaker.connections = 3;
  std::vector<std::unique_ptr<Visit>> visits;
  for (int i = 0; i < 5; ++i) visits.push_back(stay(static_cast<std::size_t>(i) % 2));
  EXPECT_EQ(share().connections(), 3U);
  EXPECT_EQ(share().waiting(), 2U);
  leave(*visits[0]);
  EXPECT_EQ(share().waiting(), 1U);
  EXPECT_LE(share().connections(), 3U);
}

TEST_F(GroupQueueTest, AServerWithRoomIsPreferredToWaiting) {
  set_servers({kA, kB});
  const auto first = stay();
  const auto second = stay();
  EXPECT_NE(first->server, second->server);
  EXPECT_EQ(share().waiting(), 0U);
  leave(*first);
  // Its idle connection will do though it is full.
  EXPECT_EQ(served_by(), first->server);
  EXPECT_EQ(served_by(), first->server);
}

TEST_F(GroupQueueTest, WhoIsBoundWaitsForItsServer) {
  set_servers({kA, kB});
  group().sticky_cookie = "srv";
  const std::string to_a = "srv=" + std::string(text_of(server_group().hops()[0]->sticky_id));
  const auto first = stay(0, to_a);
  const auto bound = ask(0, to_a);
  EXPECT_EQ(share().waiting(), 1U);
  EXPECT_EQ(served_by(), kB);
  EXPECT_FALSE(bound->acquired);
  leave(*first);
  EXPECT_EQ(bound->server, kA);
}

// Those in front of it can't use the server.
TEST_F(GroupQueueTest, WhoIsBoundToADrainedServerIsCalled) {
  set_servers({kA, kB});
  group().sticky_cookie = "srv";
  group().servers[0].drain = true;
  const std::string to_a = "srv=" + std::string(text_of(server_group().hops()[0]->sticky_id));
  const auto at_a = stay(0, to_a);
  const auto at_b = stay();
  EXPECT_EQ(at_b->server, kB);
  const auto any = ask();
  const auto bound = ask(0, to_a);
  EXPECT_EQ(share().waiting(), 2U);
  const TimePoint left = world.now();
  leave(*at_a);
  EXPECT_EQ(bound->server, kA);
  EXPECT_EQ(bound->acquired_at, left);
  EXPECT_FALSE(any->acquired);
}

// The server it waits for goes out of service: others will do.
TEST_F(GroupQueueTest, WhoIsBoundToAServerThatFailsGoesElsewhere) {
  set_servers({kA, kB});
  group().sticky_cookie = "srv";
  const std::string to_a = "srv=" + std::string(text_of(server_group().hops()[0]->sticky_id));
  const auto at_a = stay(0, to_a);
  const auto bound = ask(0, to_a);
  eject(0);
  wait(seconds(2));
  EXPECT_EQ(bound->server, kB);
}

TEST_F(GroupQueueTest, WhoWaitsWhileAllFailIsTold) {
  group().ejection.max_share = 100;
  const auto at_a = stay();
  const auto waiting = ask();
  eject(0);
  wait(seconds(2));
  EXPECT_EQ(waiting->unavailable(), Unavailable::no_server);
}

// Nobody tells that an ejection is over.
TEST_F(GroupQueueTest, AServerWhoseEjectionEndsServesThoseWhoWait) {
  set_servers({kA, kB});
  group().ejection.time = seconds(1);
  side();
  eject(1);
  const auto at_a = stay();
  EXPECT_EQ(at_a->server, kA);
  const auto waiting = ask();
  EXPECT_FALSE(waiting->acquired);
  wait(seconds(2));
  EXPECT_EQ(waiting->server, kB);
}

TEST_F(GroupQueueTest, AServerThatComesBackServesAsManyAsItCan) {
  set_servers({kA, kB});
  group().servers[1].max_connections = 3;
  const CheckSettings check{.rise = 1, .fall = 1};
  server(1).checked(false, check, world.now());
  const auto at_a = stay();
  std::vector<std::unique_ptr<Visit>> visits;
  for (int i = 0; i < 5; ++i) visits.push_back(stay());
  EXPECT_EQ(share().waiting(), 5U);
  server(1).checked(true, check, world.now());
  const TimePoint back = world.now();
  wait(milliseconds(10));
  EXPECT_EQ(share().waiting(), 2U);
  EXPECT_EQ(server(1).connections(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(visits[i]->acquired_at - back, milliseconds(2));
}

// A retry wants no idle connection; but what becomes idle while it waits has just been in use.
TEST_F(GroupQueueTest, AFreshOneDoesNotWaitBesideAnIdleConnection) {
  const auto first = stay();
  Visit retry;
  retry.fresh = true;
  retry.begin(side());
  wait(milliseconds(10));
  EXPECT_FALSE(retry.acquired);
  const TimePoint left = world.now();
  leave(*first);
  EXPECT_EQ(retry.status, 200);
  EXPECT_LE(retry.acquired_at - left, milliseconds(2));
}

TEST_F(GroupQueueTest, AFreshOneMakesAnIdleConnectionGiveWay) {
  EXPECT_EQ(served_by(), kA);
  Visit retry;
  retry.fresh = true;
  retry.begin(side());
  wait(milliseconds(10));
  EXPECT_EQ(retry.status, 200);
  EXPECT_FALSE(retry.reused);
  EXPECT_EQ(server(0).connections(), 1U);
}

// Whatever is left behind by thousands of requests that end in all sorts of ways.
TEST_F(GroupQueueTest, NothingIsLeftAfterAStorm) {
  world.set_faults(Faults::hostile());
  set_servers({kA, kB});
  group().max_connections = 3;
  group().breaker.connections = 4;
  group().queue.length = 20;
  group().ejection.max_share = 100;
  group().ejection.time = seconds(1);
  group().balance.algorithm = Balance::least_connections;
  settings.connect = seconds(1);
  settings.stall = seconds(2);
  std::vector<std::unique_ptr<Visit>> visits;
  Random& random = world.random();
  for (int i = 0; i < 3000; ++i) {
    auto visit = std::make_unique<Visit>();
    visit->fresh = random.below(8) == 0;
    visit->begin(side(random.below(3)), random.below(3) == 0);
    visits.push_back(std::move(visit));
    Visit& any = *visits[random.below(visits.size())];
    if (random.below(2) == 0) any.leave();
    if (random.below(10) == 0) any.cancel();
    wait(milliseconds(random.below(20)));
    EXPECT_LE(server(0).connections(), 3U);
    EXPECT_LE(share().connections(), 4U);
    if (random.below(100) == 0) eject(random.below(2));
    if (visits.size() > 40) visits.erase(visits.begin());
  }
  for (const auto& visit : visits) visit->leave();
  wait(seconds(30));
  for (const auto& visit : visits) EXPECT_TRUE(visit->done);
  EXPECT_EQ(share().waiting(), 0U);
  EXPECT_EQ(server(0).requests() + server(1).requests(), 0U);
  EXPECT_EQ(server(0).connections() + server(1).connections(), idle(0) + idle(1) + idle(2));
  EXPECT_EQ(share().connections(), idle(0) + idle(1) + idle(2));
  for (std::size_t i = 0; i < 3; ++i) side(i).pool().close_idle();
  EXPECT_EQ(share().connections(), 0U);
}

}  // namespace
}  // namespace penstock
