#include "adapt/url_rules.h"

#include <string>

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string replaced(std::string_view pattern, std::string_view text, std::string_view with) {
  return replace_match(UrlPattern(pattern), text, with).value_or("none");
}

TEST(UrlRules, ReplacesTheFirstMatch) {
  EXPECT_EQ(replaced("^/old/(.*)", "/old/a?b", R"(/new/\1)"), "/new/a?b");
  EXPECT_EQ(replaced("b", "abab", R"([\0\\])"), R"(a[b\]ab)");
  EXPECT_EQ(replaced("(x)?(a)", "/a", R"(\1-\2)"), "/-a");
  EXPECT_EQ(replaced("z", "/a", ""), "none");
  EXPECT_EQ(replaced("\xe4", "/\xe4", "."), "/.");  // an octet, not a character
}

TEST(UrlRules, WhatIsWrong) {
  EXPECT_EQ(problem_of_pattern("a(b)"), "");
  EXPECT_NE(problem_of_pattern("a(b"), "");
  EXPECT_NE(problem_of_pattern("(?:(?:a{999}){999}){999}"), "");  // too large
  EXPECT_EQ(problem_of_replacement("a(b)", R"(\0\1\\)"), "");
  EXPECT_EQ(problem_of_replacement("a(b)", R"(\2)"), R"(there is no group \2: the pattern has 1)");
  EXPECT_NE(problem_of_replacement("a", R"(\n)"), "");
  EXPECT_NE(problem_of_replacement("a", R"(\)"), "");
  EXPECT_EQ(problem_of_location("", "https://${host}${path}"), "");
  EXPECT_EQ(problem_of_location("(.)", R"(\1)"), "");
  EXPECT_NE(problem_of_location("", R"(/\1)"), "");
  for (const char* bad : {"", "//www.example/", "ftp://www.example/", "new", "HTTP://a/"}) {
    EXPECT_NE(problem_of_location("", bad), "") << bad;
  }
}

