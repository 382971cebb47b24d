// When a request is sent again.
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const ServerScript kAnswers(4, ServerStep{.until = kEnd, .answer = kOk});
const ServerScript kCloses = {{.until = kEnd, .then = Then::close}};
const ServerScript kResets = {{.until = kEnd, .then = Then::reset}};

class RetryTest : public ProxyTest {};

std::string request(const std::string& method, const std::string& rest = "\r\n") {
  return method + " / HTTP/1.1\r\nHost: a\r\n" + rest;
}

TEST_F(RetryTest, MethodsWhenAServerClosesOrResetsWithoutAResponse) {
  struct Case {
    const char* method;
    bool again;
  };
  for (const ServerScript& script : {kCloses, kResets}) {
    for (const Case& c : {Case{"GET", true}, Case{"HEAD", true}, Case{"OPTIONS", true},
                          Case{"TRACE", true}, Case{"PUT", true}, Case{"DELETE", true},
                          Case{"POST", false}, Case{"PATCH", false}, Case{"BREW", false}}) {
      SCOPED_TRACE(c.method);
      wait(groups[0].pool.idle * 2);
      const ScriptedServer origin(network, "10.0.0.1:80", {script, kAnswers});
      const std::string answer = ask(request(c.method));
      EXPECT_EQ(status_of(answer), c.again ? "200" : "502") << answer;
      EXPECT_EQ(error_of(answer), c.again ? "" : "connection_terminated");
      EXPECT_EQ(origin.connections(), c.again ? 2U : 1U);
      if (c.again) EXPECT_EQ(origin.received(0), origin.received(1));
    }
  }
}

TEST_F(RetryTest, NoMoreThanThreeAttempts) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kCloses});
  EXPECT_EQ(error_of(ask(request("GET"))), "connection_terminated");
  EXPECT_EQ(origin.connections(), 3U);
}

TEST_F(RetryTest, TheThirdAttemptMaySucceed) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kCloses, kResets, kAnswers});
  EXPECT_EQ(status_of(ask(request("GET"))), "200");
  EXPECT_EQ(origin.connections(), 3U);
}

TEST_F(RetryTest, WhatForbidsIt) {
  struct Case {
    const char* name;
    const char* answer;
    Then then;
    const char* error;
    const char* status;
  };
  for (const Case& c :
       {Case{"response begun", "HTTP/1.1 2", Then::close, "connection_terminated", "502"},
        Case{"one byte of it", "H", Then::reset, "connection_terminated", "502"},
        Case{"malformed", "SSH-2.0-x\r\n\r\n", Then::close, "http_protocol_error", "502"},
        Case{"informational sent", "HTTP/1.1 103 Early Hints\r\n\r\n", Then::close, "", "103"},
        Case{"silence", "", Then::go_on, "http_response_timeout", "504"}}) {
    SCOPED_TRACE(c.name);
    const ScriptedServer origin(
        network, "10.0.0.1:80",
        {{{.until = kEnd, .answer = c.answer, .then = Then::go_on}, {.until = "", .then = c.then}},
         kAnswers});
    // The answer is under way before the connection ends.
    const std::string answer = ask(request("GET"), upstream.stall + seconds(1));
    EXPECT_EQ(status_of(answer), c.status) << answer;
    if (*c.error != '\0') EXPECT_EQ(error_of(answer), c.error);
    EXPECT_EQ(origin.connections(), 1U);
  }
}

TEST_F(RetryTest, AnyMethodWhenNoByteWasSent) {
  for (const char* method : {"GET", "POST", "PATCH"}) {
    SCOPED_TRACE(method);
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80", {{}, kAnswers});
    // Broken by the time it is made.
    world.script(origin.address(), {.down = {.reset_after = 0}});
    const std::string answer = ask(request(method, "Content-Length: 2\r\n\r\nhi"), seconds(1));
    EXPECT_EQ(status_of(answer), "200") << answer;
    EXPECT_EQ(origin.received(0), "");
  }
}

TEST_F(RetryTest, IdleConnectionThatDies) {
  struct Case {
    const char* method;
    const char* status;
  };
  for (const Case& c : {Case{"GET", "200"}, Case{"POST", "502"}}) {
    SCOPED_TRACE(c.method);
    wait(groups[0].pool.idle * 2);
    ServerScript once = kAnswers;
    once.resize(1);
    once.push_back({.until = kEnd, .then = Then::close});
    const ScriptedServer origin(network, "10.0.0.1:80", {once, kAnswers});
    EXPECT_EQ(status_of(ask(request("GET"))), "200");
    EXPECT_EQ(status_of(ask(request(c.method))), c.status);
    EXPECT_EQ(origin.connections(), c.status == std::string("200") ? 2U : 1U);
  }
}

