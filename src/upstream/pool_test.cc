#include "upstream/pool.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "upstream/upstream_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kRequestEnd(kHeadEnd);
const ServerStep kAnswer{.until = kRequestEnd, .answer = std::string(kOk)};
// Answers each request that comes.
const ServerScript kAnswers(8, kAnswer);

class ServerPoolTest : public UpstreamTest {
 protected:
  // So many requests at once, each on a connection of its own, that are idle afterwards.
  void make_idle(std::size_t count, const std::vector<std::string_view>& to = {"10.0.0.1:80"}) {
    std::vector<Conversation> conversations(count);
    for (Conversation& conversation : conversations) begin(conversation, to);
    world.run_for(milliseconds(10));
    for (const Conversation& conversation : conversations) {
      EXPECT_EQ(conversation.fate, CloseReason::kept);
    }
  }
};

TEST_F(ServerPoolTest, ConnectionIsUsedAgain) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  EXPECT_FALSE(get().reused);
  EXPECT_EQ(pool.idle_count(), 1U);
  EXPECT_TRUE(get().reused);
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(ServerPoolTest, FreshMeansNew) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  get();
  Conversation second;
  second.fresh = true;
  talk(second);
  EXPECT_FALSE(second.reused);
  EXPECT_EQ(server.connections(), 2U);
  EXPECT_EQ(pool.idle_count(), 2U);
}

TEST_F(ServerPoolTest, MostRecentlyUsedFirst) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  make_idle(2);
  const std::size_t first = server.received(0).size();
  for (int i = 0; i < 3; ++i) get();
  // The one given back last is on top, and stays there.
  EXPECT_EQ(server.received(0).size(), first);
  EXPECT_EQ(server.received(1).size(), 4 * first);
}

TEST_F(ServerPoolTest, IdleConnectionIsClosedInTime) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  get();
  world.run_for(settings.targets.idle - seconds(1));
  EXPECT_EQ(pool.idle_count(), 1U);
  EXPECT_FALSE(server.end(0));
  world.run_for(seconds(3));
  EXPECT_EQ(pool.idle_count(), 0U);
  ASSERT_TRUE(server.end(0));
  EXPECT_TRUE(*server.end(0));  // in the ordinary way
}

TEST_F(ServerPoolTest, UseStartsTheIdleTimeAnew) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(get().reused, i > 0);
    world.run_for(settings.targets.idle - seconds(2));
  }
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(ServerPoolTest, ConnectionThatIsTooOldIsNotHandedOut) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  // Too old between two rounds of the sweep.
  settings.targets.idle = milliseconds(300);
  get();
  world.run_for(milliseconds(400));
  EXPECT_FALSE(get().reused);
  EXPECT_EQ(server.connections(), 2U);
}

// No server has anything to say without being asked.
TEST_F(ServerPoolTest, WhateverHappensOnAnIdleConnectionMakesItUnusable) {
  struct Case {
    const char* name;
    ServerStep::Then then;
    const char* stray;
  };
  for (const Case& c :
       {Case{"end", ServerStep::Then::end, ""}, Case{"close", ServerStep::Then::close, ""},
        Case{"reset", ServerStep::Then::reset, ""},
        Case{"bytes", ServerStep::Then::go_on, "HTTP/1.1 200 OK\r\n"}}) {
    SCOPED_TRACE(c.name);
    world.run_for(settings.targets.idle * 2);
    ScriptedServer server(
        network, "10.0.0.1:80",
        {{{.until = kRequestEnd, .answer = std::string(kOk)}, {.until = "", .then = c.then}},
         kAnswers});
    // The pool has it before what happens next gets there.
    Conversation first;
    talk(first);
    if (*c.stray != '\0') server.say(0, c.stray);
    world.run_for(milliseconds(5));
    EXPECT_EQ(pool.idle_count(), 0U);  // its descriptor is given back soon
    const Conversation second = get();
    EXPECT_FALSE(second.reused);
    EXPECT_EQ(second.content, "ok");
  }
}

TEST_F(ServerPoolTest, EndThatCameWithTheResponseIsNoticed) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kRequestEnd, .answer = std::string(kOk), .then = ServerStep::Then::end}},
       kAnswers});
  get();
  world.run_for(milliseconds(2));
  EXPECT_EQ(pool.idle_count(), 0U);
  EXPECT_FALSE(get().reused);
}

