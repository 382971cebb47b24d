#include "upstream/endpoint.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/upstream_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Room final : WaitingRoom {
  using WaitingRoom::WaitingRoom;
  void on_room_wanted() override {}
};

AddressList list(const std::vector<std::string_view>& texts) {
  const auto all = addresses(texts);
  return {all.begin(), all.end()};
}

class EndpointTest : public testing::Test, protected ServerConnection::Watcher {
 protected:
  EndpointTest() {
    endpoint->set_addresses(list({"10.0.0.1:80"}));
    endpoint->set_room(room);
  }
  ~EndpointTest() override {
    endpoint->retire();
    static_cast<void>(endpoint->close_all());
    world.run_for({});
  }
  void on_idle_connection_dead() override { ++deaths; }

  // One that has carried so many requests.
  std::unique_ptr<ServerConnection> connection(std::uint64_t requests = 1) {
    std::unique_ptr<ByteStream> stream;
    scope.spawn(connect(network, stream));
    world.run_for(milliseconds(5));
    EXPECT_TRUE(endpoint->share()->open_connection());
    auto made = std::make_unique<ServerConnection>(std::move(stream), InputBuffer(),
                                                   Address::parse("10.0.0.1:80").value(), endpoint,
                                                   ConnectionPlace(endpoint->share()), world.now());
    for (std::uint64_t i = 0; i < requests; ++i) made->count_request();
    return made;
  }
  static Task<void> connect(SimNetwork& network, std::unique_ptr<ByteStream>& stream) {
    const Address to = Address::parse("10.0.0.1:80").value();
    auto connected = co_await network.connect(to, kNever);
    if (connected) stream = std::move(*connected);
  }
  bool keep(std::unique_ptr<ServerConnection> connection) {
    return endpoint->keep(std::move(connection), world.now(), *this);
  }
  bool has_idle() { return endpoint->take_idle(world.now()) != nullptr; }
  void wait(Duration time) { world.run_for(time); }

  SimWorld world{1};
  SimNetwork network{world};
  Scope scope{world.executor()};
  ScriptedServer server{network, "10.0.0.1:80", {{}}};
  UpstreamGroupSettings settings;
  GroupShare group{settings};
  Room room{group};
  std::shared_ptr<Endpoint> endpoint =
      std::make_shared<Endpoint>(settings.pool, group.server("10.0.0.1:80", 2));
  int deaths = 0;
};

TEST_F(EndpointTest, TheOneUsedLastComesFirst) {
  auto one = connection();
  auto two = connection();
  const ServerConnection* const first = one.get();
  const ServerConnection* const second = two.get();
  ASSERT_TRUE(keep(std::move(one)));
  ASSERT_TRUE(keep(std::move(two)));
  EXPECT_EQ(endpoint->idle_count(), 2U);
  const auto taken = endpoint->take_idle(world.now());
  EXPECT_EQ(taken.get(), second);
  EXPECT_EQ(endpoint->take_idle(world.now()).get(), first);
  EXPECT_EQ(endpoint->take_idle(world.now()), nullptr);
}

TEST_F(EndpointTest, ClosesTheOneUnusedForLongest) {
  auto one = connection();
  auto two = connection();
  const ServerConnection* const second = two.get();
  ASSERT_TRUE(keep(std::move(one)));
  ASSERT_TRUE(keep(std::move(two)));
  EXPECT_EQ(endpoint->close_oldest(), 1U);
  EXPECT_EQ(endpoint->share()->connections(), 1U);
  EXPECT_EQ(endpoint->take_idle(world.now()).get(), second);
  EXPECT_EQ(endpoint->close_oldest(), 0U);
}

TEST_F(EndpointTest, NoMoreThanAllowed) {
  settings.pool.max_idle = 1;
  EXPECT_TRUE(keep(connection()));
  EXPECT_FALSE(keep(connection()));
  EXPECT_EQ(endpoint->share()->connections(), 1U);
  settings.pool.max_idle = 0;
  EXPECT_TRUE(has_idle());
  EXPECT_FALSE(keep(connection()));
  EXPECT_EQ(endpoint->share()->connections(), 0U);
}

TEST_F(EndpointTest, UnusedForTooLong) {
  settings.pool.idle = seconds(10);
  ASSERT_TRUE(keep(connection()));
  wait(seconds(10));
  EXPECT_TRUE(has_idle());
  ASSERT_TRUE(keep(connection()));
  wait(seconds(10) + milliseconds(1));
  EXPECT_FALSE(has_idle());
  EXPECT_EQ(endpoint->share()->connections(), 0U);
}

TEST_F(EndpointTest, TooOld) {
  settings.pool.max_age = seconds(10);
  auto kept = connection();
  auto late = connection();
  ASSERT_TRUE(keep(std::move(kept)));
  wait(seconds(10) + milliseconds(1));
  EXPECT_FALSE(keep(std::move(late)));
  EXPECT_FALSE(has_idle());
}

TEST_F(EndpointTest, OverItsNumberOfRequests) {
  settings.pool.max_requests = 3;
  EXPECT_TRUE(keep(connection(2)));
  EXPECT_FALSE(keep(connection(3)));
  settings.pool.max_requests = 0;
  EXPECT_TRUE(keep(connection(1'000'000)));
}