TEST_F(RetryTest, ASecondTryUsesNoIdleConnection) {
  // Two idle connections, and both would die: the first retry goes to a new one.
  ServerScript slow = {{.until = kEnd + "go", .answer = kOk}, {.until = kEnd, .then = Then::close}};
  const ScriptedServer origin(network, "10.0.0.1:80", {slow, slow, kAnswers});
  const auto one = connect();
  const auto two = connect();
  one->send(request("PUT", "Content-Length: 4\r\n\r\n"));
  two->send(request("PUT", "Content-Length: 4\r\n\r\n"));
  one->send("go..");
  two->send("go..");
  ASSERT_EQ(pool().idle_count(), 2U);
  EXPECT_EQ(status_of(ask(request("GET"))), "200");
  EXPECT_EQ(origin.connections(), 3U);
  EXPECT_EQ(pool().idle_count(), 2U);
}

TEST_F(RetryTest, SmallBodyIsSentAgain) {
  const ServerScript closes = {{.until = "hello", .then = Then::close}};
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {closes, {{.until = "hello", .answer = kOk}}});
  EXPECT_EQ(status_of(ask(request("PUT", "Content-Length: 5\r\n\r\nhello"))), "200");
  ASSERT_EQ(origin.connections(), 2U);
  EXPECT_EQ(origin.received(0), origin.received(1));
}

TEST_F(RetryTest, LargeBodyIsNotSentAgain) {
  const std::string body = std::string(200 * 1024, 'x') + "END";
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = "END", .then = Then::close}}, kAnswers});
  const std::string answer =
      ask(request("PUT", "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body),
          seconds(5));
  EXPECT_EQ(status_of(answer), "502");
  EXPECT_EQ(origin.connections(), 1U);
}

TEST_F(RetryTest, ConnectIsNotTriedAgainBeyondItsAddresses) {
  EXPECT_EQ(error_of(ask(request("GET"))), "connection_refused");
  EXPECT_EQ(world.connections_made(), 1U);  // the client's
}

// ---- Groups of several servers.

class RetryGroupTest : public RetryTest {
 protected:
  RetryGroupTest() {
    group().servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
    group().balance.algorithm = Balance::first;
  }
  UpstreamGroupSettings& group() { return groups.front(); }
};

TEST_F(RetryGroupTest, HostFollowsTheServerThatIsUsed) {
  settings.routes[0].host_policy = HostPolicy::server;
  world.set_name("b.example", {.ips = {"10.0.0.2"}});
  group().servers[1].address = "b.example:80";
  const ScriptedServer a(network, "10.0.0.1:80", {kCloses});
  const ScriptedServer b(network, "10.0.0.2:80", {kAnswers});
  EXPECT_EQ(status_of(ask(request("GET"))), "200");
  EXPECT_NE(a.received(0).find("\r\nHost: 10.0.0.1:80\r\n"), std::string::npos);
  EXPECT_NE(b.received(0).find("\r\nHost: b.example:80\r\n"), std::string::npos);
  EXPECT_EQ(b.received(0).find("10.0.0.1"), std::string::npos);
}

TEST_F(RetryGroupTest, HostFollowsTheServerOfALogin) {
  settings.routes[0].host_policy = HostPolicy::server;
  const ScriptedServer a(network, "10.0.0.1:80", {kAnswers});
  const auto client = connect();
  client->send(request("GET", "Authorization: NTLM TlRMTVNTUAAB\r\n\r\n"));
  client->send(request("GET"));
  const std::string& received = a.received(0);
  const std::string host = "\r\nHost: 10.0.0.1:80\r\n";
  EXPECT_NE(received.find(host, received.find(host) + 1), std::string::npos) << received;
  EXPECT_EQ(received.find("\r\nHost: a\r\n"), std::string::npos);
}

TEST_F(RetryGroupTest, TheServerThatAnsweredIsTheOneToStickTo) {
  group().sticky_cookie = "srv";
  const ScriptedServer a(network, "10.0.0.1:80", {kCloses, kAnswers});
  const ScriptedServer b(network, "10.0.0.2:80", {kAnswers});
  const std::string first = ask(request("GET"));
  const std::size_t begin = first.find("Set-Cookie: srv=");
  ASSERT_NE(begin, std::string::npos) << first;
  const std::string cookie = first.substr(begin + 12, 4 + 16);
  // It is ours alone: the server does not see it, nor other cookies change.
  for (int i = 0; i < 3; ++i) {
    const std::string again = ask(request("GET", "Cookie: x=1; " + cookie + "; y=2\r\n\r\n"));
    EXPECT_EQ(status_of(again), "200");
    EXPECT_EQ(again.find("Set-Cookie"), std::string::npos);
  }
  EXPECT_EQ(a.connections(), 1U);
  EXPECT_NE(b.received(0).find("Cookie: x=1; y=2\r\n"), std::string::npos);
  EXPECT_EQ(b.received(0).find("srv="), std::string::npos);
}

TEST_F(RetryGroupTest, QueueFull) {
  group().max_connections = 1;
  group().queue.length = 0;
  group().servers.pop_back();
  const ScriptedServer a(network, "10.0.0.1:80", {{{.until = kEnd}}});
  const auto holder = connect();
  holder->send(request("GET"));
  const std::string answer = ask(request("GET"));
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_EQ(error_of(answer), "connection_limit_reached");
  EXPECT_NE(answer.find("queue_full"), std::string::npos) << answer;
}

