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

}  // namespace
}  // namespace penstock
