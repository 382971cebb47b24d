// Connections to the servers of an ICAP service: bounds, and what is done when they are reached.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "icap/service_worlds_test.h"

namespace penstock::icap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ServiceConnectTest : public ServiceTest {
 protected:
  // Connections that are open at present, as the server sees it.
  static std::size_t open(const ScriptedServer& server) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < server.connections(); ++i) count += server.end(i) ? 0U : 1U;
    return count;
  }
  std::unique_ptr<ScriptedServer> serve_bounded(int most) {
    return serve(options_answer(fmt::format("Max-Connections: {}\r\nOptions-TTL: 3600\r\n", most)));
  }
};

TEST_F(ServiceConnectTest, TheLastUsedFirst) {
  const auto server = serve(options_answer());
  const Asked first = get();
  const Asked second = get();
  EXPECT_EQ(server->connections(), 2U);
  first->give_back();
  second->give_back();
  for (int i = 0; i < 5; ++i) {
    const Asked message = get();
    EXPECT_TRUE(message->lease->reused());
    message->give_back();
  }
  EXPECT_EQ(server->connections(), 2U);
  const Asked fresh = ask(0, true, true);
  wait(milliseconds(20));
  ASSERT_FALSE(fresh->fault());
  EXPECT_FALSE(fresh->lease->reused());
  EXPECT_EQ(server->connections(), 3U);
}

TEST_F(ServiceConnectTest, AnotherServerWhereOneRefuses) {
  settings.servers = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
  const auto three = serve(options_answer(), "10.0.0.3:1344");
  std::vector<Asked> messages;
  for (int i = 0; i < 6; ++i) {
    messages.push_back(get());
    ASSERT_FALSE(messages.back()->fault());
    EXPECT_EQ(messages.back()->choice.hop->share->identity(), "10.0.0.3:1344");
  }
}

TEST_F(ServiceConnectTest, AllRefuse) {
  settings.servers = {"10.0.0.1", "10.0.0.2"};
  auto server = serve(options_answer("Options-TTL: 3600\r\n"));
  get()->drop();
  server.reset();
  const Asked message = get();
  ASSERT_EQ(message->fault(), Fault::connection);
  EXPECT_EQ(message->lease.error().error.kind, ErrorKind::refused);
  // The breaker counts what callers note.
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(share->down());
    worker().service.note_failure(message->lease.error(), message->choice);
  }
  EXPECT_TRUE(share->down());
}

TEST_F(ServiceConnectTest, AServerThatFailsIsLeftAlone) {
  settings.servers = {"10.0.0.1", "10.0.0.2"};
  const auto one = serve(options_answer("Options-TTL: 3600\r\n"));
  const auto two = serve(options_answer("Options-TTL: 3600\r\n"), "10.0.0.2:1344");
  const Asked first = get();
  for (int i = 0; i < 5; ++i) {
    worker().service.note_failure({.fault = Fault::connection}, first->choice);
  }
  const Asked second = get();
  const Asked third = get();
  EXPECT_NE(second->choice.hop, first->choice.hop);
  EXPECT_NE(third->choice.hop, first->choice.hop);
  // The last one is never left alone.
  for (int i = 0; i < 4; ++i) {
    worker().service.note_failure({.fault = Fault::connection}, second->choice);
  }
  EXPECT_FALSE(get()->fault());
}

TEST_F(ServiceConnectTest, AnOnlyServerIsNeverLeftAlone) {
  settings.breaker.failures = 0;
  const auto server = serve(options_answer("Options-TTL: 3600\r\n"));
  const Asked first = get();
  for (int i = 0; i < 50; ++i) {
    worker().service.note_failure({.fault = Fault::connection}, first->choice);
  }
  EXPECT_FALSE(get()->fault());
}

// ---- Bounds.

TEST_F(ServiceConnectTest, MaxConnectionsOfAllWorkers) {
  const auto server = serve_bounded(3);
  worker(2);
  wait(milliseconds(20));
  std::vector<Asked> messages;
  for (std::size_t i = 0; i < 12; ++i) messages.push_back(ask(i % 3));
  std::size_t served = 0;
  std::size_t most = 0;
  for (int round = 0; round < 100 && served < 12; ++round) {
    wait(milliseconds(20));
    most = std::max(most, open(*server));
    for (const Asked& message : messages) {
      if (!message->done || !message->lease) continue;
      message->give_back();
      ++served;
      break;
    }
  }
  EXPECT_EQ(served, 12U);
  EXPECT_EQ(most, 3U);
}

TEST_F(ServiceConnectTest, MaxConnectionsOfTheSettingsCountInstead) {
  settings.max_connections = 1;
  settings.queue.timeout = seconds(2);
  const auto server = serve_bounded(3);
  const Asked first = get();
  const Asked second = ask();
  wait(seconds(3));
  EXPECT_EQ(second->fault(), Fault::overloaded);
  EXPECT_EQ(server->connections(), 1U);
}

TEST_F(ServiceConnectTest, QueueIsBounded) {
  settings.queue.length = 1;
  const auto server = serve_bounded(1);
  const Asked first = get();
  const Asked second = ask();
  const Asked third = ask();
  wait(milliseconds(1));
  EXPECT_FALSE(second->done);
  EXPECT_EQ(third->fault(), Fault::overloaded);
  first->give_back();
  wait(milliseconds(20));
  EXPECT_FALSE(second->fault());
}

