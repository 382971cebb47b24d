#include "upstream/delivery.h"

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

TEST_F(DeliveryTest, OneAttemptIsEnough) {
  const ScriptedServer a(network, kA, {kAnswers});
  Order order;
  deliver(order);
  EXPECT_EQ(order.content, "ok");
  EXPECT_EQ(order.fate, CloseReason::kept);
  EXPECT_EQ(order.delivery->attempts(), 1);
  EXPECT_EQ(order.delivery->bytes_sent(), a.received(0).size());
  EXPECT_EQ(order.hops.front()->entry.address, kA);
}

// ---- Which failures are tried again.

TEST_F(DeliveryTest, AnotherServerIsTriedNext) {
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kAnswers});
  Order order;
  deliver(order);
  EXPECT_EQ(order.servers, (Servers{kA, kB}));
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.delivery->attempts(), 2);
  EXPECT_EQ(order.delivery->bytes_sent(), a.received(0).size() + b.received(0).size());
}

TEST_F(DeliveryTest, AnyMethodWhereNoConnectionCouldBeMade) {
  const ScriptedServer b(network, kB, {kAnswers});
  for (const char* method : {"GET", "POST", "PATCH"}) {
    Order order(method, "text");
    deliver(order);
    EXPECT_EQ(order.servers, Servers{kB});
    EXPECT_EQ(order.status, 200);
    EXPECT_TRUE(b.received(0).ends_with("text"));
  }
}

TEST_F(DeliveryTest, NotWhereItIsNotWanted) {
  group().retry.on_connect = false;
  const ScriptedServer b(network, kB, {kAnswers});
  Order order;
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::refused));
  EXPECT_EQ(order.delivery->step(), DeliveryStep::acquire);
  EXPECT_EQ(order.fate, CloseReason::not_opened);
}

TEST_F(DeliveryTest, NoOtherServerNoOtherAttempt) {
  set_servers({kA});
  Order order;
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::refused));
  EXPECT_EQ(order.delivery->attempts(), 1);
}

TEST_F(DeliveryTest, EachServerBeforeOneTwice) {
  set_servers({kA, kB, kC});
  group().retry.count = 3;
  const ScriptedServer a(network, kA, {kCloses, kAnswers});
  const ScriptedServer b(network, kB, {kCloses});
  const ScriptedServer c(network, kC, {kCloses});
  Order order;
  deliver(order, seconds(1));
  EXPECT_EQ(order.servers, (Servers{kA, kB, kC, kA}));
  EXPECT_EQ(order.status, 200);
}

TEST_F(DeliveryTest, MethodsThatMayNotBeRepeated) {
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kAnswers});
  Order order("POST", "text");
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::closed));
  EXPECT_EQ(order.servers, Servers{kA});
}

TEST_F(DeliveryTest, AnyMethodOfWhichNothingWasSent) {
  const ScriptedServer a(network, kA, {{}});
  const ScriptedServer b(network, kB, {kAnswers});
  world.script(a.address(), {.down = {.reset_after = 0}});
  Order order("POST", "text");
  deliver(order);
  EXPECT_EQ(order.servers, (Servers{kA, kB}));
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(a.received(0), "");
}

TEST_F(DeliveryTest, ClosedWhereThatIsNotWanted) {
  group().retry.on_closed = false;
  const ScriptedServer a(network, kA, {kCloses});
  const ScriptedServer b(network, kB, {kAnswers});
  Order order;
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::closed));
}

TEST_F(DeliveryTest, SilentServers) {
  settings.stall = seconds(5);
  const ScriptedServer a(network, kA, {{}});
  const ScriptedServer b(network, kB, {kAnswers});
  struct Case {
    const char* method;
    bool wanted;
    bool again;
  };
  for (const Case& c : {Case{"GET", true, true}, Case{"GET", false, false}, Case{"PUT", true, true},
                        Case{"POST", true, false}}) {
    SCOPED_TRACE(c.method);
    side();
    group().retry.on_timeout = c.wanted;
    Order order(c.method);
    deliver(order, seconds(6));
    EXPECT_EQ(order.servers, c.again ? (Servers{kA, kB}) : Servers{kA});
    EXPECT_EQ(order.failed_with(ErrorKind::timed_out), !c.again);
  }
}

