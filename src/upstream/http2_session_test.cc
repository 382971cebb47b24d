// Connections of HTTP/2 and the requests that share them.
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/http2_server_test.h"
#include "upstream/order_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Http2SessionTest : public DeliveryTest {
 protected:
  Http2SessionTest() {
    group().http = HttpChoice::http2;
    set_servers({kA});
  }
  // Begins a GET of that path, or a POST where there is content.
  Order& ask(const std::string& path = "/", const std::string& content = {}) {
    auto& order =
        orders_.emplace_back(std::make_unique<Order>(content.empty() ? "GET" : "POST", content));
    paths_.push_back(std::make_unique<std::string>(path));
    order->head.target = *parse_target("GET", *paths_.back());
    order->begin(side());
    return *order;
  }
  // And runs it.
  Order& get(const std::string& path = "/", const std::string& content = {}) {
    Order& order = ask(path, content);
    wait(milliseconds(50));
    EXPECT_TRUE(order.done);
    return order;
  }
  static http2::ConnectionSettings streams(std::uint32_t most) {
    return {.http2 = {.max_streams = most}};
  }

 private:
  std::vector<std::unique_ptr<std::string>> paths_;
  std::vector<std::unique_ptr<Order>> orders_;
};

// ---- Exchanges.

TEST_F(Http2SessionTest, ARequestAndItsResponse) {
  const Http2TestServer a(network, kA);
  const Order& order = get();
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.content, "ok");
  EXPECT_EQ(order.fate, CloseReason::kept);
  ASSERT_EQ(a.requests().size(), 1U);
  EXPECT_EQ(a.requests()[0].method, "GET");
  EXPECT_EQ(a.requests()[0].path, "/");
  EXPECT_EQ(a.requests()[0].authority, "a");
  EXPECT_EQ(a.requests()[0].scheme, "http");
}

