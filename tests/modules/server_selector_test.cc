#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

SettingTable choice(const std::string& name, const std::vector<std::string>& values, double share) {
  return {
      {"name", {name}}, {"values", {values}}, {"share", {share}}, {"upstream", {"app-" + name}}};
}

SettingTable settings(const std::string& key, const std::string& cookie,
                      const std::vector<SettingTable>& choices) {
  return {{"key", {key}}, {"cookie", {cookie}}, {"choice", {choices}}};
}

Request with(const std::string& name, const std::string& value) {
  Request request;
  request.fields = {{name, value}};
  return request;
}

TEST(ServerSelector, ChoosesByValue) {
  const auto upstream = [](const std::string& key, const Request& request) {
    Host host("server_selector", settings(key, "", {choice("beta", {"beta", "test-*"}, 0)}));
    EXPECT_EQ(host.refused, "");
    return host.run(request, Response{}).upstream;
  };
  EXPECT_EQ(upstream("header:X-Group", with("x-group", "beta")), "app-beta");
  EXPECT_EQ(upstream("header:X-Group", with("x-group", "test-7")), "app-beta");
  EXPECT_EQ(upstream("header:X-Group", with("x-group", "betamax")), "app");
  EXPECT_EQ(upstream("header:X-Group", Request{}), "app");
  EXPECT_EQ(upstream("cookie:g", with("Cookie", "a=1; g=beta;b=2")), "app-beta");
  EXPECT_EQ(upstream("cookie:g", with("Cookie", "ag=beta")), "app");
  Request request;
  request.path = "test-x";
  EXPECT_EQ(upstream("path", request), "app-beta");
  request.client = "test-client";
  EXPECT_EQ(upstream("client", request), "app-beta");
}

TEST(ServerSelector, SplitsByShareAndKeepsToIt) {
  Host host("server_selector",
            settings("header:User", "", {choice("a", {}, 20), choice("b", {}, 30)}));
  std::map<std::string, int> counts;
  for (int i = 0; i < 5000; ++i) {
    const Request request = with("User", "user" + std::to_string(i));
    const std::string upstream = host.run(request, Response{}).upstream;
    EXPECT_EQ(host.run(request, Response{}).upstream, upstream);
    ++counts[upstream];
  }
  EXPECT_NEAR(counts["app-a"], 1000, 100);
  EXPECT_NEAR(counts["app-b"], 1500, 120);
  EXPECT_NEAR(counts["app"], 2500, 150);
}

TEST(ServerSelector, RemembersWhatWasDrawn) {
  Host host("server_selector", settings("header:User", "release", {choice("beta", {}, 50)}));
  std::map<std::string, int> counts;
  for (int i = 0; i < 200; ++i) {
    const Outcome outcome = host.run(Request{}, Response{});
    const bool beta = outcome.upstream == "app-beta";
    const std::string cookie = beta ? "release=beta" : "release=-";
    EXPECT_EQ(field(outcome.to_client.fields, "Set-Cookie"),
              cookie + "; Path=/; HttpOnly; SameSite=Lax");
    EXPECT_EQ(field(outcome.record, "choice"), beta ? "beta" : "-");
    const Outcome again = host.run(with("Cookie", cookie), Response{});
    EXPECT_EQ(again.upstream, outcome.upstream);
    EXPECT_EQ(field(again.to_client.fields, "Set-Cookie"), "-");
    ++counts[outcome.upstream];
  }
  EXPECT_EQ(counts.size(), 2U);
  Request secure;
  secure.scheme = "https";
  EXPECT_TRUE(
      field(host.run(secure, Response{}).to_client.fields, "Set-Cookie").ends_with("; Secure"));
}

TEST(ServerSelector, LeadsToServersAndAddresses) {
  SettingTable here = choice("here", {"1*"}, 0);
  here["upstream"] = {std::string()};
  here["server"] = {std::string("10.0.0.1:80")};
  SettingTable there = choice("there", {"2*"}, 0);
  there["upstream"] = {std::string()};
  there["address"] = {std::string("10.0.0.2:80")};
  Host host("server_selector", settings("client", "", {here, there}));
  Request request;
  request.client = "192.0.2.1";
  EXPECT_EQ(host.run(request, Response{}).server, "10.0.0.1:80");
  request.client = "203.0.113.1";
  EXPECT_EQ(host.run(request, Response{}).addresses, std::vector<std::string>{"10.0.0.2:80"});
}

TEST(ServerSelector, ChecksItsSettings) {
  const auto refused = [](const SettingTable& table) {
    return Host("server_selector", table).refused;
  };
  const std::string key = R"(key: it is "cookie:NAME", "header:NAME", "path" or "client")";
  EXPECT_EQ(refused(settings("header", "", {})), key);
  EXPECT_EQ(refused(settings("", "", {})), key);
  EXPECT_EQ(refused(settings("client", "", {choice("a", {}, 60), choice("b", {}, 60)})),
            "share: the shares are more than 100 together");
  EXPECT_EQ(refused(settings("client", "", {choice("a b", {}, 0)})),
            "name: letters, digits and \"-\"");
  std::vector<SettingTable> all;
  for (int i = 0; i < 142; ++i) all.push_back(choice("a" + std::to_string(i), {}, 0.7));
  all.push_back(choice("b", {}, 0.6));
  EXPECT_EQ(refused(settings("client", "", all)), "");
  SettingTable nowhere = choice("a", {}, 0);
  nowhere["upstream"] = {std::string()};
  EXPECT_EQ(refused(settings("client", "", {nowhere})),
            "upstream: one of upstream, server and address must be given");
}

}  // namespace
}  // namespace penstock::test
