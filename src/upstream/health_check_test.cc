#include "upstream/health_check.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "upstream/upstream_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kEnd(kHeadEnd);

class HealthCheckTest : public UpstreamTest {
 protected:
  // What one check says; none: it did not end in the time that it may take.
  std::optional<bool> check(const std::string& server = "10.0.0.1:80") {
    NextHop hop({.address = server}, group);
    std::optional<bool> good;
    scope.spawn(run(pool, hop, check_settings, good));
    const TimePoint start = world.now();
    while (!good && world.now() - start <= check_settings.timeout) world.run_for(milliseconds(1));
    took = world.now() - start;
    EXPECT_EQ(hop.share->connections(), 0U);
    return good;
  }
  std::optional<bool> check_answer(std::string answer, Then then = Then::go_on) {
    const ScriptedServer server(network, "10.0.0.1:80",
                                {{{.until = kEnd, .answer = std::move(answer), .then = then}}});
    const auto good = check();
    world.run_for(milliseconds(5));
    EXPECT_TRUE(server.end(0) || then != Then::go_on);  // no connection is left
    EXPECT_EQ(pool.idle_count(), 0U);
    return good;
  }
  static Task<void> run(ServerPool& pool, const NextHop& hop, const CheckSettings& settings,
                        std::optional<bool>& good) {
    const bool result = co_await check_health(pool, hop, settings);
    good = result;
  }

  CheckSettings check_settings{.kind = CheckKind::http};
  UpstreamGroupSettings group_settings;
  GroupShare group{group_settings};
  Duration took{};
};

TEST_F(HealthCheckTest, Request) {
  check_settings.path = "/health?deep";
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kEnd, .answer = std::string(kOk)}}});
  EXPECT_EQ(check(), true);
  EXPECT_EQ(server.received(0),
            "GET /health?deep HTTP/1.1\r\n"
            "Host: 10.0.0.1:80\r\n"
            "User-Agent: Penstock health check\r\n"
            "Connection: close\r\n\r\n");
}

TEST_F(HealthCheckTest, RequestAsConfigured) {
  check_settings.method = "HEAD";
  check_settings.host = "www.example.com";
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}}});
  EXPECT_EQ(check(), true);
  EXPECT_TRUE(server.received(0).starts_with("HEAD / HTTP/1.1\r\nHost: www.example.com\r\n"));
}

TEST_F(HealthCheckTest, Statuses) {
  const auto answer = [](int status) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n";
  };
  for (const int good : {200, 204, 301, 399}) EXPECT_EQ(check_answer(answer(good)), true) << good;
  for (const int bad : {400, 404, 500, 503}) EXPECT_EQ(check_answer(answer(bad)), false) << bad;
  check_settings.status = {404, 200};
  EXPECT_EQ(check_answer(answer(404)), true);
  EXPECT_EQ(check_answer(answer(200)), true);
  EXPECT_EQ(check_answer(answer(204)), false);
}

TEST_F(HealthCheckTest, Content) {
  check_settings.body = "all is well";
  const std::string head = "HTTP/1.1 200 OK\r\n";
  const auto counted = [&](const std::string& content) {
    return head + "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content;
  };
  EXPECT_EQ(check_answer(counted("Today all is well here.")), true);
  EXPECT_EQ(check_answer(counted("Today all is not well.")), false);
  EXPECT_EQ(check_answer(counted("")), false);
  EXPECT_EQ(check_answer(
                head + "Transfer-Encoding: chunked\r\n\r\n6\r\nall is\r\n5\r\n well\r\n0\r\n\r\n"),
            true);
  EXPECT_EQ(check_answer(head + "\r\nall is well", Then::close), true);
  // It need not have read the whole to know, but does not look through everything either.
  EXPECT_EQ(check_answer(counted(std::string(300'000, 'x') + "all is well")), false);
}

TEST_F(HealthCheckTest, WhatIsNoAnswer) {
  EXPECT_EQ(check_answer("", Then::close), false);
  EXPECT_EQ(check_answer("", Then::reset), false);
  EXPECT_EQ(check_answer("HTTP/1.1 2", Then::close), false);
  EXPECT_EQ(check_answer("SSH-2.0-x\r\n\r\n"), false);
  EXPECT_EQ(check_answer("HTTP/1.1 100 Continue\r\n\r\n", Then::close), false);
  EXPECT_EQ(check_answer("HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            true);
}

TEST_F(HealthCheckTest, NobodyListens) {
  EXPECT_EQ(check(), false);
  EXPECT_EQ(took, milliseconds(2));
}

TEST_F(HealthCheckTest, TimeIsOfTheCheckAsAWhole) {
  check_settings.timeout = seconds(2);
  world.script(Address::parse("10.0.0.1:80").value(), {.connect = Fate::Connect::vanish});
  EXPECT_EQ(check(), false);
  EXPECT_EQ(took, seconds(2));
  check_settings.body = "x";
  for (const char* begun : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}) {
    EXPECT_EQ(check_answer(begun), false) << begun;
    EXPECT_EQ(took, seconds(2)) << begun;
  }
}

TEST_F(HealthCheckTest, Tcp) {
  check_settings.kind = CheckKind::tcp;
  EXPECT_EQ(check(), false);
  const ScriptedServer server(network, "10.0.0.1:80", {{}});
  EXPECT_EQ(check(), true);
  world.run_for(milliseconds(5));
  EXPECT_EQ(server.received(0), "");
  EXPECT_TRUE(server.end(0));
}

TEST_F(HealthCheckTest, Cancelled) {
  const ScriptedServer server(network, "10.0.0.1:80", {{}});
  NextHop hop({.address = "10.0.0.1:80"}, group);
  std::optional<bool> good;
  scope.spawn(run(pool, hop, check_settings, good));
  world.run_for(milliseconds(10));
  scope.cancel();
  world.run_for(milliseconds(10));
  EXPECT_EQ(good, false);
  EXPECT_TRUE(server.end(0));
}

}  // namespace
}  // namespace penstock
