// What a group does beside serving: names, records, spare connections, checks.
#include <chrono>
#include <map>
#include <memory>
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

class GroupUpkeepTest : public GroupTest {
 protected:
  ScriptedServer a{network, kA, {kAnswers}};
  ScriptedServer b{network, kB, {kAnswers}};
  ScriptedServer c{network, kC, {kAnswers}};
};

// ---- Names.

class GroupNamesTest : public GroupUpkeepTest {
 protected:
  GroupNamesTest() { set_servers({"one.example"}); }
};

TEST_F(GroupNamesTest, RequestsWaitForTheFirstAnswer) {
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .delay = seconds(1)});
  const auto visit = ask();
  EXPECT_FALSE(visit->acquired);
  wait(seconds(1));
  EXPECT_EQ(visit->server, kA);
}

TEST_F(GroupNamesTest, ButNoLongerThanForAConnection) {
  settings.connect = seconds(3);
  world.set_name("one.example", {.answered = false});
  const TimePoint start = world.now();
  const auto visit = ask();
  wait(seconds(5));
  EXPECT_TRUE(visit->failed_with(ErrorKind::timed_out));
  EXPECT_EQ(visit->ended_at - start, seconds(3));
  EXPECT_EQ(visit->acquired->error().side, Side::server);
}

TEST_F(GroupNamesTest, NoAnswerAtTheStartAndOneLater) {
  const auto early = ask();
  EXPECT_TRUE(early->failed_with(ErrorKind::resolve_failed));
  EXPECT_EQ(early->acquired->error().side, Side::server);
  world.set_name("one.example", {.ips = {"10.0.0.1"}});
  wait(seconds(2));
  EXPECT_EQ(served_by(), kA);
}

TEST_F(GroupNamesTest, AsksLessAndLessOftenWhileThereIsNoAnswer) {
  side();
  wait(seconds(1 + 2 + 4 + 8 + 16 + 30 + 1));
  EXPECT_EQ(server_group().hops()[0]->resolve_failures, 7U);
  world.set_name("one.example", {.ips = {"10.0.0.1"}});
  wait(seconds(30));
  EXPECT_EQ(server_group().hops()[0]->resolve_failures, 0U);
  EXPECT_EQ(served_by(), kA);
}

// One name that is slow is no reason to let all others wait.
TEST_F(GroupNamesTest, ThoseThatHaveAnAddressServe) {
  set_servers({"slow.example", "one.example"});
  world.set_name("slow.example", {.answered = false});
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .delay = milliseconds(100)});
  const auto visit = ask();
  wait(milliseconds(100));
  EXPECT_EQ(visit->server, kA);
}

TEST_F(GroupNamesTest, AddressesServeWhileNamesAreAskedFor) {
  set_servers({"slow.example", kB});
  world.set_name("slow.example", {.answered = false});
  EXPECT_EQ(served_by(), kB);
  EXPECT_EQ(served_by(), kB);
}

TEST_F(GroupNamesTest, FollowsTheNameToOtherAddresses) {
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .ttl = seconds(5)});
  EXPECT_EQ(served_by(), kA);
  world.set_name("one.example", {.ips = {"10.0.0.2"}, .ttl = seconds(5)});
  wait(seconds(4));
  EXPECT_EQ(served_by(), kA);
  wait(seconds(2));
  EXPECT_EQ(served_by(), kB);
  wait(seconds(2));
  EXPECT_TRUE(a.end(0));  // nobody will use it any more
  EXPECT_EQ(idle(), 1U);
}

TEST_F(GroupNamesTest, ConnectionsToAddressesThatStayAreKept) {
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .ttl = seconds(5)});
  EXPECT_EQ(served_by(), kA);
  world.set_name("one.example", {.ips = {"10.0.0.2", "10.0.0.1"}, .ttl = seconds(5)});
  wait(seconds(6));
  EXPECT_EQ(served_by(), kA);
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(GroupNamesTest, ARequestUnderWayIsNotDisturbed) {
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .ttl = seconds(5)});
  const auto visit = stay();
  world.set_name("one.example", {.ips = {"10.0.0.2"}, .ttl = seconds(5)});
  wait(seconds(6));
  EXPECT_TRUE(visit->holds());
  leave(*visit);
  EXPECT_EQ(visit->status, 200);
  EXPECT_EQ(idle(), 0U);
  EXPECT_EQ(server(0).connections(), 0U);
}

