// How often a request is delivered again, and what failures say of servers.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/order_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

// ---- How often, and when.

TEST_F(DeliveryTest, NoMoreRetriesThanConfigured) {
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kCloses});
  for (const std::uint32_t count : {0U, 1U, 2U, 5U}) {
    side();
    group().retry.count = count;
    Order order;
    deliver(order, seconds(5));
    EXPECT_EQ(order.servers.size(), count + 1);
    wait(seconds(100));  // nobody is ejected any more
  }
}

TEST_F(DeliveryTest, TheSecondRetryWaitsALittle) {
  group().retry.count = 9;
  group().retry.back_off = milliseconds(100);
  group().retry.max_back_off = milliseconds(400);
  group().retry.budget = 1000;
  group().ejection.failures = 0;
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kCloses});
  Order order;
  deliver(order, seconds(10));
  ASSERT_EQ(order.times.size(), 10U);
  const Duration way = milliseconds(4);  // of the request and of the connection's end
  EXPECT_LE(order.times[1] - order.times[0], way);
  Duration most = milliseconds(100);
  for (std::size_t i = 2; i < 10; ++i) {
    EXPECT_LE(order.times[i] - order.times[i - 1], most + way) << i;
    most = std::min<Duration>(2 * most, milliseconds(400));
  }
  EXPECT_GE(order.times[9] - order.times[1], milliseconds(300));
}

TEST_F(DeliveryTest, CancelledWhileItWaitsToTryAgain) {
  group().retry.count = 9;
  group().retry.back_off = seconds(100);
  group().retry.max_back_off = seconds(100);
  group().breaker.retries = 1;
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kCloses});
  Order order;
  order.begin(side());
  wait(milliseconds(50));
  EXPECT_FALSE(order.done);
  EXPECT_FALSE(share().begin_retry());
  order.cancel();
  wait(milliseconds(1));
  EXPECT_TRUE(order.done);
  EXPECT_TRUE(order.failed_with(ErrorKind::cancelled));
  EXPECT_EQ(share().connections(), 0U);
  EXPECT_TRUE(share().begin_retry());
  share().end_retry();
}

TEST_F(DeliveryTest, RetriesAreAPartOfTheRequests) {
  group().ejection.failures = 0;
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kAnswers});
  int retried = 0;
  for (int i = 0; i < 1000; ++i) {
    Order order;
    deliver(order, milliseconds(10));
    retried += order.status == 200 ? 1 : 0;
  }
  // One in five, and five a second at the beginning of it.
  EXPECT_GE(retried, 190);
  EXPECT_LE(retried, 240);
}

// Each attempt is load for the servers, also the second and third of one request.
TEST_F(DeliveryTest, EveryRetryOfARequestCounts) {
  group().retry.count = 10;
  group().retry.back_off = Duration{};
  group().ejection.failures = 0;
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kCloses});
  std::size_t attempts = 0;  // of 100 requests in six seconds
  for (int i = 0; i < 100; ++i) {
    Order order;
    deliver(order, milliseconds(60));
    attempts += order.servers.size();
  }
  EXPECT_LE(attempts, 100U + 5U * 7U);
}

TEST_F(DeliveryTest, RetriesUnderWayAreBounded) {
  group().breaker.retries = 1;
  const ServerScript slow = {{.until = kEnd + "never"}};
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {slow, kAnswers});
  auto one = std::make_unique<Order>();
  one->begin(side());
  wait(milliseconds(50));
  EXPECT_EQ(one->servers, (Servers{kA, kB}));
  Order two;
  deliver(two);
  EXPECT_TRUE(two.failed_with(ErrorKind::closed));
  one->cancel();
  wait(milliseconds(10));
  EXPECT_TRUE(one->done);
  Order three;
  deliver(three);
  EXPECT_EQ(three.status, 200);
}

// ---- Idle connections that have died.

class StaleTest : public DeliveryTest {
 protected:
  StaleTest() { group().retry.count = 0; }
  // Connections that serve one request, and end at the next.
  static ServerScript once() {
    return {{.until = kEnd, .answer = std::string(kOk)}, {.until = kEnd, .then = Then::close}};
  }
};

TEST_F(StaleTest, AreNoFaultOfTheServer) {
  const ScriptedServer a(network, kA, {once()});
  const ScriptedServer b(network, kB, {kAnswers});
  for (int i = 0; i < 20; ++i) {
    Order order;
    deliver(order);
    EXPECT_EQ(order.status, 200);
    EXPECT_EQ(order.servers, i == 0 ? Servers{kA} : (Servers{kA, kA}));
  }
  EXPECT_TRUE(server(0).available(world.now()));
}

TEST_F(StaleTest, ManyOfThemDoNotStandInTheWay) {
  const ScriptedServer a(network, kA, {once(), once(), once(), once(), kAnswers});
  std::vector<std::unique_ptr<Order>> orders;
  for (int i = 0; i < 4; ++i) {
    orders.push_back(std::make_unique<Order>());
    orders.back()->begin(side());
  }
  wait(milliseconds(10));
  EXPECT_EQ(idle(), 4U);
  Order order;
  deliver(order);
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.delivery->attempts(), 2);
}

