#include "server/server.h"

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/server_test.h"
#include "tls/certificates_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class ServerOfConnectionsTest : public ServerTest {};

TEST_F(ServerOfConnectionsTest, CountsConnections) {
  auto first = connect();
  auto second = connect();
  EXPECT_EQ(server().connections(), 2U);
  EXPECT_EQ(share.connections, 2U);
  first.reset();
  wait(milliseconds(10));
  EXPECT_EQ(server().connections(), 1U);
  EXPECT_EQ(share.connections, 1U);
}

TEST_F(ServerOfConnectionsTest, ListenerPausesAtItsBoundAndGoesOn) {
  listener.max_connections = 2;
  auto first = connect();
  auto second = connect();
  const auto third = connect();
  third->send(kGet, seconds(1));
  EXPECT_EQ(server().connections(), 2U);
  EXPECT_EQ(third->received, "");  // waits, is not refused
  EXPECT_FALSE(third->ended);
  first->send(kGet);
  EXPECT_NE(first->received, "");
  first.reset();
  wait(milliseconds(50));
  EXPECT_EQ(server().connections(), 2U);
  EXPECT_TRUE(third->received.starts_with("HTTP/1.1 200 OK"));
}

TEST_F(ServerOfConnectionsTest, BoundIsOfAllWorkers) {
  listener.max_connections = 10;
  share.connections = 9;  // others have them
  const auto first = connect();
  const auto second = connect();
  second->send(kGet, milliseconds(100));
  EXPECT_EQ(server().connections(), 1U);
  share.connections -= 9;
  wait(milliseconds(50));
  EXPECT_TRUE(second->received.starts_with("HTTP/1.1 200 OK"));
}

// The time that a name was waited for is part of the session's.
TEST_F(ServerOfConnectionsTest, AStreamBeginsWhenItIsAccepted) {
  class Started final : public StreamHandler {
   public:
    Task<void> handle(StreamSession& session) override {
      at = session.started;
      co_return;
    }
    std::optional<TimePoint> at;
  } started;
  streams = &started;
  listener.mode = ListenerMode::tcp;
  listener.look_for_name = true;
  share.entrance = std::move(*Entrance::create(listener));
  const TimePoint before = world.now();
  const auto client = connect();
  wait(seconds(9));
  EXPECT_FALSE(started.at);
  wait(seconds(2));
  ASSERT_TRUE(started.at);
  EXPECT_LT(*started.at - before, seconds(1));
}

// Who is not let in can come back as often as he likes.
TEST_F(ServerOfConnectionsTest, TheLogIsNotFlooded) {
  const TestFile path("");
  std::vector<std::string> lines;
  {
    LogFile file(path.path());
    Log to_file(file, LogLevel::info);
    log = &to_file;
    listener.name = "front";
    listener.proxy_protocol_from = {"192.0.2.77"};
    share.entrance = std::move(*Entrance::create(listener));
    wait(seconds(10));
    for (int i = 0; i < 150; ++i) connect()->send(kGet, milliseconds(1));
    wait(seconds(1));
    connect()->send(kGet, milliseconds(1));
    stop();
  }
  std::ifstream written(path.path());
  for (std::string line; std::getline(written, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), kMaxToldASecond + 2);
  EXPECT_NE(lines[0].find("front: 192.0.2.77:"), std::string::npos) << lines[0];
  EXPECT_TRUE(lines[kMaxToldASecond].ends_with(
      "front: 50 more connections came to nothing: too many to tell of each"))
      << lines[kMaxToldASecond];
}

TEST_F(ServerOfConnectionsTest, DrainEndsIdleConnections) {
  const auto fresh = connect();
  const auto used = connect();
  used->send(kGet);
  server().drain();
  wait(milliseconds(10));
  EXPECT_TRUE(fresh->closed());
  EXPECT_TRUE(used->closed());
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ServerOfConnectionsTest, DrainLetsWhatIsUnderWayFinish) {
  handler.reply.after = seconds(1);
  const auto client = connect();
  client->send(kGet + kGet);
  server().drain();
  wait(seconds(3));
  EXPECT_EQ(handler.seen.size(), 1U);
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 200 OK"));
  EXPECT_NE(client->received.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client->received.ends_with("\r\n\r\n/"));
  EXPECT_TRUE(client->ended);
}