TEST_F(EndpointTest, TheServersOwnLimits) {
  struct Case {
    Duration idle;
    Duration kept;
  };
  for (const Case& c : {Case{seconds(5), seconds(4)}, Case{seconds(1), milliseconds(500)},
                        Case{seconds(1000), seconds(60)}, Case{seconds(0), seconds(60)}}) {
    auto limited = connection();
    limited->limit_by_server(c.idle, false);
    const TimePoint now = world.now();
    ASSERT_TRUE(keep(std::move(limited)));
    const auto taken = endpoint->take_idle(world.now());
    EXPECT_EQ(taken->keep_until() - now, c.kept);
  }
  auto last = connection();
  last->limit_by_server(seconds(5), true);
  EXPECT_FALSE(keep(std::move(last)));
}

TEST_F(EndpointTest, AddressesThatAreGone) {
  ASSERT_TRUE(keep(connection()));
  auto in_use = connection();
  endpoint->set_addresses(list({"10.0.0.2:80", "10.0.0.1:80"}));
  EXPECT_EQ(endpoint->sweep(world.now()), 0U);
  endpoint->set_addresses(list({"10.0.0.2:80"}));
  EXPECT_FALSE(keep(std::move(in_use)));
  EXPECT_EQ(endpoint->sweep(world.now()), 1U);
  EXPECT_EQ(endpoint->share()->connections(), 0U);
}

TEST_F(EndpointTest, AddressesThatAreGoneBeforeTheSweep) {
  ASSERT_TRUE(keep(connection()));
  endpoint->set_addresses(list({"10.0.0.1:81"}));
  EXPECT_FALSE(has_idle());
}

TEST_F(EndpointTest, OneThatTheServerEnded) {
  ASSERT_TRUE(keep(connection()));
  server.close(0);
  wait(milliseconds(5));
  EXPECT_EQ(deaths, 1);
  EXPECT_FALSE(has_idle());
}

TEST_F(EndpointTest, OneTheServerSpokeOnBeforeItWasIdle) {
  auto talkative = connection();
  server.say(0, "HTTP/1.1 408 Request Timeout\r\n\r\n");
  wait(milliseconds(5));
  EXPECT_FALSE(keep(std::move(talkative)));
  EXPECT_EQ(endpoint->idle_count(), 0U);
}

TEST_F(EndpointTest, WhatWasTakenIsNotWatched) {
  ASSERT_TRUE(keep(connection()));
  const auto taken = endpoint->take_idle(world.now());
  server.close(0);
  wait(milliseconds(5));
  EXPECT_EQ(deaths, 0);
}

TEST_F(EndpointTest, ARetiredOneKeepsNothing) {
  auto in_use = connection();
  ASSERT_TRUE(keep(connection()));
  endpoint->retire();
  EXPECT_FALSE(has_idle());
  EXPECT_FALSE(keep(std::move(in_use)));
  EXPECT_EQ(endpoint->share()->connections(), 0U);
}

TEST_F(EndpointTest, SweepClosesWhatIsOfNoUse) {
  ASSERT_TRUE(keep(connection()));
  wait(seconds(30));
  ASSERT_TRUE(keep(connection()));
  wait(seconds(31));
  EXPECT_EQ(endpoint->sweep(world.now()), 1U);
  EXPECT_EQ(endpoint->idle_count(), 1U);
  EXPECT_EQ(endpoint->close_all(), 1U);
  EXPECT_EQ(endpoint->share()->connections(), 0U);
}

// ---- Whether a connection may stay while somebody waits.

TEST_F(EndpointTest, StaysWhileNobodyWaits) {
  const auto one = connection();
  const auto two = connection();
  EXPECT_TRUE(endpoint->may_stay(world.now()));
}

TEST_F(EndpointTest, StaysForThoseWhoWaitHere) {
  const auto one = connection();
  const auto two = connection();
  const WaitingRoom::Seat seat(room);
  EXPECT_TRUE(endpoint->may_stay(world.now()));
  // That one is called already, and nobody else waits.
  EXPECT_FALSE(endpoint->may_stay(world.now()));
}

TEST_F(EndpointTest, GoesIfOnlyOthersWait) {
  auto one = connection();
  const auto two = connection();
  ASSERT_TRUE(group.begin_waiting());
  EXPECT_FALSE(endpoint->may_stay(world.now()));
  one.reset();  // not at the bound any more
  EXPECT_TRUE(endpoint->may_stay(world.now()));
  group.end_waiting();
}

TEST_F(EndpointTest, GoesNowAndThenIfOthersWaitToo) {
  const auto one = connection();
  const auto two = connection();
  const WaitingRoom::Seat seat(room);
  const WaitingRoom::Seat second(room);
  ASSERT_TRUE(group.begin_waiting());
  EXPECT_FALSE(endpoint->may_stay(world.now()));
  EXPECT_TRUE(endpoint->may_stay(world.now()));
  wait(milliseconds(99));
  EXPECT_TRUE(endpoint->may_stay(world.now()));
  wait(milliseconds(1));
  EXPECT_FALSE(endpoint->may_stay(world.now()));
  group.end_waiting();
}

TEST_F(EndpointTest, WithoutAServerItStays) {
  Endpoint target(settings.pool, nullptr);
  EXPECT_TRUE(target.may_stay(world.now()));
}

}  // namespace
}  // namespace penstock