TEST_F(StaleTest, WhatMayNotBeRepeatedIsNot) {
  const ScriptedServer a(network, kA, {once(), kAnswers});
  Order get;
  deliver(get);
  Order post("POST", "text");
  deliver(post);
  EXPECT_TRUE(post.failed_with(ErrorKind::closed));
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(StaleTest, AServerThatAlwaysDoesItIsAskedAFewTimesOnly) {
  group().max_connections = 1;
  group().retry.on_closed = false;
  const ScriptedServer a(network, kA, {once()});
  set_servers({kA});
  std::vector<std::unique_ptr<Order>> orders;
  for (int i = 0; i < 6; ++i) {
    orders.push_back(std::make_unique<Order>());
    orders.back()->begin(side());
  }
  wait(seconds(10));
  for (const auto& order : orders) {
    EXPECT_TRUE(order->done);
    EXPECT_LE(order->delivery->attempts(), 20);
  }
}

// ---- What it says of servers.

class NotingTest : public DeliveryTest {
 protected:
  // So many requests fail; then it is looked whether the first server serves.
  bool ejects(int requests, Duration each = milliseconds(50)) {
    for (int i = 0; i < requests; ++i) {
      EXPECT_TRUE(server(0).available(world.now())) << i;
      Order order;
      deliver(order, each);
    }
    return !server(0).available(world.now());
  }
};

TEST_F(NotingTest, RefusedConnections) {
  const ScriptedServer b(network, kB, {kAnswers});
  EXPECT_TRUE(ejects(5));
  Order order;
  deliver(order);
  EXPECT_EQ(order.delivery->attempts(), 1);
}

TEST_F(NotingTest, ConnectionsThatEnd) {
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kAnswers});
  EXPECT_TRUE(ejects(5));
}

TEST_F(NotingTest, Silence) {
  settings.stall = seconds(1);
  const ScriptedServer a(network, kA, {{}});
  EXPECT_TRUE(ejects(5, seconds(2)));
}

TEST_F(NotingTest, BadResponses) {
  group().ejection.responses = 3;
  const ScriptedServer a(network, kA, {kIsBusy});
  EXPECT_TRUE(ejects(3));
}

TEST_F(NotingTest, OneThatIsGoodBeginsAnew) {
  const ScriptedServer a(network, kA, {kCloses, kCloses, kCloses, kCloses, kAnswers});
  EXPECT_FALSE(ejects(5));
  EXPECT_FALSE(ejects(20));
}

TEST_F(NotingTest, NotWhatClientsDo) {
  const ScriptedServer a(network, kA, {{}});
  side();
  for (int i = 0; i < 10; ++i) {
    Order cancelled;
    cancelled.begin(side());
    wait(milliseconds(10));
    cancelled.cancel();
    wait(milliseconds(10));
    EXPECT_TRUE(cancelled.done);
    Order cut("PUT", {{.text = "some"},
                      {.text = "more",
                       .after = milliseconds(5),
                       .error = Error{.kind = ErrorKind::closed, .side = Side::client}}});
    deliver(cut);
  }
  EXPECT_TRUE(server(0).available(world.now()));
  EXPECT_EQ(share().connections(), 0U);
}

TEST_F(NotingTest, NotThatTheQueueIsFull) {
  set_servers({kA, kB});
  group().max_connections = 1;
  group().queue.length = 0;
  const ScriptedServer a(network, kA, {{}});
  const ScriptedServer b(network, kB, {{}});
  Order one;
  Order two;
  one.begin(side());
  two.begin(side());
  wait(milliseconds(10));
  for (int i = 0; i < 10; ++i) {
    Order order;
    deliver(order);
    EXPECT_TRUE(order.failed_with(ErrorKind::unavailable));
    EXPECT_EQ(order.delivery->attempts(), 1);
  }
  EXPECT_TRUE(server(0).available(world.now()));
  EXPECT_TRUE(server(1).available(world.now()));
}

// ---- Targets of forward proxies.

TEST_F(DeliveryTest, ATargetHasItsOwnPolicy) {
  settings.target_retry.count = 1;
  const ScriptedServer a(network, kA, {kCloses});
  Order order;
  order.to_target = true;
  deliver(order);
  EXPECT_EQ(order.servers, (Servers{kA, kA}));
  EXPECT_EQ(order.hops.front(), nullptr);
  EXPECT_TRUE(order.failed_with(ErrorKind::closed));
}

TEST_F(DeliveryTest, OnlyAConnection) {
  const ScriptedServer a(network, kA, {{}});
  Order order("CONNECT");
  order.only_connect = true;
  deliver(order);
  EXPECT_TRUE(*order.answered);
  EXPECT_EQ(order.servers, Servers{kA});
  EXPECT_TRUE(a.end(0));
  EXPECT_EQ(share().connections(), 0U);
}

}  // namespace
}  // namespace penstock