TEST_F(GroupNamesTest, OldAddressesServeWhileTheNameFails) {
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .ttl = seconds(5)});
  EXPECT_EQ(served_by(), kA);
  world.set_name("one.example", {});
  wait(seconds(100));
  EXPECT_EQ(served_by(), kA);
}

TEST_F(GroupNamesTest, ShortLivedAnswersAreNotAskedForAllTheTime) {
  world.set_name("one.example", {.ips = {"10.0.0.1"}, .ttl = seconds(0)});
  side();
  EXPECT_EQ(world.run_for(seconds(100), 5000), SimOutcome::time_limit);
  EXPECT_EQ(served_by(), kA);
}

TEST_F(GroupNamesTest, ANameThatGetsAnAddressServesThoseWhoWait) {
  set_servers({kA, "late.example"});
  group().max_connections = 2;
  const auto one = stay();
  const auto two = stay();
  const auto three = ask();
  const auto four = ask();
  EXPECT_EQ(share().waiting(), 2U);
  world.set_name("late.example", {.ips = {"10.0.0.2"}});
  wait(seconds(2));
  EXPECT_EQ(three->server, kB);
  EXPECT_EQ(four->server, kB);
}

// ---- Services.

class GroupServiceTest : public GroupUpkeepTest {
 protected:
  GroupServiceTest() {
    group().service = "_http._tcp.example.com";
    for (int i = 1; i <= 3; ++i) {
      world.set_name("n" + std::to_string(i) + ".example",
                     {.ips = {"10.0.0." + std::to_string(i)}});
    }
  }
  void offer(const std::vector<ServiceTarget>& targets) {
    world.set_service("_http._tcp.example.com", {.targets = targets, .ttl = seconds(5)});
  }
  std::vector<std::string> identities() {
    std::vector<std::string> all;
    for (const auto& hop : server_group().hops()) all.push_back(hop->share->identity());
    return all;
  }
};

TEST_F(GroupServiceTest, ItsTargetsServe) {
  offer({{"n1.example", 80, 0, 1}, {"n2.example", 80, 0, 3}, {"n3.example", 80, 1, 1}});
  std::map<std::string, int> counts;
  for (int i = 0; i < 8; ++i) ++counts[served_by()];
  EXPECT_EQ(counts, (std::map<std::string, int>{{kA, 2}, {kB, 6}}));
  EXPECT_EQ(server_group().hops()[2]->entry.backup, true);
}

TEST_F(GroupServiceTest, NoneAtTheStartAndSomeLater) {
  const auto early = ask();
  EXPECT_TRUE(early->failed_with(ErrorKind::resolve_failed));
  offer({{"n1.example", 80, 0, 0}});
  wait(seconds(2));
  EXPECT_EQ(served_by(), kA);
}

TEST_F(GroupServiceTest, TargetsComeAndGo) {
  offer({{"n1.example", 80, 0, 1}});
  const auto visit = stay();
  EXPECT_EQ(visit->server, kA);
  EXPECT_EQ(ask()->server, kA);
  EXPECT_EQ(idle(), 1U);
  offer({{"n2.example", 80, 0, 1}});
  wait(seconds(6));
  EXPECT_EQ(identities(), std::vector<std::string>{"n2.example:80"});
  EXPECT_EQ(idle(), 0U);
  EXPECT_EQ(served_by(), kB);
  // The request goes on, its connection ends with it.
  EXPECT_TRUE(visit->holds());
  leave(*visit);
  EXPECT_EQ(visit->status, 200);
  EXPECT_TRUE(a.end(0));
  EXPECT_EQ(share().connections(), 1U);
  EXPECT_EQ(idle(), 1U);
}

TEST_F(GroupServiceTest, ThoseThatStayKeepTheirConnections) {
  offer({{"n1.example", 80, 0, 1}, {"n2.example", 80, 0, 1}});
  for (int i = 0; i < 4; ++i) served_by();
  offer({{"n3.example", 80, 0, 1}, {"n1.example", 80, 0, 1}});
  wait(seconds(6));
  for (int i = 0; i < 4; ++i) EXPECT_NE(served_by(), kB);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(c.connections(), 1U);
  EXPECT_TRUE(b.end(0));
}

