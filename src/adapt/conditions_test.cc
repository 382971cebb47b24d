#include "adapt/conditions.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  std::string_view login = {};
};

bool match_response(const Conditions& conditions, int status, std::string_view type) {
  return conditions.match_message({.status = status, .content_type = type});
}

bool matches(const FilterConditions& settings, const Request& request) {
  ListenerSettings listener;
  listener.name = request.listener;
  ClientInfo client;
  client.listener = &listener;
  client.peer = Address::from_ip(request.client, 4711).value();
  return Conditions(settings).match_request({.client = client,
                                             .route = request.route,
                                             .host = request.host,
                                             .path_and_query = request.path,
                                             .method = request.method,
                                             .login = request.login});
}

TEST(Conditions, NoneAreForAll) {
  const Conditions none{FilterConditions{}};
  EXPECT_FALSE(none.need_message());
  EXPECT_FALSE(none.need_response());
  EXPECT_TRUE(none.match_request({.client = ClientInfo{},
                                  .route = "",
                                  .host = "",
                                  .path_and_query = "*",
                                  .method = "OPTIONS"}));
  EXPECT_TRUE(match_response(none, 200, ""));
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
  EXPECT_FALSE(named.match_request(
      {.client = ClientInfo{}, .route = "", .host = "", .path_and_query = "/", .method = "GET"}));
}

TEST(Conditions, OfResponses) {
  const Conditions errors{FilterConditions{.statuses = {"404", "5xx", "200-206"}}};
  EXPECT_TRUE(errors.need_response());
  EXPECT_TRUE(errors.need_message());
  for (const int status : {404, 500, 599, 200, 206}) {
    EXPECT_TRUE(match_response(errors, status, "")) << status;
  }
  for (const int status : {403, 405, 499, 207, 304}) {
    EXPECT_FALSE(match_response(errors, status, "")) << status;
  }
  const Conditions texts{FilterConditions{.content_types = {"application/json", "text/*"}}};
  EXPECT_TRUE(texts.need_response());
  EXPECT_TRUE(match_response(texts, 200, "text/html; charset=utf-8"));
  EXPECT_TRUE(match_response(texts, 200, "Application/JSON"));
  EXPECT_FALSE(match_response(texts, 200, "image/png"));
  EXPECT_FALSE(match_response(texts, 200, ""));
  const Conditions both{FilterConditions{.statuses = {"200"}, .content_types = {"text/*"}}};
  EXPECT_TRUE(match_response(both, 200, "text/plain"));
  EXPECT_FALSE(match_response(both, 404, "text/plain"));
  EXPECT_FALSE(match_response(both, 200, "image/png"));
}

// "alice:secret", "bob@staff:x"
constexpr std::string_view kAlice = "Basic YWxpY2U6c2VjcmV0";
constexpr std::string_view kBob = "basic  Ym9iQHN0YWZmOng=";

TEST(Conditions, UsersAreWhoTheClientSaysThatItIs) {
  EXPECT_TRUE(matches({.users = {"alice"}}, {.login = kAlice}));
  EXPECT_TRUE(matches({.users = {"*@staff"}}, {.login = kBob}));
  EXPECT_TRUE(matches({.users = {"*"}}, {.login = kBob}));
  EXPECT_FALSE(matches({.users = {"alice"}}, {.login = kBob}));
  EXPECT_FALSE(matches({.users = {"Alice"}}, {.login = kAlice}));
  EXPECT_FALSE(matches({.users = {"*"}}, {}));
  for (const std::string_view broken :
       {"Basic", "Basic ", "Basic YWxpY2U=", "Bearer YWxpY2U6c2VjcmV0", "Basic YWxp!2U6c2Vj",
        "Basic CToK"}) {
    EXPECT_FALSE(matches({.users = {"*"}}, {.login = broken})) << broken;
  }
}

TEST(Conditions, OfTheMessage) {
  const Conditions large({.size_over = 10});
  EXPECT_TRUE(large.need_message());
  EXPECT_FALSE(large.need_response());
  EXPECT_TRUE(large.match_message({.length = 11}));
  EXPECT_FALSE(large.match_message({.length = 10}));
  EXPECT_FALSE(large.match_message({}));
  const std::vector<Note> notes{{.name = "X-Attribute", .text = "deny"}};
  const auto noted = [&notes](std::string name, std::string value) {
    return Conditions({.noted = {{std::move(name), std::move(value)}}})
        .match_message({.notes = notes});
  };
  EXPECT_TRUE(noted("x-attribute", "deny"));
  EXPECT_TRUE(noted("X-Attribute", "d*"));
  EXPECT_FALSE(noted("X-Attribute", "Deny"));
  EXPECT_FALSE(noted("X-Other", "*"));
}

TEST(Conditions, OneIsEnoughToBeNamed) {
  const ClientInfo client;
  const RequestFacts request{.client = client,
                             .route = "app",
                             .host = "www.example",
                             .path_and_query = "/",
                             .method = "GET"};
  EXPECT_TRUE(Conditions({.routes = {"x"}, .hosts = {"*.example"}}).name_request(request));
  EXPECT_FALSE(Conditions({.routes = {"x"}, .hosts = {"*.test"}}).name_request(request));
  EXPECT_FALSE(Conditions(FilterConditions{}).name_request(request));
  const Conditions films({.size_over = 10, .content_types = {"video/*"}});
  EXPECT_TRUE(films.name_message({.status = 200, .content_type = "video/mp4"}));
  EXPECT_TRUE(films.name_message({.length = 11}));
  EXPECT_FALSE(films.name_message({.status = 200, .content_type = "text/html", .length = 10}));
  // A request is none of a type.
  EXPECT_FALSE(films.name_message({.content_type = "video/mp4"}));
}

}  // namespace
}  // namespace penstock
