// A group whose servers come from SRV records, while those change.
#include <chrono>
#include <utility>

#include <gtest/gtest.h>

#include "async/sleep.h"
#include "upstream/scripted_server_test.h"
#include "upstream/server_side.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ServiceChangeTest : public testing::Test {
 protected:
  ServiceChangeTest() {
    world.set_name("one.test", {.ips = {"10.0.0.1"}});
    world.set_name("two.test", {.ips = {"10.0.0.2"}, .delay = seconds(1)});
    point_to("one.test");
  }

  void point_to(const std::string& host) {
    world.set_service("_http._tcp.a", {.targets = {{.host = host, .port = 80}}, .ttl = seconds(1)});
  }
  static UpstreamSettings make_settings() {
    UpstreamSettings settings;
    settings.groups.push_back({.name = "a", .servers = {}, .service = "_http._tcp.a"});
    return settings;
  }
  // Acquires a connection, again and again; how often that failed.
  static Task<void> keep_acquiring(ServerSide& side, int times, int& failed) {
    Executor& executor = side.pool().executor();
    for (int i = 0; i < times; ++i) {
      Choice choice;
      const auto lease = co_await side.group("a")->acquire(choice, true);
      failed += lease ? 0 : 1;
      co_await sleep_until(executor.now() + milliseconds(50));
    }
  }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings settings = make_settings();
  UpstreamShare share{settings};
  ServerSide side{network, settings, share, 1};
  ScriptedServer one{network, "10.0.0.1:80", {{}}};
  ScriptedServer two{network, "10.0.0.2:80", {{}}};
};

TEST_F(ServiceChangeTest, TheOldServersServeUntilTheNewOnesAreFound) {
  side.start(false);
  Scope scope(world.executor());
  int failed = 0;
  scope.spawn(keep_acquiring(side, 100, failed));
  world.run_for(seconds(1));
  point_to("two.test");
  world.run_for(seconds(20));
  EXPECT_EQ(failed, 0);
  EXPECT_GT(one.connections(), 0U);
  EXPECT_GT(two.connections(), 0U);
  scope.spawn(side.stop());
  world.run_for(seconds(1));
}

TEST_F(ServiceChangeTest, NewServersThatAreNowhereReplaceNone) {
  side.start(false);
  Scope scope(world.executor());
  int failed = 0;
  scope.spawn(keep_acquiring(side, 400, failed));
  world.run_for(seconds(1));
  point_to("nowhere.test");
  world.run_for(seconds(20));
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(side.group("a")->hops().front()->name(), "one.test");
  // It is asked again: when they are somewhere, they are used.
  world.set_name("nowhere.test", {.ips = {"10.0.0.2"}});
  world.run_for(seconds(60));
  EXPECT_EQ(side.group("a")->hops().front()->name(), "nowhere.test");
  scope.spawn(side.stop());
  world.run_for(seconds(1));
}

}  // namespace
}  // namespace penstock
