#include "upstream/group.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/network.h"

namespace penstock {
namespace {

using std::chrono::seconds;

class ServerGroupTest : public testing::Test {
 protected:
  struct Got {
    Result<std::vector<std::string>> addresses = fail(ErrorKind::io);
    AcquireOrder order{};
  };

  static Task<void> ask(ServerGroup& group, Network& network, TimePoint deadline, Got& got) {
    auto candidates = co_await group.candidates(network, deadline);
    if (!candidates) {
      got.addresses = fail(candidates.error());
      co_return;
    }
    got.order = candidates->order;
    got.addresses.emplace();
    for (const Address& address : candidates->addresses) {
      got.addresses->push_back(address.to_string());
    }
  }
  Got ask(ServerGroup& group) {
    Got got;
    scope.spawn(ask(group, network, world.now() + seconds(5), got));
    world.run_for(seconds(6));
    return got;
  }
  std::vector<std::string> next(ServerGroup& group) {
    const Got got = ask(group);
    return got.addresses.value_or(std::vector<std::string>{});
  }

  using Texts = std::vector<std::string>;
  SimWorld world{1};
  SimNetwork network{world};
  Scope scope{world.executor()};
};

TEST_F(ServerGroupTest, EachTurnStartsWithTheNext) {
  ServerGroup group({.name = "g", .servers = {"10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"}});
  EXPECT_EQ(group.name(), "g");
  const Texts first = next(group);
  ASSERT_EQ(first.size(), 3U);
  Texts expected = first;
  for (int i = 0; i < 7; ++i) {
    std::rotate(expected.begin(), expected.begin() + 1, expected.end());
    EXPECT_EQ(next(group), expected) << i;
    EXPECT_EQ(group.turn_name(), expected.front());
  }
  EXPECT_EQ(ask(group).order, AcquireOrder::in_order);
}

TEST_F(ServerGroupTest, OneServer) {
  ServerGroup group({.name = "g", .servers = {"10.0.0.1"}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(next(group), Texts{"10.0.0.1:80"});
  EXPECT_EQ(group.turn_name(), "10.0.0.1");
}

TEST_F(ServerGroupTest, WaysToNameAServer) {
  world.set_name("web.example", {.ips = {"10.0.0.9"}});
  struct Case {
    const char* server;
    Texts addresses;
    const char* turn_name;
  };
  const std::vector<Case> cases = {
      {"10.0.0.1", {"10.0.0.1:80"}, "10.0.0.1"},
      {"10.0.0.1:8080", {"10.0.0.1:8080"}, "10.0.0.1:8080"},
      {"[2001:db8::1]", {"[2001:db8::1]:80"}, "[2001:db8::1]"},
      {"[2001:db8::1]:8080", {"[2001:db8::1]:8080"}, "[2001:db8::1]:8080"},
      {"unix:/run/web.sock", {"unix:/run/web.sock"}, "localhost"},
      {"unix:/run/a:80", {"unix:/run/a:80"}, "localhost"},
      {"web.example", {"10.0.0.9:80"}, "web.example"},
      {"web.example:8080", {"10.0.0.9:8080"}, "web.example:8080"},
      {"WEB.example:1", {"10.0.0.9:1"}, "WEB.example:1"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.server);
    ServerGroup group({.name = "g", .servers = {c.server}});
    EXPECT_EQ(next(group), c.addresses);
    EXPECT_EQ(group.turn_name(), c.turn_name);
  }
}

TEST_F(ServerGroupTest, NamesAreResolvedEachTime) {
  world.set_name("web.example", {.ips = {"10.0.0.1", "10.0.0.2"}});
  ServerGroup group({.name = "g", .servers = {"web.example:81", "unix:/run/x", "10.0.0.3"}});
  Texts all = {"10.0.0.1:81", "10.0.0.2:81", "unix:/run/x", "10.0.0.3:80"};
  for (int i = 0; i < 3; ++i) {
    Texts got = next(group);
    EXPECT_EQ(got.size(), 4U);
    std::sort(got.begin(), got.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(got, all);
  }
  world.set_name("web.example", {.ips = {"10.0.0.7"}});
  EXPECT_EQ(next(group).size(), 3U);
}

TEST_F(ServerGroupTest, RotationAmongNames) {
  world.set_name("a", {.ips = {"10.0.0.1"}});
  world.set_name("b", {.ips = {"10.0.0.2"}});
  ServerGroup group({.name = "g", .servers = {"a", "b"}});
  const Texts first = next(group);
  const Texts second = next(group);
  EXPECT_EQ(first.size(), 2U);
  EXPECT_EQ(second, (Texts{first[1], first[0]}));
  EXPECT_EQ(next(group), first);
}

TEST_F(ServerGroupTest, NameThatIsUnknownLeavesTheOthers) {
  ServerGroup group({.name = "g", .servers = {"nowhere.example", "10.0.0.1:80"}});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(next(group), Texts{"10.0.0.1:80"});
}

TEST_F(ServerGroupTest, FailsWhenNoNameCanBeResolved) {
  world.set_name("slow.example", {.answered = false});
  struct Case {
    const char* name;
    ErrorKind kind;
  };
  for (const Case& c : {Case{"nowhere.example", ErrorKind::resolve_failed},
                        Case{"slow.example", ErrorKind::timed_out}}) {
    ServerGroup group({.name = "g", .servers = {c.name}});
    const Got got = ask(group);
    ASSERT_FALSE(got.addresses);
    EXPECT_EQ(got.addresses.error().kind, c.kind);
    EXPECT_EQ(got.addresses.error().side, Side::server);
  }
}

}  // namespace
}  // namespace penstock