TEST_F(ServiceConnectTest, ABoundThatBecomesSmaller) {
  ScriptedServer server(network, "10.0.0.1:1344",
                        {{{"\r\n\r\n", options_answer("Options-TTL: 10\r\n")},
                          {"\r\n\r\n", options_answer("Max-Connections: 2\r\n")}},
                         {}});
  settings.pool.idle = seconds(100);
  std::vector<Asked> messages;
  for (int i = 0; i < 6; ++i) messages.push_back(get());
  EXPECT_EQ(open(server), 6U);
  for (std::size_t i = 0; i < 4; ++i) messages[3 - i]->give_back();
  wait(seconds(10));  // idle ones are closed
  EXPECT_EQ(share->generation(), 2U);
  EXPECT_EQ(open(server), 2U);
  EXPECT_TRUE(worker().group.hops().front()->share->full());
  messages[4]->give_back();
  messages[5]->give_back();
  EXPECT_EQ(worker().pool.idle_count(), 2U);
}

TEST_F(ServiceConnectTest, ABoundThatBecomesLarger) {
  ScriptedServer server(network, "10.0.0.1:1344",
                        {{{"\r\n\r\n", options_answer("Max-Connections: 2\r\nOptions-TTL: 3\r\n")},
                          {"\r\n\r\n", options_answer("Max-Connections: 3\r\n")}},
                         {}});
  const Asked first = get();
  first->give_back();
  const Asked second = get();
  const Asked third = get();
  second->give_back();  // for the lookup
  const Asked fourth = ask();
  wait(milliseconds(20));
  ASSERT_FALSE(fourth->fault());
  fourth->give_back();
  wait(seconds(3));
  EXPECT_EQ(get()->fault(), std::nullopt);
  EXPECT_EQ(worker().group.hops().front()->share->max_connections(), 3U);
}

// A connection that another worker has idle is of no use to a service with few connections.
TEST_F(ServiceConnectTest, IdleElsewhereIsGivenUp) {
  for (const OverloadPolicy policy : {OverloadPolicy::wait, OverloadPolicy::bypass,
                                      OverloadPolicy::refuse, OverloadPolicy::force}) {
    settings.on_overload = policy;
    const auto server = serve_bounded(1);
    worker(1);
    get(0)->give_back();
    EXPECT_EQ(worker(0).pool.idle_count(), 1U);
    const Asked message = ask(1);
    wait(milliseconds(40));
    EXPECT_TRUE(message->done);
    EXPECT_FALSE(message->fault());
    EXPECT_EQ(worker(0).pool.idle_count(), 0U);
    EXPECT_EQ(open(*server), 1U);
    message->drop();
    workers.clear();
    share.reset();
  }
}

TEST_F(ServiceConnectTest, OverloadIsSaidAtOnce) {
  for (const OverloadPolicy policy : {OverloadPolicy::bypass, OverloadPolicy::refuse}) {
    settings.on_overload = policy;
    const auto server = serve_bounded(2);
    const Asked first = get();
    const Asked second = get();
    const Asked third = ask();
    EXPECT_TRUE(third->done);
    EXPECT_EQ(third->fault(), Fault::overloaded);
    // That is nothing against the service.
    for (int i = 0; i < 100; ++i) {
      worker().service.note_failure(third->lease.error(), third->choice);
    }
    EXPECT_FALSE(share->down());
    first->give_back();
    EXPECT_FALSE(get()->fault());
    second->drop();
    workers.clear();
    share.reset();
  }
}

TEST_F(ServiceConnectTest, OneMoreByForce) {
  settings.on_overload = OverloadPolicy::force;
  const auto server = serve_bounded(1);
  const Asked first = get();
  const Asked second = get();
  const Asked third = get();
  EXPECT_FALSE(second->fault());
  EXPECT_FALSE(third->fault());
  EXPECT_EQ(open(*server), 3U);
  // They do not stay beyond the bound.
  second->give_back();
  first->give_back();
  wait(milliseconds(20));
  EXPECT_EQ(open(*server), 1U);
  third->give_back();
  wait(milliseconds(20));
  EXPECT_EQ(open(*server), 1U);
  EXPECT_EQ(worker().pool.idle_count(), 1U);
}

TEST_F(ServiceConnectTest, ForceTakesTheServerWithTheFewestConnections) {
  settings.on_overload = OverloadPolicy::force;
  settings.max_connections = 1;
  settings.servers = {"10.0.0.1", "10.0.0.2"};
  const auto one = serve(options_answer());
  const auto two = serve(options_answer(), "10.0.0.2:1344");
  std::vector<Asked> messages;
  for (int i = 0; i < 6; ++i) messages.push_back(get());
  EXPECT_EQ(open(*one), 3U);
  EXPECT_EQ(open(*two), 3U);
}

// A lookup that gets no connection says nothing of the service.
TEST_F(ServiceConnectTest, LookupsWaitAsMessagesDo) {
  settings.queue.timeout = seconds(1);
  const auto server = serve(options_answer("Max-Connections: 1\r\nOptions-TTL: 5\r\n"));
  const Asked message = get();
  wait(seconds(100));
  EXPECT_EQ(lookups(*server), 1U);
  EXPECT_FALSE(share->down());
  message->give_back();
  wait(seconds(3));
  EXPECT_EQ(lookups(*server), 2U);
}

}  // namespace
}  // namespace penstock::icap
