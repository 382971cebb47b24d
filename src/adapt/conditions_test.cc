#include "adapt/conditions.h"

#include <optional>
#include <string_view>

#include <gtest/gtest.h>

namespace penstock {
namespace {

// A request that each test changes in one point.
struct Request {
  std::string_view listener = "public";
  std::string_view client = "192.0.2.7";
  std::string_view route = "app";
  std::string_view host = "www.example";
  std::string_view path = "/api/x?y";
  std::string_view method = "GET";
};

bool matches(const FilterConditions& settings, const Request& request) {
  ListenerSettings listener;
  listener.name = request.listener;
  ClientInfo client;
  client.listener = &listener;
  client.peer = Address::from_ip(request.client, 4711).value();
  return Conditions(settings).matches_request(client, request.route, request.host, request.path,
                                              request.method);
}

TEST(Conditions, NoneAreForAll) {
  const Conditions none{FilterConditions{}};
  EXPECT_TRUE(none.empty());
  EXPECT_FALSE(none.needs_response());
  EXPECT_TRUE(none.matches_request(ClientInfo{}, "", "", "*", "OPTIONS"));
  EXPECT_TRUE(none.matches_response(200, ""));
}

TEST(Conditions, OfAListOneHasToMatch) {
  EXPECT_TRUE(matches({.listeners = {"inner", "public"}}, {}));
  EXPECT_FALSE(matches({.listeners = {"inner"}}, {}));
  EXPECT_TRUE(matches({.routes = {"x", "app"}}, {}));
  EXPECT_FALSE(matches({.routes = {"x"}}, {}));
  EXPECT_FALSE(matches({.routes = {"x"}}, {.route = ""}));
  EXPECT_TRUE(matches({.methods = {"POST", "GET"}}, {}));
  EXPECT_FALSE(matches({.methods = {"POST"}}, {}));
  EXPECT_FALSE(matches({.methods = {"GET"}}, {.method = "get"}));  // RFC 9110 section 9.1
}

TEST(Conditions, HostsAndPathsAreThoseOfRoutes) {
  EXPECT_TRUE(matches({.hosts = {"other.example", "*.example"}}, {}));
  EXPECT_TRUE(matches({.hosts = {"WWW.example"}}, {}));
  EXPECT_FALSE(matches({.hosts = {"example"}}, {}));
  EXPECT_FALSE(matches({.hosts = {"*.example"}}, {.host = ""}));
  EXPECT_TRUE(matches({.paths = {"/static", "/api"}}, {}));
  EXPECT_TRUE(matches({.paths = {"/api"}}, {.path = "/api?y"}));
  EXPECT_FALSE(matches({.paths = {"/api"}}, {.path = "/apix"}));
}

TEST(Conditions, ClientsAreNetworks) {
  EXPECT_TRUE(matches({.clients = {"unix", "192.0.2.0/24"}}, {}));
  EXPECT_TRUE(matches({.clients = {"192.0.2.7"}}, {}));
  EXPECT_TRUE(matches({.clients = {"192.0.2.0/24"}}, {.client = "::ffff:192.0.2.7"}));
  EXPECT_FALSE(matches({.clients = {"192.0.2.8/29", "2001:db8::/32"}}, {}));
}

// Whoever is to be kept out must not get in by another spelling.
TEST(Conditions, OtherSpellingsOfHostsAndPaths) {
  const FilterConditions admin{.paths = {"/admin"}};
  for (const char* path :
       {"/admin", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/admi%6e/x", "/admin;x",
        "/admin%2f", "/x/%2e%2e/admin?y", "\\admin", "/x/..;/admin", "/admin/."}) {
    EXPECT_TRUE(matches(admin, {.path = path})) << path;
  }
  for (const char* path :
       {"/administrator", "/x?/admin", "/admin/../x", "/%2561dmin", "/x%3f/admin"}) {
    EXPECT_EQ(matches(admin, {.path = path}), std::string_view(path) == "/admin/../x") << path;
  }
  EXPECT_TRUE(matches({.hosts = {"games.example"}}, {.host = "games.example."}));
  EXPECT_TRUE(matches({.hosts = {"*.games.example"}}, {.host = "a.games.example."}));
}

TEST(Conditions, AllKindsHaveToMatch) {
  const FilterConditions both{.hosts = {"www.example"}, .methods = {"GET"}};
  EXPECT_TRUE(matches(both, {}));
  EXPECT_FALSE(matches(both, {.method = "PUT"}));
  EXPECT_FALSE(matches(both, {.host = "x.example"}));
}

TEST(Conditions, AConnectionOfNoListenerIsOfNoneThatIsNamed) {
  const Conditions named{FilterConditions{.listeners = {"public"}}};
  EXPECT_FALSE(named.empty());
  EXPECT_FALSE(named.matches_request(ClientInfo{}, "", "", "/", "GET"));
}

TEST(Conditions, OfResponses) {
  const Conditions errors{FilterConditions{.statuses = {"404", "5xx", "200-206"}}};
  EXPECT_TRUE(errors.needs_response());
  EXPECT_FALSE(errors.empty());
  for (const int status : {404, 500, 599, 200, 206}) {
    EXPECT_TRUE(errors.matches_response(status, "")) << status;
  }
  for (const int status : {403, 405, 499, 207, 304}) {
    EXPECT_FALSE(errors.matches_response(status, "")) << status;
  }
  const Conditions texts{FilterConditions{.content_types = {"application/json", "text/*"}}};
  EXPECT_TRUE(texts.needs_response());
  EXPECT_TRUE(texts.matches_response(200, "text/html; charset=utf-8"));
  EXPECT_TRUE(texts.matches_response(200, "Application/JSON"));
  EXPECT_FALSE(texts.matches_response(200, "image/png"));
  EXPECT_FALSE(texts.matches_response(200, ""));
  const Conditions both{FilterConditions{.statuses = {"200"}, .content_types = {"text/*"}}};
  EXPECT_TRUE(both.matches_response(200, "text/plain"));
  EXPECT_FALSE(both.matches_response(404, "text/plain"));
  EXPECT_FALSE(both.matches_response(200, "image/png"));
}

}  // namespace
}  // namespace penstock
