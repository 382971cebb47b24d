// Requests on a server connection that is bound to the client's: NTLM and Negotiate.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"

namespace penstock {
namespace {

const ServerScript kAnswers(20, ServerStep{.until = kEnd, .answer = kOk});

class PinnedTest : public ProxyTest {};

TEST_F(PinnedTest, TheServerGetsTheSameHostAsBefore) {
  settings.routes[0].host_policy = HostPolicy::server;
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  const auto client = connect();
  client->send("GET /1 HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM x\r\n\r\n");
  client->send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  client->send("GET /3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_EQ(origin.connections(), 1U);
  const std::string seen = origin.received(0);
  EXPECT_NE(seen.find("GET /1 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("GET /2 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("GET /3 HTTP/1.1\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Host: 10.0.0.1:80\r\n", seen.find("GET /3")), std::string::npos) << seen;
}

TEST_F(PinnedTest, NoCookieIsSetAnew) {
  groups[0].sticky_cookie = "at";
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  const auto client = connect();
  client->send("GET /1 HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM x\r\n\r\n");
  EXPECT_NE(client->take().find("Set-Cookie: at="), std::string::npos);
  client->send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = client->take();
  EXPECT_EQ(status_of(answer), "200");
  EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
}

TEST_F(PinnedTest, ATunnelIsAConnectionOfItsOwn) {
  be_forward();
  const ScriptedServer origin(network, "10.0.0.1:8443", {kAnswers});
  const auto client = connect();
  client->send(
      "GET http://origin.example:8443/ HTTP/1.1\r\nHost: a\r\nAuthorization: Negotiate x\r\n\r\n");
  EXPECT_EQ(status_of(client->take()), "200");
  client->send("CONNECT origin.example:8443 HTTP/1.1\r\nHost: origin.example:8443\r\n\r\n");
  EXPECT_EQ(status_of(client->take()), "200");
  client->send("hello");
  ASSERT_EQ(origin.connections(), 2U);
  EXPECT_EQ(origin.received(1), "hello");
}

}  // namespace
}  // namespace penstock
