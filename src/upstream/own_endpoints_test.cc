// Connections that begin with a header of the PROXY protocol.
#include "upstream/own_endpoints.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/order_test.h"

namespace penstock {
namespace {

using namespace std::string_view_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

class ProxyHeaderOutTest : public DeliveryTest {
 protected:
  struct Client {
    Client(ServerPool& pool, std::string_view address)
        : header{.source = Address::parse(address).value(),
                 .destination = Address::parse("192.0.2.1:443").value()},
          own(pool) {}
    ProxyHeaderFields header;
    OwnEndpoints own;
  };

  ProxyHeaderOutTest() {
    group().proxy_header = ProxyHeader::v1;
    set_servers({kA});
  }
  std::unique_ptr<Client> client(std::string_view address) {
    return std::make_unique<Client>(side().pool(), address);
  }
  static void send_for(Client& client, Order& order) {
    order.destination.client = &client.header;
    order.destination.own = &client.own;
  }
  // A GET in its name that is answered.
  CloseReason ask(Client& client) {
    Order order;
    send_for(client, order);
    deliver(order);
    EXPECT_EQ(order.status, 200);
    return order.fate;
  }
};

constexpr std::string_view kAnn = "192.0.2.7:1000";
constexpr std::string_view kBob = "192.0.2.8:2000";
constexpr std::string_view kAnnsLine = "PROXY TCP4 192.0.2.7 192.0.2.1 1000 443\r\nGET / ";

TEST_F(ProxyHeaderOutTest, NamesTheClient) {
  const ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  ask(*ann);
  EXPECT_TRUE(a.received(0).starts_with(kAnnsLine)) << a.received(0);
}

TEST_F(ProxyHeaderOutTest, Version2) {
  group().proxy_header = ProxyHeader::v2;
  const ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  ann->header.alpn = "h2";
  ann->header.tls = {.version = "TLSv1.3"};
  ask(*ann);
  ProxyHeaderFields fields;
  const auto length = parse_proxy_header(a.received(0), fields);
  ASSERT_TRUE(length && *length > 0);
  EXPECT_EQ(fields, ann->header);
  EXPECT_TRUE(a.received(0).substr(*length).starts_with("GET / "));
}

TEST_F(ProxyHeaderOutTest, AConnectionServesItsClientOnly) {
  const ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  const auto bob = client(kBob);
  EXPECT_EQ(ask(*ann), CloseReason::kept);
  EXPECT_EQ(ask(*bob), CloseReason::kept);
  EXPECT_EQ(ask(*ann), CloseReason::kept);
  EXPECT_EQ(ask(*bob), CloseReason::kept);
  ASSERT_EQ(a.connections(), 2U);
  EXPECT_TRUE(a.received(0).starts_with(kAnnsLine));
  EXPECT_TRUE(a.received(1).starts_with("PROXY TCP4 192.0.2.8 192.0.2.1 2000 443\r\n"));
  // Nor whoever has none.
  Order nobody;
  deliver(nobody);
  EXPECT_EQ(a.connections(), 3U);
  EXPECT_TRUE(a.received(2).starts_with("PROXY UNKNOWN\r\nGET / "));
}

TEST_F(ProxyHeaderOutTest, RequestsAtATimeHaveTheirOwn) {
  const ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  Order first;
  Order second;
  for (Order* order : {&first, &second}) {
    send_for(*ann, *order);
    order->begin(side());
  }
  wait(milliseconds(50));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.status, 200);
  ASSERT_EQ(a.connections(), 2U);
  EXPECT_TRUE(a.received(1).starts_with(kAnnsLine));
  ask(*ann);
  EXPECT_EQ(a.connections(), 2U);
}

TEST_F(ProxyHeaderOutTest, EndsWithItsClient) {
  const ScriptedServer a(network, kA, {kAnswers});
  auto ann = client(kAnn);
  ask(*ann);
  EXPECT_EQ(idle(), 1U);
  EXPECT_FALSE(a.end(0));
  ann = nullptr;
  EXPECT_EQ(idle(), 0U);
  wait(milliseconds(10));
  EXPECT_TRUE(a.end(0));
  EXPECT_EQ(server(0).connections(), 0U);
}

TEST_F(ProxyHeaderOutTest, AnExchangeMayOutliveItsClient) {
  const ScriptedServer a(network, kA, {kAnswers});
  auto ann = client(kAnn);
  Order order;
  send_for(*ann, order);
  order.begin(side());
  wait(milliseconds(1));
  ann = nullptr;
  wait(milliseconds(50));
  EXPECT_EQ(order.status, 200);
  EXPECT_EQ(idle(), 0U);
  EXPECT_TRUE(a.end(0));
}

TEST_F(ProxyHeaderOutTest, ALostOneIsReplaced) {
  ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  ask(*ann);
  a.close(0);
  wait(milliseconds(10));
  EXPECT_EQ(ask(*ann), CloseReason::kept);
  ASSERT_EQ(a.connections(), 2U);
  EXPECT_TRUE(a.received(1).starts_with(kAnnsLine));
}

TEST_F(ProxyHeaderOutTest, UnusedForTooLong) {
  group().pool.idle = seconds(10);
  const ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  ask(*ann);
  wait(seconds(12));
  EXPECT_TRUE(a.end(0));
}

TEST_F(ProxyHeaderOutTest, MakesRoomForOthers) {
  group().max_connections = 1;
  const ScriptedServer a(network, kA, {kAnswers});
  const auto ann = client(kAnn);
  const auto bob = client(kBob);
  ask(*ann);
  ask(*ann);
  EXPECT_EQ(a.connections(), 1U);
  ask(*bob);
  EXPECT_EQ(a.connections(), 2U);
  ask(*ann);
  EXPECT_EQ(a.connections(), 3U);
}

TEST_F(ProxyHeaderOutTest, NoneIsKeptForSessions) {
  const ScriptedServer a(network, kA, {{{.until = "443\r\n", .answer = "hello"}}});
  const auto ann = client(kAnn);
  Order order;
  order.only_connect = true;
  send_for(*ann, order);
  deliver(order);
  EXPECT_TRUE(order.answered && *order.answered);
  wait(milliseconds(10));
  EXPECT_EQ(a.received(0), "PROXY TCP4 192.0.2.7 192.0.2.1 1000 443\r\n");
  EXPECT_TRUE(a.end(0));
  EXPECT_EQ(idle(), 0U);
}

TEST_F(ProxyHeaderOutTest, ChecksAreForNobody) {
  group().check.kind = CheckKind::http;
  group().proxy_header = ProxyHeader::v2;
  group().pool.spare = 5;
  const ScriptedServer a(network, kA, {kAnswers});
  side();
  wait(seconds(1));
  // And no connection is there before there is a client.
  ASSERT_EQ(a.connections(), 1U);
  EXPECT_TRUE(a.received(0).starts_with("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET / "sv));
}

TEST_F(ProxyHeaderOutTest, ByHttp2) {
  group().http = HttpChoice::http2;
  const ScriptedServer a(network, kA, {{{.until = "PRI * HTTP/2.0", .then = Then::close}}});
  const auto ann = client(kAnn);
  Order order;
  send_for(*ann, order);
  order.begin(side());
  wait(seconds(10));
  EXPECT_TRUE(order.done);
  EXPECT_TRUE(
      a.received(0).starts_with("PROXY TCP4 192.0.2.7 192.0.2.1 1000 443\r\nPRI * HTTP/2.0"));
}

TEST(OwnEndpoints, AreBounded) {
  SimWorld world(1);
  SimNetwork network(world);
  const UpstreamSettings settings;
  ServerPool pool(network, settings);
  const UpstreamGroupSettings group_settings;
  GroupShare group(group_settings);
  std::vector<std::shared_ptr<HopShare>> servers;
  OwnEndpoints own(pool);
  for (int i = 0; i < 100; ++i) {
    servers.push_back(group.server(std::to_string(i), 0));
    own.add(std::make_shared<Endpoint>(group_settings.pool, servers.back()));
  }
  EXPECT_EQ(own.find(*servers.front()), nullptr);
  EXPECT_NE(own.find(*servers.back()), nullptr);
}

}  // namespace
}  // namespace penstock