TEST_F(ServerOfConnectionsTest, DrainServesRequestsThatAreThere) {
  const auto client = connect();
  client->send(kGet);
  static_cast<void>(client->take());
  // It arrives in the same turn in which the drain begins.
  client->send(kGet, Duration{});
  world.call_at(world.now() + milliseconds(1), [this] { server().drain(); });
  wait(milliseconds(10));
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 200 OK")) << client->received;
  EXPECT_NE(client->received.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client->closed());
}

TEST_F(ServerOfConnectionsTest, DrainWhileAHeadComes) {
  const auto client = connect();
  client->send("GET / HTTP/1.1\r\n");
  server().drain();
  client->send("Host: a\r\n\r\n");
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 200 OK"));
  EXPECT_TRUE(client->closed());
}

// A client that was told its connection persists may have sent the next request already.
TEST_F(ServerOfConnectionsTest, DrainDuringAResponseDoesNotCutIt) {
  TimedBody body({{"begin"}, {std::string(30 * 1024, 'x'), seconds(1)}, {"end"}});
  handler.reply.body = &body;
  handler.reply.framing = {.kind = BodyKind::chunked};
  const auto client = connect();
  client->send(kGet);
  server().drain();
  client->send(kGet, seconds(2));
  EXPECT_NE(client->received.find("end\r\n0\r\n\r\n"), std::string::npos)
      << client->received.size();
  EXPECT_TRUE(client->closed());
}

TEST_F(ServerOfConnectionsTest, NothingIsTakenUpWhileDraining) {
  server().drain();
  const auto client = connect();
  wait(milliseconds(10));
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ServerOfConnectionsTest, CancelBreaksOffWhatIsLeft) {
  handler.reply.after = seconds(1000);
  const auto busy = connect();
  busy->send(kGet);
  const auto idle = connect();
  server().cancel();
  wait(milliseconds(10));
  EXPECT_EQ(server().connections(), 0U);
  EXPECT_TRUE(busy->ended);
  EXPECT_TRUE(idle->ended);
  EXPECT_FALSE(handler.seen[0].slept);
}

TEST_F(ServerOfConnectionsTest, KnowsItsClients) {
  class Curious final : public Handler {
   public:
    std::vector<ClientInfo> clients;
    Task<void> handle(Exchange& exchange) override {
      clients.push_back(exchange.client());
      co_return;
    }
  } curious;
  struct Case {
    const char* address;
    bool local;
  };
  for (const Case& c : {Case{"192.0.2.1:81", false}, Case{"127.0.0.1:81", true},
                        Case{"[::1]:81", true}, Case{"*:81", false}, Case{"unix:/x", true}}) {
    SCOPED_TRACE(c.address);
    const ListenerSettings of{.addresses = {c.address}};
    ListenerShare of_share{.settings = &of};
    Server other(world.executor(), settings, of_share, Handlers{.http = &curious});
    const auto accepting = network.listen(Address::parse(c.address).value(), other);
    TestClient client(network, accepting->local_address());
    client.send(kGet);
    const ClientInfo& seen = curious.clients.back();
    EXPECT_EQ(seen.listener_is_local, c.local);
    EXPECT_EQ(seen.listener, &of);
    EXPECT_EQ(seen.local, accepting->local_address());
    if (!seen.peer.is_unix()) EXPECT_EQ(seen.peer.host_text(), "192.0.2.77");
  }
  EXPECT_FALSE(curious.clients.back().intercepted);
  for (std::size_t i = 1; i < curious.clients.size(); ++i) {
    EXPECT_NE(curious.clients[i].connection_id, curious.clients[i - 1].connection_id);
  }
}

