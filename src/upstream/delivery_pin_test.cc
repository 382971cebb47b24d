// Connections that are logged in for one client.
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
