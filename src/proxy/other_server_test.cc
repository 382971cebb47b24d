// Which server of a group a request goes to when the first one has failed it.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"

namespace penstock {
namespace {

using Then = ServerStep::Then;

const ServerScript kAnswers(20, ServerStep{.until = kEnd, .answer = kOk});
const ServerScript kCloses = {{.until = kEnd, .then = Then::close}};
const std::string kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class OtherServerTest : public ProxyTest {
 protected:
  OtherServerTest() {
    groups[0].servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
    groups[0].ejection.failures = 0;
    groups[0].retry.count = 1;
  }
};

TEST_F(OtherServerTest, WhenTheFirstRefusesTheConnection) {
  const ScriptedServer two(network, "10.0.0.2:80", {kAnswers});
  groups[0].pool.max_idle = 0;
  for (int i = 0; i < 6; ++i) EXPECT_EQ(status_of(ask(kRequest)), "200");
}

TEST_F(OtherServerTest, WhenTheFirstClosesWithoutAResponse) {
  const ScriptedServer one(network, "10.0.0.1:80", {kCloses});
  const ScriptedServer two(network, "10.0.0.2:80", {kAnswers});
  groups[0].pool.max_idle = 0;
  for (int i = 0; i < 6; ++i) EXPECT_EQ(status_of(ask(kRequest)), "200");
  EXPECT_GT(one.connections(), 0U);
}

TEST_F(OtherServerTest, WhenTheFirstAnswersWithAStatusToRetry) {
  groups[0].retry.on_status = {503};
  const std::string unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  const ScriptedServer one(network, "10.0.0.1:80",
                           {ServerScript(20, {.until = kEnd, .answer = unavailable})});
  const ScriptedServer two(network, "10.0.0.2:80", {kAnswers});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(status_of(ask(kRequest)), "200");
  EXPECT_GT(one.connections(), 0U);
}

}  // namespace
}  // namespace penstock
