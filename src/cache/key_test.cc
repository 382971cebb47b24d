#include "cache/key.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string uri(const CacheKeyParts& parts, const QueryRules& query = {}) {
  Arena arena;
  return std::string(make_cache_key(parts, query, {}, arena).uri());
}

TEST(CacheKey, IsTheTargetUri) {
  EXPECT_EQ(uri({.scheme = "http", .host = "example.com", .path_and_query = "/a?b"}),
            "http://example.com/a?b");
  EXPECT_EQ(uri({.scheme = "HTTPS", .host = "Example.COM", .port = 443, .path_and_query = "/A"}),
            "https://example.com/A");
  EXPECT_EQ(uri({.scheme = "http", .host = "example.com.", .port = 8080, .path_and_query = "/"}),
            "http://example.com:8080/");
  EXPECT_EQ(uri({.scheme = "http", .host = "::1", .port = 80, .path_and_query = ""}),
            "http://[::1]/");
  EXPECT_EQ(uri({.scheme = "http", .host = "a", .path_and_query = "?q"}), "http://a/?q");
}

// What an application takes for the same is not known here.
TEST(CacheKey, SpellingsOfThePathAreApart) {
  EXPECT_NE(uri({.scheme = "http", .host = "a", .path_and_query = "/%61"}),
            uri({.scheme = "http", .host = "a", .path_and_query = "/a"}));
  EXPECT_NE(uri({.scheme = "http", .host = "a", .path_and_query = "/x/../a"}),
            uri({.scheme = "http", .host = "a", .path_and_query = "/a"}));
}

TEST(CacheKey, PartsDoNotRunIntoEachOther) {
  Arena arena;
  const std::vector<std::string_view> one{"ab", "c"};
  const std::vector<std::string_view> two{"a", "bc"};
  const CacheKeyParts parts{.scheme = "http", .host = "a", .path_and_query = "/"};
  CacheKeyParts first = parts;
  first.more = one;
  CacheKeyParts second = parts;
  second.more = two;
  CacheKeyParts owned = parts;
  owned.owner = "ab";
  const auto text = [&](const CacheKeyParts& of) {
    return std::string(make_cache_key(of, {}, {}, arena).text);
  };
  EXPECT_NE(text(first), text(second));
  EXPECT_NE(text(parts), text(owned));
  EXPECT_EQ(make_cache_key(owned, {}, {}, arena).uri(), "http://a/");
}

TEST(CacheKey, SecretChangesTheHashOnly) {
  Arena arena;
  const CacheKeyParts parts{.scheme = "http", .host = "a", .path_and_query = "/"};
  const CacheKey one = make_cache_key(parts, {}, {.low = 1, .high = 0}, arena);
  const CacheKey two = make_cache_key(parts, {}, {.low = 2, .high = 0}, arena);
  EXPECT_EQ(one.text, two.text);
  EXPECT_NE(one.hash, two.hash);
}

TEST(CacheKey, QueriesAsTheRulesSay) {
  const std::vector<std::string> tracking{"utm_*", "fbclid"};
  const auto query = [](std::string_view text, const QueryRules& rules) {
    return uri({.scheme = "http", .host = "a", .path_and_query = text}, rules);
  };
  EXPECT_EQ(query("/p?b=1&a=2", {.ignore = true}), "http://a/p");
  EXPECT_EQ(query("/p?b=1&a=2&a=1", {.sort = true}), "http://a/p?a=2&a=1&b=1");
  EXPECT_EQ(query("/p?utm_source=x&q=1&fbclid=2&utm_=", {.ignored = tracking}), "http://a/p?q=1");
  EXPECT_EQ(query("/p?fbclid=2", {.ignored = tracking}), "http://a/p");
  EXPECT_EQ(query("/p?fbclids=2", {.ignored = tracking}), "http://a/p?fbclids=2");
  EXPECT_EQ(query("/p?", {.sort = true}), "http://a/p?");
}

TEST(CacheKey, UrisThatSomebodyNames) {
  Arena arena;
  EXPECT_EQ(normal_uri("HTTP://Example.com:80/a#x", {}, arena), "http://example.com/a");
  EXPECT_EQ(normal_uri("https://example.com", {}, arena), "https://example.com/");
  EXPECT_EQ(normal_uri("/a", {}, arena), "");
  EXPECT_EQ(normal_uri("not a uri", {}, arena), "");
  EXPECT_EQ(host_of_uri("https://[::1]:8080/x"), "::1");
  EXPECT_EQ(host_of_uri("https://example.com:8080/x:y"), "example.com");
  EXPECT_EQ(host_of_uri("nothing"), "");
}

}  // namespace
}  // namespace penstock