TEST(UrlRules, RewritesThatCannotBe) {
  const std::string_view pattern = "^/old/(.*)";
  for (const char* good : {R"(/new/\1)", R"(\1)", "", "/a$b", "/$", "/%241", "/a?b={c}"}) {
    EXPECT_EQ(problem_of_rewrite(pattern, good, false), "") << good;
  }
  EXPECT_EQ(problem_of_rewrite(pattern, "/$1", false), R"("$1" is no group here: write "\1")");
  EXPECT_EQ(
      problem_of_rewrite(pattern, "/${host}", false),
      R"(there are no variables here: "\1" to "\9" are what the groups of the pattern found)");
  EXPECT_EQ(problem_of_rewrite(pattern, "nope", false), R"(a path begins with "/": write "/nope")");
  EXPECT_EQ(problem_of_rewrite(pattern, "/a b", false),
            R"(" " cannot stand in a path: write "%20")");
  EXPECT_EQ(problem_of_rewrite(pattern, R"(/\2)", false),
            R"(there is no group \2: the pattern has 1)");
  // Perhaps not at the beginning.
  for (const char* anywhere : {"old", "^?old", "^/a|b", "(?m)^/a"}) {
    EXPECT_EQ(problem_of_rewrite(anywhere, "nope", false), "") << anywhere;
  }
  EXPECT_EQ(problem_of_rewrite("^(https?)://a/", R"(\1://b/)", true), "");
  EXPECT_EQ(problem_of_rewrite("^https?://a/", "https://b/", true), "");
  EXPECT_EQ(problem_of_rewrite("^http(s?)://a/", R"(http\1://b/)", true), "");
  EXPECT_EQ(problem_of_rewrite("^http://a/", "https://b/", true),
            "a rewrite cannot make another scheme of one: see redirect");
  EXPECT_EQ(problem_of_rewrite("^http://a/", "/b/", true),
            R"(a URL begins with "http://" or "https://")");
}

TEST(UrlRules, LocationsThatCannotBe) {
  for (const char* good :
       {"https://a", "https://a:8443/", "https://[::1]:1/", "http://${host}:${server_port}/",
        "https://${host}:8443${path}", "https://${host}", "https://a.${host}/:99999"}) {
    EXPECT_EQ(problem_of_location("", good), "") << good;
  }
  EXPECT_EQ(problem_of_location("", "http://a:99999/"),
            R"("a:99999" is not a host with or without a port from 1 to 65535)");
  EXPECT_NE(problem_of_location("", "http:///x"), "");
  EXPECT_NE(problem_of_location("", "http://a b/"), "");
  EXPECT_EQ(problem_of_location("", "https://${host}:65536${path}"),
            "65536 is not a port: expected 1 to 65535");
  EXPECT_EQ(problem_of_location("", "https://${host}:65536/"),
            "65536 is not a port: expected 1 to 65535");
  EXPECT_EQ(problem_of_location("(.)", R"(https://\1:0?x)"),
            "0 is not a port: expected 1 to 65535");
}

class LocationTest : public testing::Test {
 protected:
  std::string location(std::string_view pattern, std::string_view to, std::string_view url,
                       std::string_view method = "GET") {
    head.method_text = method;
    const std::size_t slash = url.find('/', url.find("://") + 3);
    head.target.path_and_query = url.substr(slash);
    host = url.substr(0, slash).substr(url.find("://") + 3);
    UrlMatch match;
    if (!pattern.empty()) match = UrlPattern(pattern).find(url).value();
    return LocationTemplate(to)
        .fill(match, {.client = client, .head = &head, .host = host})
        .value_or("none");
  }
  ClientInfo client;
  RequestHead head;
  std::string host;
};

TEST_F(LocationTest, VariablesAndGroups) {
  EXPECT_EQ(location("", "https://${host}${path_and_query}", "http://a.example/b?c"),
            "https://a.example/b?c");
  EXPECT_EQ(location("", "https://${host}:8443${path}", "http://a.example/b?c"),
            "https://a.example:8443/b");
  EXPECT_EQ(location("/x/(.*)$", R"(/y/\1)", "http://a.example/x/z"), "/y/z");
  EXPECT_EQ(location("^http://([^/]+)/(.*)", R"(https://\1/\2)", "http://a.example/b"),
            "https://a.example/b");
  EXPECT_EQ(location("^http://(\\w+)\\.old/", R"(http://\1.new/5$$)", "http://a.old/b"),
            "http://a.new/5$");
}

// Nobody but the configuration says where clients go.
TEST_F(LocationTest, NoOtherHostThanWasMeant) {
  EXPECT_EQ(location("/x(.*)$", R"(https://good.example\1)", "http://a/x.evil.example"),
            "https://good.example/.evil.example");
  EXPECT_EQ(location("/x(.*)$", R"(https://good.example\1)", "http://a/x@evil.example"),
            "https://good.example/@evil.example");
  EXPECT_EQ(location("/x(.*)$", R"(https://good.example\1)", "http://a/x/y"),
            "https://good.example/y");
  EXPECT_EQ(location("/x(.*)/z$", R"(https://good.example\1/z)", "http://a/x.evil.example/z"),
            "https://good.example/.evil.example/z");
  EXPECT_EQ(location("/x(.*)$", R"(https://good.example\1?z)", "http://a/x:80"),
            "https://good.example/:80?z");
  EXPECT_EQ(location("/x(.*)$", R"(https://good.example\1#z)", "http://a/x.evil.example"),
            "https://good.example/.evil.example#z");
  EXPECT_EQ(location("^http://a(.*)/x$", R"(https://good.example\1/)", "http://a/x"),
            "https://good.example/");
  EXPECT_EQ(location("/x(.*)$", R"(https://\1.good.example/)", "http://a/xevil.example/?"), "none");
  EXPECT_EQ(location("/x(.*)$", R"(https://\1.good.example/)", "http://a/xu@evil"), "none");
  EXPECT_EQ(location("/x(.*)$", R"(https://\1)", "http://a/x/evil"), "none");
  EXPECT_EQ(location("/x(.*)$", R"(\1)", "http://a/x//evil.example/y"), "/evil.example/y");
  EXPECT_EQ(location("/x(.*)$", R"(\1)", "http://a/xhttps://evil.example/"),
            "/https://evil.example/");
  EXPECT_EQ(location("/x(.*)$", R"(/\1)", "http://a/x/evil.example"), "/evil.example");
  EXPECT_EQ(location("/x(.*)$", R"(/\1)", "http://a/x\\evil.example"), "/%5Cevil.example");
  EXPECT_EQ(location("", "${path}", "http://a//evil.example"), "/evil.example");
}

TEST_F(LocationTest, NothingThatBreaksALine) {
  EXPECT_EQ(location("(?s)/x(.*)$", R"(/y\1)", "http://a/x\r\nSet-Cookie: a\x01\xff\"<>"),
            "/y%0D%0ASet-Cookie:%20a%01%FF%22%3C%3E");
  EXPECT_EQ(location("//a/(.*)$", R"(/y?\1)", "http://a/%41%zz"), "/y?%41%zz");
}

}  // namespace
}  // namespace penstock
