// Clients that a cookie binds to a server of a group.
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"

namespace penstock {
namespace {

const ServerScript kAnswers(20, ServerStep{.until = kEnd, .answer = kOk});

class StickySessionTest : public ProxyTest {
 protected:
  StickySessionTest() {
    groups[0].sticky_cookie = "at";
    groups[0].servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
  }
  static std::string request(const std::string& cookie) {
    const std::string field = cookie.empty() ? "" : "Cookie: a=1; " + cookie + "; b=2\r\n";
    return "GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n";
  }
  // What Set-Cookie has set, empty without one.
  static std::string cookie_of(const std::string& answer) {
    const std::size_t at = answer.find("Set-Cookie: ");
    if (at == std::string::npos) return {};
    const std::string rest = answer.substr(at + 12);
    return rest.substr(0, rest.find(';'));
  }
};

TEST_F(StickySessionTest, TheCookieLeadsToTheServerThatSetIt) {
  const ScriptedServer one(network, "10.0.0.1:80", {kAnswers});
  const ScriptedServer two(network, "10.0.0.2:80", {kAnswers});
  const std::string cookie = cookie_of(ask(request("")));
  ASSERT_NE(cookie, "");
  const ScriptedServer& bound = one.connections() > 0 ? one : two;
  const ScriptedServer& other = one.connections() > 0 ? two : one;
  ASSERT_EQ(other.connections(), 0U);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(cookie_of(ask(request(cookie))), "");
  EXPECT_EQ(other.connections(), 0U);
  // The server does not see it.
  EXPECT_EQ(bound.received(0).find("at="), std::string::npos);
  EXPECT_NE(bound.received(0).find("Cookie: a=1; b=2\r\n"), std::string::npos);
}

TEST_F(StickySessionTest, ARetryAfterAnIdleConnectionHadDiedGoesToTheSameServer) {
  const ServerScript once = {{.until = kEnd, .answer = kOk},
                             {.until = kEnd, .then = ServerStep::Then::close}};
  const ScriptedServer one(network, "10.0.0.1:80", {once, kAnswers});
  const ScriptedServer two(network, "10.0.0.2:80", {once, kAnswers});
  const std::string cookie = cookie_of(ask(request("")));
  const ScriptedServer& bound = one.connections() > 0 ? one : two;
  EXPECT_EQ(status_of(ask(request(cookie))), "200");
  EXPECT_EQ(bound.connections(), 2U);
}

}  // namespace
}  // namespace penstock