TEST_F(GroupServiceTest, OldTargetsServeWhileTheServiceFails) {
  offer({{"n1.example", 80, 0, 1}});
  EXPECT_EQ(served_by(), kA);
  offer({});
  wait(seconds(100));
  EXPECT_EQ(served_by(), kA);
  EXPECT_EQ(a.connections(), 2U);  // the first was idle for too long
}

// The old targets serve until the names of those that replace them are known.
TEST_F(GroupServiceTest, NoGapWhenAllTargetsChange) {
  offer({{"n1.example", 80, 0, 1}});
  EXPECT_EQ(served_by(), kA);
  world.set_name("n2.example", {.ips = {"10.0.0.2"}, .delay = seconds(1)});
  offer({{"n2.example", 80, 0, 1}});
  wait(seconds(5));
  const auto visit = ask();
  wait(seconds(2));
  EXPECT_EQ(visit->status, 200);
  EXPECT_EQ(served_by(), kB);
}

TEST_F(GroupServiceTest, NoGapWhenWeightsChange) {
  offer({{"n1.example", 80, 0, 1}, {"n2.example", 80, 0, 1}});
  const auto visit = stay();
  world.set_name("n1.example", {.ips = {"10.0.0.1"}, .delay = seconds(1)});
  world.set_name("n2.example", {.ips = {"10.0.0.2"}, .delay = seconds(1)});
  offer({{"n1.example", 80, 0, 5}, {"n2.example", 80, 0, 3}});
  wait(seconds(5));
  for (int i = 0; i < 6; ++i) {
    const auto again = ask();
    wait(seconds(i == 0 ? 1 : 0));
    EXPECT_EQ(again->status, 200);
  }
  leave(*visit);
}

TEST_F(GroupServiceTest, ATargetThatIsGoneLetsThoseWhoWaitForItGo) {
  group().max_connections = 1;
  group().sticky_cookie = "srv";
  offer({{"n1.example", 80, 0, 1}});
  const auto visit = stay();
  const std::string to_a = "srv=" + std::string(text_of(server_group().hops()[0]->sticky_id));
  offer({{"n2.example", 80, 0, 1}});
  wait(seconds(4));
  const auto bound = ask(0, to_a);
  EXPECT_FALSE(bound->acquired);
  wait(seconds(2));
  EXPECT_EQ(bound->server, kB);
}

TEST_F(GroupServiceTest, BoundsHoldForATargetThatComesBack) {
  group().max_connections = 1;
  offer({{"n1.example", 80, 0, 1}});
  const auto visit = stay();
  offer({{"n2.example", 80, 0, 1}});
  wait(seconds(6));
  offer({{"n1.example", 80, 0, 1}});
  wait(seconds(6));
  const auto other = ask();
  EXPECT_FALSE(other->acquired);  // its only place is in use still
  leave(*visit);
  EXPECT_EQ(other->server, kA);
}

// ---- Connections in reserve.

class GroupSpareTest : public GroupUpkeepTest {
 protected:
  GroupSpareTest() {
    set_servers({kA});
    group().pool.spare = 2;
  }
};

TEST_F(GroupSpareTest, AreThereBeforeTheyAreNeeded) {
  side();
  wait(seconds(2));
  EXPECT_EQ(a.connections(), 2U);
  EXPECT_EQ(idle(), 2U);
  EXPECT_EQ(server(0).connections(), 2U);
  const auto visit = stay();
  EXPECT_EQ(visit->server, kA);
  wait(seconds(1));
  EXPECT_EQ(idle(), 2U);
  EXPECT_EQ(a.connections(), 3U);
  leave(*visit);
  wait(seconds(3));
  EXPECT_EQ(a.connections(), 3U);
}

TEST_F(GroupSpareTest, AreReplacedWhenTheyEnd) {
  side();
  wait(seconds(2));
  a.close(0);
  wait(seconds(1));
  EXPECT_EQ(idle(), 2U);
  EXPECT_EQ(a.connections(), 3U);
}

TEST_F(GroupSpareTest, AsManyAsAreWantedAtOnce) {
  group().pool.spare = 50;
  side();
  wait(milliseconds(450));
  EXPECT_EQ(idle(), 50U);
}