TEST_F(Http2SessionTest, ContentGoesUpAndDown) {
  const Http2TestServer a(network, kA);
  const std::string content(300'000, 'x');
  EXPECT_EQ(get("/echo", content).content, content);
}

TEST_F(Http2SessionTest, TrailersAndHints) {
  const Http2TestServer a(network, kA);
  const Order& hints = get("/hints");
  EXPECT_EQ(hints.informed, (std::vector<int>{103}));
  EXPECT_EQ(hints.content, "ok");
  const Order& trailers = get("/trailers");
  EXPECT_EQ(trailers.content, "ok");
  EXPECT_EQ(trailers.trailers, "x-end: done\n");
}

TEST_F(Http2SessionTest, AnEarlyResponseEndsTheUpload) {
  const Http2TestServer a(network, kA);
  // More than the windows hold, so that it can't all be on its way.
  const Order& order = get("/early", std::string(900'000, 'x'));
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.content, "early");
  EXPECT_EQ(order.fate, CloseReason::kept);
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(Http2SessionTest, AResponseThatBreaksOffDoes) {
  const Http2TestServer a(network, kA);
  const Order& order = get("/half");
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.content, "12345");
  EXPECT_EQ(order.fate, CloseReason::kept);
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(Http2SessionTest, OneThatIsGivenUpResetsItsStreamOnly) {
  Http2TestServer a(network, kA);
  Order& gone = ask("/wait");
  Order& stays = ask("/wait");
  wait(milliseconds(10));
  gone.cancel();
  wait(milliseconds(10));
  EXPECT_TRUE(gone.done);
  a.go();
  wait(milliseconds(10));
  EXPECT_EQ(stays.status, 200);
  EXPECT_EQ(a.resets(), (std::vector{http2::ErrorCode::cancel}));
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(Http2SessionTest, ASilentServer) {
  settings.stall = seconds(5);
  const Http2TestServer a(network, kA);
  Order& order = ask("/silent");
  Order& upload = ask("/silent", "content");
  wait(seconds(6));
  EXPECT_TRUE(order.failed_with(ErrorKind::timed_out));
  EXPECT_TRUE(upload.failed_with(ErrorKind::timed_out));
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

// It is the upload that ends first, and its stream is reset: still it is the server's silence.
TEST_F(Http2SessionTest, AServerThatTakesNoMoreOfAnUpload) {
  settings.stall = seconds(5);
  Http2TestServer a(network, kA);
  Order& order = ask("/only-hints", std::string(300'000, 'x'));
  wait(seconds(2));
  a.go();
  wait(seconds(4));
  EXPECT_EQ(order.informed, (std::vector<int>{103}));
  EXPECT_TRUE(order.failed_with(ErrorKind::timed_out));
  EXPECT_EQ(a.requests().size(), 1U);
}

TEST_F(Http2SessionTest, AHeadThatIsTooLargeForTheServer) {
  Http2TestServer a(network, kA, {.head = {.bytes = 4096}});
  const Order& other = ask("/wait");
  wait(milliseconds(50));
  Order order;
  const std::string large(8192, 'x');
  order.head.fields.add(FieldId::other, "x-large", large);
  deliver(order);
  ASSERT_TRUE(order.failed_with(ErrorKind::protocol));
  EXPECT_EQ(order.answered->error().side, Side::client);
  EXPECT_EQ(order.answered->error().cause, static_cast<int>(Refusal::head_too_large));
  a.go();
  wait(milliseconds(50));
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(a.requests().size(), 1U);
}

// ---- Sharing.

TEST_F(Http2SessionTest, RequestsAtATimeShareAConnection) {
  Http2TestServer a(network, kA);
  std::vector<Order*> orders;
  for (int i = 0; i < 50; ++i) orders.push_back(&ask("/wait"));
  wait(milliseconds(10));
  EXPECT_EQ(a.requests().size(), 50U);
  a.go();
  wait(milliseconds(10));
  for (const Order* order : orders) EXPECT_EQ(order->status, 200);
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(server(0).connections(), 1U);
}

TEST_F(Http2SessionTest, ANewConnectionWhenAllAreFull) {
  Http2TestServer a(network, kA, streams(2));
  ask("/wait");
  wait(milliseconds(10));
  for (int i = 0; i < 4; ++i) ask("/wait");
  wait(milliseconds(50));
  EXPECT_EQ(a.requests().size(), 5U);
  EXPECT_EQ(a.connections(), 3U);
  a.go();
  wait(milliseconds(10));
}

TEST_F(Http2SessionTest, OurOwnBoundOfStreams) {
  settings.http2.max_streams = 3;
  Http2TestServer a(network, kA);
  for (int i = 0; i < 7; ++i) ask("/wait");
  wait(milliseconds(50));
  EXPECT_EQ(a.requests().size(), 7U);
  EXPECT_EQ(a.connections(), 3U);
  a.go();
  wait(milliseconds(10));
}

TEST_F(Http2SessionTest, AtItsBoundsRequestsWaitForStreams) {
  settings.http2.max_streams = 2;
  group().max_connections = 1;
  Http2TestServer a(network, kA);
  std::vector<Order*> orders;
  for (int i = 0; i < 5; ++i) orders.push_back(&ask("/wait"));
  wait(milliseconds(50));
  EXPECT_EQ(a.requests().size(), 2U);
  a.go();
  wait(milliseconds(50));
  for (const Order* order : orders) EXPECT_EQ(order->status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(Http2SessionTest, OneThatIsUnusedMakesRoomForOtherWorkers) {
  group().max_connections = 1;
  const Http2TestServer a(network, kA);
  EXPECT_EQ(get().status, 200);
  Order other;
  other.begin(side(1));
  wait(seconds(2));
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(a.connections(), 2U);
  EXPECT_EQ(server(0).connections(), 1U);
}

TEST_F(Http2SessionTest, AServerThatRefusesRefusesAllWhoWait) {
  for (int i = 0; i < 3; ++i) {
    world.script(Address::parse(kA).value(), {.connect = Fate::Connect::refuse});
  }
  const Http2TestServer a(network, kA);
  group().retry.count = 0;
  const std::vector<Order*> orders{&ask(), &ask(), &ask()};
  wait(milliseconds(50));
  for (const Order* order : orders) EXPECT_TRUE(order->failed_with(ErrorKind::refused));
}

TEST_F(Http2SessionTest, WhoeverBeganToOpenMayLeave) {
  const Http2TestServer a(network, kA);
  Order& first = ask();
  const Order& second = ask();
  first.cancel();
  wait(milliseconds(50));
  EXPECT_TRUE(first.done);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

// ---- How long a connection lives.

TEST_F(Http2SessionTest, UnusedForTooLong) {
  group().pool.idle = seconds(10);
  const Http2TestServer a(network, kA);
  get();
  wait(seconds(9));
  get();
  EXPECT_EQ(a.connections(), 1U);
  wait(seconds(12));
  EXPECT_EQ(a.open_connections(), 0U);
  EXPECT_EQ(server(0).connections(), 0U);
  get();
  EXPECT_EQ(a.connections(), 2U);
}

TEST_F(Http2SessionTest, TooOld) {
  group().pool.max_age = seconds(10);
  const Http2TestServer a(network, kA);
  get();
  wait(seconds(11));
  get();
  EXPECT_EQ(a.connections(), 2U);
}

TEST_F(Http2SessionTest, SoManyRequests) {
  group().pool.max_requests = 3;
  const Http2TestServer a(network, kA);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 3U);
  wait(seconds(2));
  EXPECT_EQ(a.open_connections(), 1U);
}

TEST_F(Http2SessionTest, AnAddressThatIsNoLongerTheServers) {
  set_servers({"a.test:80"});
  world.set_name("a.test", {.ips = {"10.0.0.1"}, .ttl = seconds(5)});
  const Http2TestServer a(network, kA);
  const Http2TestServer b(network, kB);
  get();
  world.set_name("a.test", {.ips = {"10.0.0.2"}, .ttl = seconds(5)});
  wait(seconds(6));
  EXPECT_EQ(get().servers, (Servers{kB}));
}

TEST_F(Http2SessionTest, AllAreEndedAtTheEnd) {
  const Http2TestServer a(network, kA);
  get();
  EXPECT_EQ(a.open_connections(), 1U);
  side().pool().close_idle();
  wait(seconds(2));
  EXPECT_EQ(a.open_connections(), 0U);
  EXPECT_EQ(a.ending(0).received, http2::ErrorCode::no_error);
  // Requests that still come are served.
  EXPECT_EQ(get().status, 200);
  wait(seconds(2));
  EXPECT_EQ(a.open_connections(), 0U);
}

TEST_F(Http2SessionTest, SparesAreThereBefore) {
  group().pool.spare = 3;
  const Http2TestServer a(network, kA);
  side();
  wait(seconds(2));
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

// ---- Trying again.

TEST_F(Http2SessionTest, GoawayLetsWhatIsUnderWayEnd) {
  Http2TestServer a(network, kA);
  Order& order = ask("/wait");
  wait(milliseconds(10));
  a.shut_down(0);
  wait(milliseconds(10));
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 2U);
  a.go();
  wait(milliseconds(10));
  EXPECT_EQ(order.status, 200);
  wait(seconds(2));
  EXPECT_EQ(a.open_connections(), 1U);
}

TEST_F(Http2SessionTest, ARefusedRequestIsSentAgain) {
  const Http2TestServer a(network, kA);
  Order& order = get("/refuse-once", "content");
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(order.servers.size(), 2U);
  EXPECT_EQ(a.requests().back().content, "content");
}

TEST_F(Http2SessionTest, ButNotForEver) {
  group().retry.count = 3;
  const Http2TestServer a(network, kA);
  get();
  Order& order = ask("/refuse", "content");
  wait(seconds(5));
  EXPECT_TRUE(order.failed_with(ErrorKind::reset));
  EXPECT_EQ(order.servers.size(), 4U);
}

TEST_F(Http2SessionTest, AFailureIsSentAgainWhereThatIsSafe) {
  group().retry.count = 1;
  const Http2TestServer a(network, kA);
  get();
  EXPECT_EQ(get("/fail").servers.size(), 2U);
  EXPECT_EQ(get("/fail", "content").servers.size(), 1U);
  EXPECT_EQ(get("/half").servers.size(), 1U);
}

TEST_F(Http2SessionTest, ABrokenConnectionFailsAllOnIt) {
  group().retry.count = 0;
  Http2TestServer a(network, kA);
  get();
  const std::vector<Order*> orders{&ask("/wait"), &ask("/wait"), &ask("/wait")};
  wait(milliseconds(10));
  a.break_off(0);
  wait(milliseconds(50));
  for (const Order* order : orders) {
    EXPECT_TRUE(order->answered && !*order->answered);
    EXPECT_EQ(order->servers.size(), 1U);
  }
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 2U);
}

TEST_F(Http2SessionTest, AndCountsOnce) {
  group().retry.count = 0;
  group().ejection.failures = 2;
  set_servers({kA, kB});
  Http2TestServer a(network, kA);
  get();
  for (int i = 0; i < 5; ++i) ask("/wait");
  wait(milliseconds(10));
  a.break_off(0);
  wait(milliseconds(50));
  EXPECT_TRUE(server(0).available(world.now()));
  // Failures of single requests count each.
  get("/fail");
  EXPECT_FALSE(server(0).available(world.now()));
}

TEST_F(Http2SessionTest, OneThatHadDiedUnnoticedIsNoFault) {
  Http2TestServer a(network, kA);
  get();
  a.break_off(0);
  // The request is on its way when the news arrives.
  Order& order = get();
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(a.connections(), 2U);
}

TEST_F(Http2SessionTest, AServerThatClosesAtOnce) {
  const ScriptedServer a(network, kA, {{{.until = "", .then = ServerStep::Then::close}}});
  Order& order = ask();
  wait(seconds(30));
  EXPECT_TRUE(order.answered && !*order.answered);
  EXPECT_LT(a.connections(), 30U);
}

TEST_F(Http2SessionTest, AServerOfHttp1) {
  const ServerStep refuses{.until = "PRI * HTTP/2.0\r\n\r\n",
                           .answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"};
  const ScriptedServer a(network, kA, {{refuses}});
  Order& order = ask();
  wait(seconds(30));
  ASSERT_TRUE(order.failed_with(ErrorKind::protocol));
  EXPECT_EQ(order.answered->error().cause, static_cast<int>(Refusal::version_not_supported));
  EXPECT_TRUE(order.servers.empty());
}

TEST_F(Http2SessionTest, AServerThatSaysNothing) {
  settings.connect = seconds(3);
  const ScriptedServer a(network, kA, {{}});
  Order& order = ask();
  Order& other = ask();
  wait(seconds(4));
  EXPECT_TRUE(order.failed_with(ErrorKind::timed_out));
  EXPECT_TRUE(other.failed_with(ErrorKind::timed_out));
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_EQ(server(0).connections(), 0U);
}

TEST_F(Http2SessionTest, AServerThatDoesNotAnswerSettings) {
  const std::string its_own("\0\0\0\4\0\0\0\0\0", 9);
  const ScriptedServer a(network, kA, {{{.until = "PRI * HTTP/2.0\r\n\r\n", .answer = its_own}}});
  Order& order = ask("/", "content");
  wait(seconds(12));
  EXPECT_TRUE(order.failed_with(ErrorKind::timed_out));
}

TEST_F(Http2SessionTest, ManyWhoWaitForAServerOfFewStreams) {
  Http2TestServer a(network, kA, streams(1));
  get();
  for (int i = 0; i < 30; ++i) ask("/wait");
  wait(milliseconds(30));
  EXPECT_EQ(a.requests().size(), 31U);
  EXPECT_EQ(a.connections(), 30U);
  a.go();
  wait(milliseconds(30));
}

// ---- What HTTP/2 can't do.

TEST_F(Http2SessionTest, HttpOneOneRequiredIsAnError) {
  const Http2TestServer a(network, kA);
  Order& order = get("/http1");
  EXPECT_TRUE(order.answered && !*order.answered);
  EXPECT_EQ(order.servers.size(), 1U);
}

// What its GOAWAY does not take back may have been done.
TEST_F(Http2SessionTest, HttpOneOneRequiredAfterARequestWasTaken) {
  const std::string settings_frame("\0\0\0\4\0\0\0\0\0", 9);
  const std::string goaway("\0\0\10\7\0\0\0\0\0\0\0\0\1\0\0\0\15", 17);
  const ScriptedServer a(
      network, kA,
      {{{.until = "PRI * HTTP/2.0", .answer = settings_frame},
        {.until = "the content", .answer = goaway, .then = ServerStep::Then::close}}});
  const Order& order = get("/", "the content");
  ASSERT_TRUE(order.answered && !*order.answered);
  EXPECT_FALSE(order.answered->error().retryable);
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(Http2SessionTest, LoginsOfAConnection) {
  const Http2TestServer a(network, kA);
  Order& order = ask();
  wait(milliseconds(50));
  Order login;
  login.head.fields.add(FieldId::authorization, "NTLM TlRMTVNTUAAB");
  deliver(login);
  EXPECT_TRUE(login.failed_with(ErrorKind::unavailable));
  EXPECT_EQ(login.answered->error().cause, static_cast<int>(Unavailable::needs_http1));
  EXPECT_EQ(a.requests().size(), 1U);
  EXPECT_EQ(order.status, 200);
}

TEST_F(Http2SessionTest, Upgrades) {
  const Http2TestServer a(network, kA);
  Order order;
  order.head.fields.add(FieldId::upgrade, "something");
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::unavailable));
  EXPECT_EQ(a.requests().size(), 0U);
}

TEST_F(Http2SessionTest, AWebSocketIsAnExtendedConnect) {
  const Http2TestServer a(network, kA);
  Order order;
  order.head.fields.add(FieldId::upgrade, "websocket");
  order.head.fields.add(FieldId::other, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  order.tunnel_text = "hello";
  deliver(order);
  ASSERT_TRUE(order.answered && *order.answered);
  EXPECT_EQ(order.status, 101);
  EXPECT_EQ(order.delivery->response().fields.value(FieldId::upgrade), "websocket");
  std::string accept;
  for (const Field& field : order.delivery->response().fields) {
    if (field.name == "Sec-WebSocket-Accept") accept = field.value;
  }
  EXPECT_EQ(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // of RFC 6455 section 1.3
  EXPECT_EQ(order.content, "hello");
  EXPECT_EQ(get().status, 200);
  EXPECT_EQ(a.connections(), 1U);
}

// With another method it is no opening handshake, and must not become one.
TEST_F(Http2SessionTest, OnlyAGetAsksForAWebSocket) {
  const Http2TestServer a(network, kA);
  Order order("HEAD");
  order.head.fields.add(FieldId::upgrade, "websocket");
  order.head.fields.add(FieldId::other, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::unavailable));
  EXPECT_EQ(a.requests().size(), 0U);
}

TEST_F(Http2SessionTest, NoWebSocketWhereTheServerTakesNone) {
  const Http2TestServer a(network, kA, {.extended_connect = false});
  Order order;
  order.head.fields.add(FieldId::upgrade, "websocket");
  deliver(order);
  EXPECT_TRUE(order.failed_with(ErrorKind::unavailable));
  EXPECT_EQ(a.requests().size(), 0U);
}

// ---- Health.

TEST_F(Http2SessionTest, ActiveChecks) {
  group().check.kind = CheckKind::http;
  group().check.interval = seconds(1);
  const Http2TestServer a(network, kA);
  side();
  wait(seconds(10));
  EXPECT_GE(a.requests().size(), 5U);
  EXPECT_TRUE(server(0).checked_up());
  EXPECT_EQ(server(0).connections(), 0U);
  EXPECT_LE(a.open_connections(), 2U);
}

}  // namespace
}  // namespace penstock