// Who gets in is only known when the sockets are there.
TEST_F(ServerOfConnectionsTest, ASystemdListenerIsLocalIfItsSocketsAre) {
  class Looking final : public Handler {
   public:
    bool local = false;
    Task<void> handle(Exchange& exchange) override {
      local = exchange.client().listener_is_local;
      co_return;
    }
  } looking;
  const ListenerSettings of{.addresses = {"systemd:web"}};
  for (const bool with_public_one : {false, true}) {
    ListenerShare of_share{.settings = &of};
    Server other(world.executor(), settings, of_share, Handlers{.http = &looking});
    const auto inner = network.listen(*Address::parse("127.0.0.1:81"), other);
    const auto outer = network.listen(*Address::parse("192.0.2.1:81"), other);
    other.add_listener(*inner);
    if (with_public_one) other.add_listener(*outer);
    TestClient client(network, inner->local_address());
    client.send(kGet);
    EXPECT_EQ(looking.local, !with_public_one);
    other.forget_listeners();
  }
}

// Netfilter brings connections from outside to wherever the listener is.
TEST_F(ServerOfConnectionsTest, AnInterceptingListenerIsNeverLocal) {
  class Looking final : public Handler {
   public:
    ClientInfo client;
    Task<void> handle(Exchange& exchange) override {
      client = exchange.client();
      co_return;
    }
  } looking;
  const ListenerSettings of{.addresses = {"127.0.0.1:81"}, .interception = Interception::redirect};
  ListenerShare of_share{.settings = &of};
  Server other(world.executor(), settings, of_share, Handlers{.http = &looking});
  const auto accepting = network.listen(*Address::parse("127.0.0.1:81"), other);
  TestClient client(network, accepting->local_address());
  client.send(kGet);
  EXPECT_TRUE(looking.client.intercepted);
  EXPECT_FALSE(looking.client.listener_is_local);
}

// Two listeners of one server, and a seat among workers.
TEST_F(ServerOfConnectionsTest, AtItsBoundAllItsListenersPause) {
  const ListenerSettings of{.addresses = {"192.0.2.1:81", "192.0.2.2:81"}, .max_connections = 2};
  ListenerShare of_share{.settings = &of};
  of_share.spread.make_seats(2, of_share.connections, of.max_connections);
  Server other(world.executor(), settings, of_share, Handlers{.http = &handler});
  other.set_seat(of_share.spread.seat(0));
  const auto first = network.listen(*Address::parse("192.0.2.1:81"), other);
  const auto second = network.listen(*Address::parse("192.0.2.2:81"), other);
  other.add_listener(*first);
  other.add_listener(*second);
  auto one = std::make_unique<TestClient>(network, first->local_address());
  TestClient two(network, second->local_address());
  EXPECT_EQ(of_share.spread.seat(0).load(), 2U);
  TestClient three(network, first->local_address());
  TestClient four(network, second->local_address());
  three.send(kGet);
  four.send(kGet);
  wait(seconds(1));
  EXPECT_EQ(handler.seen.size(), 0U);
  EXPECT_EQ(other.connections(), 2U);
  one.reset();
  wait(seconds(1));
  EXPECT_EQ(other.connections(), 2U);
  EXPECT_EQ(handler.seen.size(), 1U);
  EXPECT_EQ(of_share.spread.seat(0).load(), 2U);
  other.forget_listeners();
  other.cancel();
  wait(seconds(1));
  EXPECT_EQ(of_share.spread.seat(0).load(), 0U);
}

TEST_F(ServerOfConnectionsTest, DrainEndsHttp2ThatBeginsMeanwhile) {
  listener.http2 = true;
  const auto client = connect();
  client->send(std::string(http2::kPreface.substr(0, 10)));
  server().drain();
  client->send(std::string(http2::kPreface.substr(10)) + std::string("\0\0\0\4\0\0\0\0\0", 9),
               seconds(5));
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(server().connections(), 0U);
}

}  // namespace
}  // namespace penstock