TEST_F(GroupSpareTest, WhatThePoolDoesNotKeepIsNotMadeAgainAndAgain) {
  group().pool.max_idle = 1;
  side();
  wait(seconds(10));
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(server(0).connections(), 1U);
}

TEST_F(GroupSpareTest, NotBeyondTheBounds) {
  group().max_connections = 1;
  side();
  wait(seconds(3));
  EXPECT_EQ(server(0).connections(), 1U);
  EXPECT_EQ(served_by(), kA);
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(GroupSpareTest, AServerThatTakesNoneIsEjected) {
  set_servers({"10.0.0.9:80", kB});
  side();
  wait(seconds(6));
  EXPECT_FALSE(server(0).available(world.now()));
  EXPECT_TRUE(server(1).available(world.now()));
}

// That it takes connections says nothing of how it serves requests.
TEST_F(GroupSpareTest, DoNotMakeUpForRequestsThatFail) {
  set_servers({kA, kB});
  side();
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(server(0).noted(true, false, world.now()));
    const std::size_t before = a.connections();
    wait(seconds(2));
    if (before > 0) a.close(before - 1);
    wait(seconds(2));
    EXPECT_GT(a.connections(), before);
  }
  EXPECT_TRUE(server(0).noted(true, false, world.now()));
}

TEST_F(GroupSpareTest, OneServerThatHangsDoesNotHoldUpTheOthers) {
  set_servers({kA, kB});
  settings.connect = seconds(20);
  world.script(a.address(), {.connect = Fate::Connect::vanish});
  side();
  wait(seconds(3));
  EXPECT_EQ(b.connections(), 2U);
}

// ---- Checks.

class GroupChecksTest : public GroupUpkeepTest {
 protected:
  GroupChecksTest() {
    set_servers({kA, kB});
    group().check = {.kind = CheckKind::tcp, .interval = seconds(5), .rise = 2, .fall = 3};
  }
};

TEST_F(GroupChecksTest, TakeAServerOutAndBringItBack) {
  set_servers({kA, "10.0.0.9:80"});
  side();
  wait(seconds(5 + 2));
  EXPECT_TRUE(server(1).checked_up());
  wait(seconds(9));
  EXPECT_FALSE(server(1).checked_up());
  EXPECT_TRUE(server(0).checked_up());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(served_by(), kA);
  {
    const ScriptedServer back(network, "10.0.0.9:80", {kAnswers});
    wait(seconds(5));
    EXPECT_FALSE(server(1).checked_up());
    wait(seconds(5));
    EXPECT_TRUE(server(1).checked_up());
    EXPECT_EQ(back.connections(), 2U);
    EXPECT_EQ(server(1).connections(), 0U);
  }
}

TEST_F(GroupChecksTest, AreSpreadOverTheIntervalAndMadeByOneWorker) {
  side(2);
  wait(milliseconds(100));
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(b.connections(), 0U);
  wait(milliseconds(2500));
  EXPECT_EQ(b.connections(), 1U);
  wait(seconds(20));
  EXPECT_EQ(a.connections(), 5U);
  EXPECT_EQ(b.connections(), 5U);
}

TEST_F(GroupChecksTest, OneThatHangsDoesNotHoldUpTheOthers) {
  for (int i = 0; i < 10; ++i) {
    world.script(b.address(), {.connect = Fate::Connect::vanish});
  }
  side();
  wait(seconds(21));
  EXPECT_EQ(a.connections(), 5U);
  EXPECT_FALSE(server(1).checked_up());
}

TEST_F(GroupChecksTest, DoNotCountAmongTheConnections) {
  group().max_connections = 1;
  const auto one = stay();
  const auto two = stay();
  wait(seconds(30));
  EXPECT_TRUE(server(0).checked_up());
  EXPECT_TRUE(server(1).checked_up());
  EXPECT_EQ(share().connections(), 2U);
}

TEST_F(GroupChecksTest, ANameWithoutAddressIsNotChecked) {
  set_servers({kA, "none.example"});
  side();
  wait(seconds(60));
  EXPECT_TRUE(server(1).checked_up());
}

}  // namespace
}  // namespace penstock
