#include "upstream/credential_store.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

OriginCredentialSettings entry(std::string host, std::string user) {
  OriginCredentialSettings settings;
  settings.host = std::move(host);
  settings.credentials.scheme = CredentialSettings::Scheme::digest;
  settings.credentials.user = std::move(user);
  return settings;
}

OriginView http(std::string_view host, std::uint16_t port = 80) {
  return {.secure = false, .host = host, .port = port};
}
OriginView https(std::string_view host, std::uint16_t port = 443) {
  return {.secure = true, .host = host, .port = port};
}

// Challenges the authenticator, and gives the user it answers with.
std::string user_of(Authenticator& authenticator) {
  FieldSection fields;
  fields.add(FieldId::www_authenticate, "Digest realm=r, nonce=n, qop=auth");
  EXPECT_TRUE(authenticator.challenged(fields, FieldId::www_authenticate, "", {}));
  Arena arena;
  const auto sent = parse_challenges(
      authenticator.authorization({.method = "GET", .uri = "/"}, arena, {}), arena);
  return std::string(sent.at(0).find("username")->value);
}

bool matches(std::string_view pattern, const OriginView& origin) {
  const std::vector<OriginCredentialSettings> settings = {entry(std::string(pattern), "u")};
  CredentialStore store(settings);
  return store.find(origin) != nullptr;
}

TEST(CredentialStore, Hosts) {
  EXPECT_TRUE(matches("intranet.example", http("intranet.example")));
  EXPECT_TRUE(matches("Intranet.EXAMPLE", http("inTRANET.example")));
  EXPECT_FALSE(matches("intranet.example", http("xintranet.example")));
  EXPECT_FALSE(matches("intranet.example", http("a.intranet.example")));
  EXPECT_FALSE(matches("intranet.example", http("intranet.example.evil")));
  EXPECT_TRUE(matches("*.example.com", http("a.example.com")));
  EXPECT_TRUE(matches("*.example.com", http("A.b.Example.Com")));
  EXPECT_FALSE(matches("*.example.com", http("example.com")));
  EXPECT_FALSE(matches("*.example.com", http(".example.com")));
  EXPECT_FALSE(matches("*.example.com", http("evilexample.com")));
  EXPECT_TRUE(matches("[::1]", http("::1")));
  EXPECT_TRUE(matches("[::1]:8080", http("::1", 8080)));
  EXPECT_TRUE(matches("10.0.0.1", http("10.0.0.1")));
}

TEST(CredentialStore, PortsAndSchemes) {
  EXPECT_TRUE(matches("a", https("a")));
  EXPECT_FALSE(matches("a", http("a", 8080)));
  EXPECT_FALSE(matches("a", https("a", 80)));
  EXPECT_TRUE(matches("a:8080", http("a", 8080)));
  EXPECT_TRUE(matches("a:8080", https("a", 8080)));
  EXPECT_FALSE(matches("a:8080", http("a")));
  EXPECT_TRUE(matches("a:*", http("a", 8080)));
  EXPECT_TRUE(matches("*.a:*", https("b.a", 1)));
  EXPECT_TRUE(matches("*.a:81", http("b.a", 81)));
  EXPECT_TRUE(matches("https://a", https("a")));
  EXPECT_FALSE(matches("https://a", http("a")));
  EXPECT_TRUE(matches("HTTP://a", http("a")));
  EXPECT_FALSE(matches("http://a", https("a")));
  EXPECT_TRUE(matches("https://[::1]:*", https("::1", 444)));
}

TEST(CredentialStore, WhatIsNoPatternMatchesNothing) {
  for (const std::string_view bad :
       {"", "*", "*.", "a:0", "a:99999", "a:x", "u@a", "a/", "http://", "ftp://a", "a*", "*a",
        "*.*.a", "a:80:*", ":80", "*.[::1]", ".a", "*..a"}) {
    for (const std::string_view host : {"", "a", "b.a", ".a", "::1", "*", "*.a"}) {
      EXPECT_FALSE(matches(bad, http(host))) << bad << " " << host;
    }
  }
}

TEST(CredentialStore, TheFirstMatchIsMeant) {
  const std::vector<OriginCredentialSettings> settings = {
      entry("a.example", "one"), entry("*.example", "two"), entry("b.example", "three")};
  CredentialStore store(settings);
  EXPECT_EQ(user_of(*store.find(http("a.example"))), "one");
  EXPECT_EQ(user_of(*store.find(http("b.example"))), "two");
  EXPECT_EQ(store.find(http("example")), nullptr);
}

TEST(CredentialStore, EachOriginHasItsOwnState) {
  const std::vector<OriginCredentialSettings> settings = {entry("*.example:*", "u")};
  CredentialStore store(settings);
  const auto first = store.find(http("a.example"));
  EXPECT_EQ(store.find(http("A.EXAMPLE")), first);
  EXPECT_NE(store.find(http("b.example")), first);
  EXPECT_NE(store.find(http("a.example", 81)), first);
  EXPECT_NE(store.find(https("a.example", 80)), first);
  EXPECT_EQ(store.find(http("a.example")), first);
  EXPECT_EQ(store.size(), 4U);
}

TEST(CredentialStore, TheLeastRecentlyUsedIsForgotten) {
  const std::vector<OriginCredentialSettings> settings = {entry("*.example", "u")};
  CredentialStore store(settings, 3);
  const auto a = store.find(http("a.example"));
  const auto b = store.find(http("b.example"));
  const auto c = store.find(http("c.example"));
  EXPECT_EQ(store.find(http("a.example")), a);
  const auto d = store.find(http("d.example"));  // in the place of b
  EXPECT_EQ(store.size(), 3U);
  EXPECT_EQ(store.find(http("a.example")), a);
  EXPECT_EQ(store.find(http("c.example")), c);
  EXPECT_EQ(store.find(http("d.example")), d);
  EXPECT_NE(store.find(http("b.example")), b);
  // What was forgotten can still be used by a request that is under way.
  EXPECT_EQ(user_of(*b), "u");
}

TEST(CredentialStore, AnAuthenticatorOutlivesIt) {
  std::shared_ptr<Authenticator> left;
  {
    const std::vector<OriginCredentialSettings> settings = {entry("a", "u")};
    CredentialStore store(settings);
    left = store.find(http("a"));
  }
  EXPECT_EQ(user_of(*left), "u");
}

TEST(CredentialStore, WithoutCredentials) {
  CredentialStore store({});
  EXPECT_EQ(store.find(http("a")), nullptr);
  EXPECT_EQ(store.take_problem(), "");
}

TEST(CredentialStore, TellsWhatIsWrongWithAFile) {
  std::vector<OriginCredentialSettings> settings = {entry("a", "u"), entry("b", "v")};
  settings[1].credentials.password_file = "/does/not/exist";
  settings[1].credentials.scheme = CredentialSettings::Scheme::basic;
  CredentialStore store(settings);
  EXPECT_EQ(store.take_problem(), "");
  Arena arena;
  EXPECT_EQ(store.find(http("b"))->authorization({.method = "GET", .uri = "/"}, arena, {}), "");
  EXPECT_NE(store.take_problem(), "");
  EXPECT_EQ(store.take_problem(), "");
}

}  // namespace
}  // namespace penstock
