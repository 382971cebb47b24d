#include "upstream/delivery.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/visit_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kA = "10.0.0.1:80";
const std::string kB = "10.0.0.2:80";
const std::string kC = "10.0.0.3:80";
const std::string kEnd(kHeadEnd);
const ServerScript kCloses = {{.until = kEnd, .then = Then::close}};
const ServerScript kIsBusy(8, {.until = kEnd,
                               .answer = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"});

// A request and its delivery.
class Order final : public DeliveryOwner {
 public:
  explicit Order(std::string method = "GET", std::string text = {}, PinStore* pins = nullptr)
      : Order(std::move(method), std::vector<BodyPiece>{{.text = std::move(text)}}, pins) {}
  Order(std::string method, std::vector<BodyPiece> pieces, PinStore* pins = nullptr)
      : method_(std::move(method)), source_(std::move(pieces)), pins_(pins) {
    head.method_text = method_;
    head.method = method_of(method_);
    head.target = *parse_target(method_, method_ == "CONNECT" ? "a:80" : "/");
    head.fields.add(FieldId::host, "a");
    const std::uint64_t length = source_.remaining().value_or(0);
    if (length > 0) framing_ = {.kind = BodyKind::length, .length = length};
  }
  ~Order() {
    if (!scope_) return;
    scope_->cancel();
    Executor& executor = scope_->context().executor();
    while (executor.has_ready()) executor.run_ready();
  }
  Order(const Order&) = delete;
  Order& operator=(const Order&) = delete;

  void begin(ServerSide& side) {
    destination.name = "g";
    if (!to_target) destination.group = side.group("g");
    delivery.emplace(side, *this, pins_);
    scope_.emplace(side.network().executor());
    scope_->spawn(run(*this, side.pool().executor()));
  }
  void cancel() { scope_->cancel(); }

  RequestHead head;
  Destination destination;
  bool to_target = false;  // 10.0.0.1:80
  bool reusable = true;
  bool only_connect = false;
  std::optional<Delivery> delivery;

  // What came of it.
  std::optional<Result<void>> answered;
  TimePoint answered_at{};
  int status = 0;
  std::string content;
  std::vector<std::string> servers;  // of the attempts that got a connection
  std::vector<TimePoint> times;
  std::vector<const NextHop*> hops;
  std::vector<int> informed;
  CloseReason fate = CloseReason::not_opened;
  bool done = false;
  bool login_ended = false;

  [[nodiscard]] bool failed_with(ErrorKind kind) const {
    return answered && !*answered && answered->error().kind == kind;
  }

 private:
  static Task<void> run(Order& self, Executor& executor) {
    co_await self.deliver(executor);
    self.done = true;
  }
  Task<void> deliver(Executor& executor) {
    executor_ = &executor;
    const ServerRequest request{.head = &head, .body = &body_, .framing = framing_};
    if (only_connect) {
      answered = co_await delivery->connect(destination, head, &client_);
    } else {
      answered = co_await delivery->run(destination, request, body_, &client_);
    }
    answered_at = executor.now();
    login_ended = delivery->login_ended();
    if (*answered && !only_connect) {
      status = delivery->response().status;
      co_await read(delivery->lease().response_body());
    }
    fate = co_await delivery->settle(reusable && *answered);
  }
  Task<void> read(BodySource& source) {
    while (!source.at_end()) {
      const auto slice = co_await source.next();
      if (!slice) co_return;
      content += slice->view();
    }
  }

  Task<Result<AddressList>> target_addresses() override {
    co_return AddressList{Address::parse(kA).value()};
  }
  void on_acquired(const Lease& lease, const NextHop* hop) override {
    servers.push_back(lease.address().to_string());
    times.push_back(executor_->now());
    hops.push_back(hop);
  }
  Task<Result<void>> on_informational(ResponseHead& response) override {
    informed.push_back(response.status);
    co_return Result<void>{};
  }

  std::string method_;
  TimedBody source_;
  ReplayBody body_{source_, 0};
  Framing framing_;
  PinStore* pins_;
  Address client_ = Address::parse("192.0.2.7:4711").value();
  Executor* executor_ = nullptr;
  std::optional<Scope> scope_;
};

class DeliveryTest : public GroupTest {
 protected:
  DeliveryTest() {
    group().balance.algorithm = Balance::first;
    set_servers({kA, kB});
  }
  void deliver(Order& order, Duration wait_for = milliseconds(50)) {
    order.begin(side());
    wait(wait_for);
    EXPECT_TRUE(order.done);
  }
  using Servers = std::vector<std::string>;
};

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

// ---- Logins.

class LoginTest : public DeliveryTest {
 protected:
  LoginTest() { group().servers.pop_back(); }
  // With a login if `scheme` is not empty.
  std::unique_ptr<Order> ask(const std::string& scheme, PinStore* pins) {
    auto order = std::make_unique<Order>("GET", "", pins);
    login_ = scheme + " TlRMTVNTUAAB";
    if (!scheme.empty()) order->head.fields.add(FieldId::authorization, login_);
    deliver(*order);
    return order;
  }
  int lost = 0;
  PinStore mine{world.executor(), [this] { ++lost; }};
  PinStore other{world.executor(), [this] { ++lost; }};

 private:
  std::string login_;
};

TEST_F(LoginTest, OfAConnection) {
  for (const auto& [value, expected] :
       {std::pair{"NTLM TlRMTVNTUAAB", true}, std::pair{"ntlm x", true},
        std::pair{"Negotiate YII=", true}, std::pair{"Basic YTpi", false},
        std::pair{"Bearer NTLM", false}, std::pair{"Digest username=\"NTLM\"", false},
        std::pair{"", false}}) {
    RequestHead head;
    head.fields.add(FieldId::authorization, value);
    EXPECT_EQ(carries_login(head), expected) << value;
  }
  RequestHead head;
  EXPECT_FALSE(carries_login(head));
  head.fields.add(FieldId::proxy_authorization, "NTLM TlRMTVNTUAAB");
  EXPECT_FALSE(carries_login(head));
}

TEST_F(LoginTest, KeepsTheConnectionForItsClient) {
  const ScriptedServer a(network, kA, {kAnswers});
  EXPECT_EQ(ask("NTLM", &mine)->fate, CloseReason::pinned);
  EXPECT_EQ(idle(), 0U);
  // Requests without a login too, and of it no other client.
  EXPECT_EQ(ask("", &mine)->fate, CloseReason::pinned);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(ask("", &other)->fate, CloseReason::kept);
  EXPECT_EQ(ask("", nullptr)->fate, CloseReason::kept);
  EXPECT_EQ(a.connections(), 2U);
  EXPECT_EQ(ask("Negotiate", &mine)->fate, CloseReason::pinned);
  EXPECT_EQ(a.connections(), 2U);
}

TEST_F(LoginTest, BasicIsNone) {
  const ScriptedServer a(network, kA, {kAnswers});
  EXPECT_EQ(ask("Basic", &mine)->fate, CloseReason::kept);
  EXPECT_TRUE(mine.empty());
}

TEST_F(LoginTest, LostWhenTheServerEndsIt) {
  ScriptedServer a(network, kA, {kAnswers});
  ask("NTLM", &mine);
  a.close(0);
  wait(milliseconds(5));
  EXPECT_EQ(lost, 1);
  const auto order = ask("", &mine);
  ASSERT_TRUE(order->failed_with(ErrorKind::unavailable));
  EXPECT_EQ(order->answered->error().cause, static_cast<int>(Unavailable::login_lost));
  EXPECT_TRUE(order->login_ended);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_TRUE(server(0).available(world.now()));
}

TEST_F(LoginTest, NeverTriedAgainOnAnotherConnection) {
  const ServerScript once = {{.until = kEnd, .answer = std::string(kOk)},
                             {.until = kEnd, .then = Then::close}};
  const ScriptedServer a(network, kA, {once, kAnswers});
  ask("NTLM", &mine);
  const auto order = ask("", &mine);
  EXPECT_TRUE(order->failed_with(ErrorKind::closed));
  EXPECT_TRUE(order->login_ended);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_TRUE(ask("", &mine)->failed_with(ErrorKind::unavailable));
}

TEST_F(LoginTest, EndsWithAResponseThatEndsTheConnection) {
  const ScriptedServer a(
      network, kA,
      {{{.until = kEnd, .answer = std::string(kOk)},
        {.until = kEnd,
         .answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}}});
  EXPECT_FALSE(ask("NTLM", &mine)->login_ended);
  const auto last = ask("", &mine);
  EXPECT_EQ(last->status, 200);
  EXPECT_TRUE(last->login_ended);
  EXPECT_EQ(last->fate, CloseReason::said_close);
  EXPECT_TRUE(ask("", &mine)->failed_with(ErrorKind::unavailable));
}

TEST_F(LoginTest, IsSentAgainWhereNothingWasLoggedIn) {
  const ServerScript once = {{.until = kEnd, .answer = std::string(kOk)},
                             {.until = kEnd, .then = Then::close}};
  const ScriptedServer a(network, kA, {once, kAnswers});
  ask("", nullptr);
  const auto login = ask("NTLM", &mine);
  EXPECT_EQ(login->status, 200);
  EXPECT_EQ(login->fate, CloseReason::pinned);
  EXPECT_FALSE(login->login_ended);
  EXPECT_EQ(a.connections(), 2U);
}

// Who is told of the connection wants to know where it leads.
TEST_F(LoginTest, TheServerOfTheConnectionIsKnown) {
  const ScriptedServer a(network, kA, {kAnswers});
  ask("NTLM", &mine);
  const auto order = ask("", &mine);
  ASSERT_EQ(order->hops.size(), 1U);
  ASSERT_NE(order->hops.front(), nullptr);
  EXPECT_EQ(order->hops.front()->entry.address, kA);
}

TEST_F(LoginTest, CountsAmongTheServersConnections) {
  group().max_connections = 1;
  group().queue.timeout = seconds(1);
  const ScriptedServer a(network, kA, {kAnswers});
  ask("NTLM", &mine);
  EXPECT_EQ(server(0).connections(), 1U);
  EXPECT_EQ(ask("", &mine)->status, 200);  // needs no other place
  Order stranger;
  deliver(stranger, seconds(2));
  EXPECT_TRUE(stranger.failed_with(ErrorKind::unavailable));
}

}  // namespace
}  // namespace penstock
