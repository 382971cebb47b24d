// Requests of clients that know nothing of a proxy.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "message/text_body.h"
#include "proxy/parts_test.h"
#include "proxy/transaction.h"

namespace penstock {
namespace {

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ServerScript kAnswers(8, ServerStep{.until = "\r\n\r\n", .answer = kAnswer});

// An exchange whose request the test writes down, and whose response it looks at.
class WrittenExchange final : public Exchange, private ClientControl {
 public:
  WrittenExchange(const ClientInfo& client, std::string_view method, std::string_view target,
                  std::string_view host)
      : Exchange(client, *this) {
    request_.method_text = method;
    request_.method = method == "CONNECT"   ? Method::connect
                      : method == "OPTIONS" ? Method::options
                                            : Method::get;
    request_.target_text = target;
    const auto parsed = parse_target(method, target);
    EXPECT_TRUE(parsed);
    if (parsed) request_.target = *parsed;
    if (!host.empty()) request_.fields.add(FieldId::host, host);
    fate_ = CloseReason::kept;
  }
  BodySource& body() override { return no_body_; }
  Task<Result<void>> inform(ResponseHead& /*head*/) override { co_return Result<void>{}; }
  Task<Result<void>> respond(ResponseHead& head, BodySource& body,
                             const Framing& /*framing*/) override {
    status = head.status;
    const Field* const proxy_status = head.fields.find("Proxy-Status");
    if (proxy_status != nullptr) error = proxy_status->value;
    while (!body.at_end()) {
      const auto slice = co_await body.next();
      if (!slice) co_return fail(slice.error());
    }
    co_return Result<void>{};
  }
  Task<Result<void>> open_tunnel(ResponseHead& /*head*/, std::string_view /*upgrade*/) override {
    co_return Result<void>{};
  }
  ByteStream& tunnel_stream() override { std::abort(); }
  InputBuffer& tunnel_input() override { std::abort(); }
  void end_if_idle() override {}

  int status = 0;
  std::string error;

 private:
  TextBody no_body_;
};

class InterceptedTest : public PartsTest {
 protected:
  InterceptedTest() {
    listener.interception = Interception::redirect;
    client.peer = Address::parse("192.0.2.77:1234").value();
    client.local = Address::parse("10.0.0.1:80").value();
    client.listener = &listener;
    client.intercepted = true;
    world.set_name("www.example", {.ips = {"10.0.0.2"}});
  }
  ~InterceptedTest() override { stop(); }

  int ask(std::string_view method, std::string_view target, std::string_view host) {
    Proxy proxy(parts());
    WrittenExchange exchange(client, method, target, host);
    Scope scope(world.executor());
    scope.spawn(proxy.handle(exchange));
    world.run_for(std::chrono::seconds(1));
    EXPECT_EQ(scope.running(), 0U);
    error = exchange.error;
    return exchange.status;
  }
  static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }

  ClientInfo client;
  std::string error;
};

TEST_F(InterceptedTest, TheOriginalDestinationWinsOverHost) {
  const ScriptedServer original(network, "10.0.0.1:80", {kAnswers});
  const ScriptedServer named(network, "10.0.0.2:80", {kAnswers});
  EXPECT_EQ(ask("GET", "/x", "www.example"), 200);
  EXPECT_EQ(ask("GET", "http://www.example/y", "other.example"), 200);
  EXPECT_EQ(ask("GET", "/z", "10.0.0.1"), 200);
  EXPECT_EQ(named.connections(), 0U);
  ASSERT_EQ(original.connections(), 1U);
  const std::string& received = original.received(0);
  EXPECT_TRUE(has(received, "GET /x HTTP/1.1\r\nHost: www.example\r\n")) << received;
  EXPECT_TRUE(has(received, "GET /y HTTP/1.1\r\nHost: www.example\r\n")) << received;
  EXPECT_TRUE(has(received, "GET /z HTTP/1.1\r\nHost: 10.0.0.1\r\n")) << received;
  EXPECT_FALSE(has(received, "X-Forwarded"));
  const std::string lines = log_lines();
  EXPECT_TRUE(has(lines, R"("intercepted":true,"destination":"10.0.0.1:80","method":"GET",)"
                         R"("target":"/x")"))
      << lines;
  // Only where Host is the address itself is it known to be that server's.
  EXPECT_EQ(std::string_view(lines).substr(0, lines.find("/z")).find("host_unverified") !=
                std::string_view::npos,
            true);
  EXPECT_FALSE(has(lines.substr(lines.find("/z")), "host_unverified")) << lines;
}

TEST_F(InterceptedTest, WithoutHostTheAddressIsIt) {
  client.local = Address::parse("10.0.0.1:8000").value();
  const ScriptedServer original(network, "10.0.0.1:8000", {kAnswers});
  EXPECT_EQ(ask("GET", "/", ""), 200);
  EXPECT_TRUE(has(original.received(0), "\r\nHost: 10.0.0.1:8000\r\n")) << original.received(0);
}

TEST_F(InterceptedTest, OptionsStarIsForTheServer) {
  const ScriptedServer original(network, "10.0.0.1:80", {kAnswers});
  EXPECT_EQ(ask("OPTIONS", "*", "www.example"), 200);
  EXPECT_TRUE(original.received(0).starts_with("OPTIONS * HTTP/1.1\r\n")) << original.received(0);
}

TEST_F(InterceptedTest, Refused) {
  const ScriptedServer original(network, "10.0.0.1:80", {kAnswers});
  EXPECT_EQ(ask("CONNECT", "www.example:443", "www.example"), 405);
  EXPECT_EQ(ask("GET", "https://www.example/", "www.example"), 501);
  client.local = Address::parse("192.0.2.1:8080").value();
  EXPECT_EQ(ask("GET", "/", "www.example"), 508);
  EXPECT_TRUE(has(error, "proxy_loop_detected")) << error;
  client.local = Address::parse("127.0.0.1:80").value();
  EXPECT_EQ(ask("GET", "/", "www.example"), 403);
  EXPECT_EQ(original.connections(), 0U);
  EXPECT_TRUE(has(log_lines(), R"("detail":"intercepted_loop")"));
}

// The route is chosen by the name, but the peer is told the address: it could know another one.
TEST_F(InterceptedTest, ThroughAPeerByATunnelToTheAddress) {
  upstream.peers = {{.name = "parent", .address = "10.0.0.7:3128"}};
  settings.routes = {{.host = "www.example", .via = {"parent"}}};
  const ScriptedServer peer(network, "10.0.0.7:3128",
                            {{{.until = "\r\n\r\n", .answer = "HTTP/1.1 200 OK\r\n\r\n"},
                              {.until = "\r\n\r\n", .answer = kAnswer}}});
  const ScriptedServer original(network, "10.0.0.1:80", {kAnswers});
  EXPECT_EQ(ask("GET", "/x", "www.example"), 200);
  ASSERT_EQ(peer.connections(), 1U);
  EXPECT_TRUE(peer.received(0).starts_with("CONNECT 10.0.0.1:80 HTTP/1.1\r\n")) << peer.received(0);
  EXPECT_TRUE(has(peer.received(0), "\r\n\r\nGET /x HTTP/1.1\r\nHost: www.example\r\n"))
      << peer.received(0);
  EXPECT_EQ(original.connections(), 0U);
  EXPECT_EQ(ask("GET", "/y", "other.example"), 200);
  EXPECT_EQ(original.connections(), 1U);
}

}  // namespace
}  // namespace penstock