TEST_F(DeliveryTest, ResponsesThatAreNotWanted) {
  group().retry.on_status = {502, 503};
  const ScriptedServer a(network, kA, {kIsBusy});
  const ScriptedServer b(network, kB, {kAnswers});
  Order get;
  deliver(get);
  EXPECT_EQ(get.servers, (Servers{kA, kB}));
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.content, "ok");
  Order put("PUT", "text");
  deliver(put);
  EXPECT_EQ(put.status, 200);
  EXPECT_TRUE(b.received(1).ends_with("text"));
  Order post("POST", "text");
  deliver(post);
  EXPECT_EQ(post.servers, Servers{kA});
  EXPECT_EQ(post.status, 503);
  EXPECT_EQ(post.content, "busy");
}

TEST_F(DeliveryTest, TheLastUnwantedResponseIsTheAnswer) {
  group().retry.on_status = {503};
  const ScriptedServer a(network, kA, {kIsBusy});
  const ScriptedServer b(network, kB, {kIsBusy});
  Order order;
  deliver(order, seconds(1));
  EXPECT_EQ(order.delivery->attempts(), 3);
  EXPECT_EQ(order.status, 503);
  EXPECT_EQ(order.content, "busy");
}

// A server may answer before the body has come. What was sent of it by the time the next attempt
// begins must be at hand, whole, from its begin.
TEST_F(DeliveryTest, AnEarlyUnwantedResponseNeverCutsTheBody) {
  group().retry.on_status = {503};
  for (const Duration after : {milliseconds(0), milliseconds(2), milliseconds(20)}) {
    for (const std::size_t size : {1'000UL, 40'000UL, 200'000UL}) {
      SCOPED_TRACE(size);
      wait(seconds(100));
      const ServerScript early = {{.until = "begin", .answer = kIsBusy[0].answer}};
      const ScriptedServer a(network, kA, {early});
      const ScriptedServer b(network, kB, {{{.until = "end.", .answer = std::string(kOk)}}});
      std::vector<BodyPiece> pieces = {{.text = "begin"}};
      for (std::size_t sent = 0; sent < size; sent += 1000) {
        pieces.push_back({.text = std::string(1000, 'x'), .after = sent == 0 ? after : Duration{}});
      }
      pieces.push_back({.text = "end."});
      Order order("PUT", std::move(pieces));
      deliver(order, seconds(2));
      if (order.servers.size() > 1) {
        ASSERT_EQ(order.status, 200);
        const std::string& got = b.received(0);
        EXPECT_EQ(got.size() - got.find("begin"), size + 9);
      } else {
        EXPECT_EQ(order.status, 503);
        EXPECT_EQ(order.content, "busy");
      }
    }
  }
}

TEST_F(DeliveryTest, BodiesThatAreTooLargeToKeep) {
  const ScriptedServer a(network, kA, {{{.until = "end.", .then = Then::close}}});
  const ScriptedServer b(network, kB, {kAnswers});
  Order order("PUT", std::string(200'000, 'x') + "end.");
  deliver(order, seconds(1));
  EXPECT_TRUE(order.failed_with(ErrorKind::closed));
  EXPECT_EQ(order.servers, Servers{kA});
}

TEST_F(DeliveryTest, NotAfterSomethingOfAnAnswer) {
  group().retry.on_status = {503};
  const std::string hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
  const ScriptedServer b(network, kB, {kAnswers});
  {
    const ScriptedServer a(network, kA, {{{.until = kEnd, .answer = hints, .then = Then::close}}});
    Order order;
    deliver(order);
    EXPECT_TRUE(order.failed_with(ErrorKind::closed));
    EXPECT_EQ(order.informed, std::vector<int>{103});
    EXPECT_EQ(order.servers, Servers{kA});
  }
  const ScriptedServer a(
      network, kA,
      {{{.until = kEnd, .answer = hints + "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"}}});
  Order order;
  deliver(order);
  EXPECT_EQ(order.status, 503);
  EXPECT_EQ(order.servers, Servers{kA});
}

TEST_F(DeliveryTest, NotWhereTheRequestItselfFails) {
  const ScriptedServer a(network, kA, {{}});
  const ScriptedServer b(network, kB, {kAnswers});
  Order order("PUT", {{.text = "some"},
                      {.text = "more",
                       .after = milliseconds(5),
                       .error = Error{.kind = ErrorKind::closed, .side = Side::client}}});
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::closed));
  EXPECT_EQ(order.answered->error().side, Side::client);
  EXPECT_EQ(order.servers, Servers{kA});
  EXPECT_EQ(server(0).requests(), 0U);
}

}  // namespace
}  // namespace penstock