TEST_F(ServerPoolTest, NoMoreIdleOnesThanAllowed) {
  settings.max_idle = 2;
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  std::vector<Conversation> conversations(3);
  for (Conversation& conversation : conversations) begin(conversation);
  world.run_for(milliseconds(10));
  EXPECT_EQ(conversations[0].fate, CloseReason::kept);
  EXPECT_EQ(conversations[1].fate, CloseReason::kept);
  EXPECT_EQ(conversations[2].fate, CloseReason::pool_full);
  EXPECT_EQ(pool.idle_count(), 2U);
  EXPECT_TRUE(server.end(2));
}

TEST_F(ServerPoolTest, ClosesIdleOnesAndThoseGivenBackLater) {
  const ScriptedServer server(network, "10.0.0.1:80", {kAnswers});
  make_idle(2);
  Conversation under_way;
  under_way.fresh = true;
  begin(under_way);
  pool.close_idle();
  EXPECT_EQ(pool.idle_count(), 0U);
  world.run_for(milliseconds(10));
  EXPECT_TRUE(under_way.answered);  // not cut short
  EXPECT_EQ(under_way.fate, CloseReason::pool_full);
  EXPECT_EQ(pool.idle_count(), 0U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(server.end(i)) << i;
}

TEST_F(ServerPoolTest, AnIdleConnectionToAnyAddressWillDo) {
  const ScriptedServer a(network, "10.0.0.1:80", {kAnswers});
  const ScriptedServer b(network, "10.0.0.2:80", {kAnswers});
  get({"10.0.0.2:80"});
  Conversation any;
  talk(any, {"10.0.0.1:80", "10.0.0.2:80"});
  EXPECT_TRUE(any.reused);
  EXPECT_EQ(any.server.to_string(), "10.0.0.2:80");
}

TEST_F(ServerPoolTest, NextAddressWhenOneFails) {
  const ScriptedServer server(network, "10.0.0.3:80", {kAnswers});
  settings.connect = seconds(2);
  world.script(Address::parse("10.0.0.2:80").value(), {.connect = Fate::Connect::vanish});
  const TimePoint start = world.now();
  const Conversation got = get({"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"});
  EXPECT_EQ(got.server.to_string(), "10.0.0.3:80");
  // Refused at once; then the next one starts beside the one that does not answer.
  EXPECT_GT(got.answered_at - start, milliseconds(250));
  EXPECT_LT(got.answered_at - start, milliseconds(300));
}

TEST_F(ServerPoolTest, IdleConnectionToALaterAddressIsAWayOut) {
  const ScriptedServer server(network, "10.0.0.2:80", {kAnswers});
  get({"10.0.0.2:80"});
  const Conversation got = get({"10.0.0.1:80", "10.0.0.2:80"});
  EXPECT_TRUE(got.reused);
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(ServerPoolTest, TheAddressThatCameFurthestTellsTheError) {
  settings.connect = seconds(1);
  struct Case {
    std::vector<std::string_view> to;
    ErrorKind kind;
  };
  for (const Case& c : {Case{{"10.0.0.2:80", "10.0.0.1:80"}, ErrorKind::refused},
                        Case{{"10.0.0.1:80", "10.0.0.2:80"}, ErrorKind::refused},
                        Case{{"10.0.0.2:80"}, ErrorKind::timed_out}}) {
    world.script(Address::parse("10.0.0.2:80").value(), {.connect = Fate::Connect::vanish});
    Conversation conversation;
    talk(conversation, c.to);
    ASSERT_FALSE(conversation.acquired);
    EXPECT_EQ(conversation.acquired.error().kind, c.kind);
    EXPECT_EQ(conversation.acquired.error().side, Side::server);
    EXPECT_TRUE(conversation.acquired.error().retryable);
  }
}

TEST_F(ServerPoolTest, CancelledWhileConnecting) {
  world.script(Address::parse("10.0.0.1:80").value(), {.connect = Fate::Connect::vanish});
  Conversation conversation;
  begin(conversation, {"10.0.0.1:80", "10.0.0.2:80"});
  world.run_for(milliseconds(100));
  scope.cancel();
  world.run_for({});
  ASSERT_TRUE(conversation.done);
  EXPECT_EQ(conversation.acquired.error().kind, ErrorKind::cancelled);
}

TEST_F(ServerPoolTest, ConnectionsAreKeptByAddress) {
  const ScriptedServer a(network, "10.0.0.1:80", {kAnswers});
  const ScriptedServer b(network, "10.0.0.1:81", {kAnswers});
  get({"10.0.0.1:80"});
  EXPECT_FALSE(get({"10.0.0.1:81"}).reused);
  EXPECT_TRUE(get({"10.0.0.1:80"}).reused);
  EXPECT_TRUE(get({"10.0.0.1:81"}).reused);
}

}  // namespace
}  // namespace penstock