TEST_F(RetryGroupTest, QueueTimeout) {
  group().max_connections = 1;
  group().queue.timeout = seconds(2);
  group().servers.pop_back();
  const ScriptedServer a(network, "10.0.0.1:80", {{{.until = kEnd}}});
  const auto holder = connect();
  holder->send(request("GET"));
  const auto waiting = connect();
  waiting->send(request("GET"), milliseconds(1900));
  EXPECT_EQ(waiting->received, "");
  wait(milliseconds(200));
  const std::string answer = waiting->take();
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_EQ(error_of(answer), "connection_limit_reached");
  EXPECT_NE(answer.find("queue_timeout"), std::string::npos) << answer;
}

TEST_F(RetryGroupTest, AClientThatWaitsAndGoesIsForgotten) {
  group().max_connections = 1;
  group().servers.pop_back();
  const ScriptedServer a(network, "10.0.0.1:80",
                         {{{.until = kEnd + "go", .answer = kOk}, {.until = kEnd, .answer = kOk}}});
  const auto holder = connect();
  holder->send(request("PUT", "Content-Length: 2\r\n\r\n"));
  const auto gone = connect();
  gone->send(request("GET"));
  const auto waiting = connect();
  waiting->send(request("GET"));
  gone->reset();
  wait(milliseconds(10));
  holder->send("go");
  EXPECT_EQ(status_of(waiting->take()), "200");
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(RetryGroupTest, NoServer) {
  group().ejection.max_share = 100;
  group().ejection.failures = 1;
  ask(request("GET"));
  const std::string answer = ask(request("GET"));
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_EQ(error_of(answer), "destination_unavailable");
  EXPECT_NE(answer.find("no_server"), std::string::npos) << answer;
  // And back, when they are given another chance.
  const ScriptedServer a(network, "10.0.0.1:80", {kAnswers});
  wait(seconds(10));
  EXPECT_EQ(status_of(ask(request("GET"))), "200");
}

TEST_F(RetryGroupTest, ALoginThatIsLost) {
  group().servers.pop_back();
  const ServerScript once = {{.until = kEnd, .answer = kOk}, {.until = kEnd, .then = Then::close}};
  const ScriptedServer a(network, "10.0.0.1:80", {once, kAnswers});
  const auto client = connect();
  client->send(request("GET", "Authorization: NTLM TlRMTVNTUAAB\r\n\r\n"));
  EXPECT_EQ(status_of(client->take()), "200");
  client->send(request("GET"), seconds(1));
  const std::string answer = client->take();
  EXPECT_EQ(status_of(answer), "502") << answer;
  EXPECT_EQ(error_of(answer), "connection_terminated");
  EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(a.connections(), 1U);  // never on another one
}

TEST_F(RetryGroupTest, TheEndOfALoginEndsTheClientsConnection) {
  group().servers.pop_back();
  ScriptedServer a(network, "10.0.0.1:80", {kAnswers});
  const auto client = connect();
  client->send(request("GET", "Authorization: Negotiate YII=\r\n\r\n"));
  EXPECT_EQ(status_of(client->take()), "200");
  wait(seconds(5));
  EXPECT_FALSE(client->ended);
  a.close(0);
  wait(seconds(1));
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(client->take(), "");
}

TEST_F(RetryGroupTest, AClientThatGoesEndsItsLogin) {
  group().servers.pop_back();
  const ScriptedServer a(network, "10.0.0.1:80", {kAnswers});
  {
    const auto client = connect();
    client->send(request("GET", "Authorization: NTLM TlRMTVNTUAAB\r\n\r\n"));
    EXPECT_FALSE(a.end(0));
    client->end();
    wait(seconds(1));
  }
  EXPECT_TRUE(a.end(0));
  EXPECT_EQ(pool().idle_count(), 0U);
}

TEST_F(RetryGroupTest, UnwantedStatusGoesToAnotherServer) {
  group().retry.on_status = {503};
  const ServerScript busy(
      4, {.until = kEnd, .answer = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"});
  const ScriptedServer a(network, "10.0.0.1:80", {busy});
  const ScriptedServer b(network, "10.0.0.2:80", {kAnswers});
  EXPECT_EQ(status_of(ask(request("GET"))), "200");
  EXPECT_EQ(status_of(ask(request("POST", "Content-Length: 0\r\n\r\n"))), "503");
  EXPECT_TRUE(a.end(0));
}

TEST_F(RetryGroupTest, PostGoesElsewhereWhenNoConnectionCouldBeMade) {
  const ScriptedServer b(network, "10.0.0.2:80", {kAnswers});
  EXPECT_EQ(status_of(ask(request("POST", "Content-Length: 2\r\n\r\nhi"))), "200");
}

}  // namespace
}  // namespace penstock
