#include "proxy/routes.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sim/network.h"

namespace penstock {
namespace {

// Which route the first match is, by the name of its group; empty for none.
std::string_view match(const RouteTable& table, std::string_view host, std::string_view path) {
  const Route* const route = table.match(ClientInfo{}, host, path);
  return route != nullptr ? std::string_view(route->group->name()) : std::string_view();
}

class RouteTableTest : public testing::Test {
 protected:
  RouteTableTest() {
    settings.groups = {{.name = "a", .servers = {{.address = "10.0.0.1"}}},
                       {.name = "b", .servers = {{.address = "10.0.0.2"}}}};
  }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings settings;
};

TEST_F(RouteTableTest, HostAndPath) {
  struct Case {
    const char* route_host;
    const char* route_path;
    const char* host;
    const char* path;
    bool matches;
  };
  for (const Case& c : {
           Case{"*", "/", "any.example", "/x", true},
           Case{"*", "/", "", "/", true},
           Case{"*", "/", "any.example", "*", true},  // OPTIONS *
           Case{"www.example", "/", "www.example", "/", true},
           Case{"www.example", "/", "WWW.Example", "/", true},
           Case{"WWW.Example", "/", "www.example", "/", true},
           Case{"www.example", "/", "www.example.org", "/", false},
           Case{"www.example", "/", "x.www.example", "/", false},
           Case{"www.example", "/", "", "/", false},
           Case{"*.example", "/", "www.example", "/", true},
           Case{"*.example", "/", "a.b.EXAMPLE", "/", true},
           Case{"*.example", "/", "example", "/", false},
           Case{"*.example", "/", ".example", "/", false},
           Case{"*.example", "/", "wwwexample", "/", false},
           Case{"*", "/app", "h", "/app", true},
           Case{"*", "/app", "h", "/app/", true},
           Case{"*", "/app", "h", "/app/x", true},
           Case{"*", "/app", "h", "/app?x", true},
           Case{"*", "/app", "h", "/application", false},
           Case{"*", "/app", "h", "/App", false},
           Case{"*", "/app", "h", "/", false},
           Case{"*", "/app", "h", "*", false},
           Case{"*", "/app/", "h", "/app/x", true},
           Case{"*", "/app/", "h", "/app", false},
           Case{"*", "/app", "h", "/x/app", false},
       }) {
    const std::vector<RouteSettings> routes = {
        {.host = c.route_host, .path = c.route_path, .to = "a"}};
    UpstreamShare share(settings);
    ServerSide servers(network, settings, share, 1);
    const RouteTable table(routes, servers);
    EXPECT_EQ(match(table, c.host, c.path), c.matches ? "a" : "")
        << c.route_host << c.route_path << " " << c.host << c.path;
  }
}

TEST_F(RouteTableTest, TheFirstMatchCounts) {
  const std::vector<RouteSettings> routes = {{.host = "x", .path = "/p", .to = "a"},
                                             {.host = "*", .path = "/p", .to = "b"},
                                             {.host = "x", .path = "/", .to = "b"}};
  UpstreamShare share(settings);
  ServerSide servers(network, settings, share, 1);
  const RouteTable table(routes, servers);
  EXPECT_EQ(match(table, "x", "/p"), "a");
  EXPECT_EQ(match(table, "y", "/p"), "b");
  EXPECT_EQ(match(table, "x", "/"), "b");
  EXPECT_EQ(match(table, "y", "/"), "");
  EXPECT_EQ(table.match(ClientInfo{}, "x", "/p")->settings, routes.data());
}

TEST_F(RouteTableTest, ListenerAndProof) {
  const std::vector<RouteSettings> routes = {
      {.listeners = {"x", "y"}, .client = ClientProof::certificate, .to = "a"},
      {.listeners = {"y"}, .to = "b"},
      {.client = ClientProof::none, .path = "/open", .to = "a"},
      {.client = ClientProof::certificate, .path = "/open", .to = "b"}};
  UpstreamShare share(settings);
  ServerSide servers(network, settings, share, 1);
  const RouteTable table(routes, servers);
  const auto matched = [&table](const char* listener, bool tls, bool certificate,
                                const char* path) {
    const ListenerSettings settings{.name = listener};
    const auto facts = std::make_shared<ConnectionFacts>();
    if (tls) facts->tls.emplace().fingerprint = certificate ? "ab" : "";
    const ClientInfo client{.listener = &settings, .facts = tls ? facts : nullptr};
    const Route* const route = table.match(client, "h", path);
    return route != nullptr ? route->group->name() : std::string();
  };
  EXPECT_EQ(matched("x", true, true, "/"), "a");
  EXPECT_EQ(matched("y", true, true, "/"), "a");
  EXPECT_EQ(matched("y", true, false, "/"), "b");
  EXPECT_EQ(matched("y", false, false, "/"), "b");
  EXPECT_EQ(matched("x", true, false, "/"), "");
  EXPECT_EQ(matched("z", true, true, "/"), "");
  EXPECT_EQ(matched("", false, false, "/"), "");
  EXPECT_EQ(matched("z", false, false, "/open"), "a");
  EXPECT_EQ(matched("z", true, false, "/open"), "a");
  EXPECT_EQ(matched("z", true, true, "/open"), "b");
}

TEST_F(RouteTableTest, RoutesOfAGroupShareItsTurn) {
  const std::vector<RouteSettings> routes = {{.path = "/1", .to = "a"}, {.path = "/2", .to = "a"}};
  UpstreamShare share(settings);
  ServerSide servers(network, settings, share, 1);
  const RouteTable table(routes, servers);
  EXPECT_EQ(table.match(ClientInfo{}, "", "/1")->group, table.match(ClientInfo{}, "", "/2")->group);
}

}  // namespace
}  // namespace penstock
