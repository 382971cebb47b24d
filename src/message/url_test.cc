#include "message/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto url = parse_url(text);
  return url ? "parsed as " + url->text() : url.error();
}

TEST(Url, Parts) {
  const auto url = parse_url("HTTPS://alice:s%3Acret@WWW.Example.com:8443/a/b?c=d#fragment");
  ASSERT_TRUE(url) << url.error();
  EXPECT_TRUE(url->secure);
  EXPECT_EQ(url->host, "www.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/a/b?c=d");
  EXPECT_EQ(url->login, (Login{.user = "alice", .password = "s:cret"}));
  EXPECT_EQ(url->authority(), "www.example.com:8443");
  EXPECT_EQ(url->text(), "https://www.example.com:8443/a/b?c=d");
}

TEST(Url, WhatIsLeftOut) {
  EXPECT_EQ(parse_url("http://a")->path, "/");
  EXPECT_EQ(parse_url("http://a?x")->path, "/?x");
  EXPECT_EQ(parse_url("http://a#x/y")->path, "/");
  EXPECT_EQ(parse_url("http://a:/")->port, 80);
  EXPECT_EQ(parse_url("https://a/")->port, 443);
  EXPECT_EQ(parse_url("https://a:443/")->authority(), "a");
  EXPECT_EQ(parse_url("http://a:443/")->authority(), "a:443");
  EXPECT_EQ(parse_url("https://a/")->origin(), "https://a:443");
  EXPECT_FALSE(parse_url("http://@a/")->login);
}

TEST(Url, Ipv6) {
  const auto url = parse_url("http://[2001:DB8::1]:8080/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "2001:db8::1");
  EXPECT_EQ(url->authority(), "[2001:db8::1]:8080");
  EXPECT_EQ(url->origin(), "http://[2001:db8::1]:8080");
  EXPECT_EQ(parse_url("http://[::1]/")->authority(), "[::1]");
}

TEST(Url, Login) {
  EXPECT_EQ(parse_url("http://alice@a/")->login, (Login{.user = "alice", .password = ""}));
  EXPECT_EQ(parse_url("http://a:b:c@a/")->login, (Login{.user = "a", .password = "b:c"}));
  EXPECT_EQ(parse_url("http://a:b@c@d/")->login, (Login{.user = "a", .password = "b@c"}));
  EXPECT_EQ(parse_url("http://a:b@c@d/")->host, "d");
  EXPECT_THAT(error_of("http://a%0d%0a:b@c/"), HasSubstr("login"));
  EXPECT_THAT(error_of("http://a%4:b@c/"), HasSubstr("login"));
  EXPECT_THAT(error_of("http://a%-1:b@c/"), HasSubstr("login"));
}

TEST(Url, WhatIsWrong) {
  EXPECT_THAT(error_of(""), HasSubstr("http://"));
  EXPECT_THAT(error_of("example.com/"), HasSubstr("http://"));
  EXPECT_THAT(error_of("localhost:80/"), HasSubstr("http://"));
  EXPECT_THAT(error_of("http:/a/"), HasSubstr("http://"));
  EXPECT_THAT(error_of("ftp://a/"), HasSubstr("the scheme ftp"));
  EXPECT_THAT(error_of("http:///a"), HasSubstr("no host"));
  EXPECT_THAT(error_of("http://a:0/"), HasSubstr("host is not valid"));
  EXPECT_THAT(error_of("http://a:65536/"), HasSubstr("host is not valid"));
  EXPECT_THAT(error_of("http://::1/"), HasSubstr("host is not valid"));
  EXPECT_THAT(error_of("http://[::1/"), HasSubstr("host is not valid"));
  EXPECT_THAT(error_of("http://[fe80::1%25eth0]/"), HasSubstr("host is not valid"));
  EXPECT_THAT(error_of("http://a/b c"), HasSubstr("%XX"));
  EXPECT_THAT(error_of("http://a/\r\nX: y"), HasSubstr("%XX"));
  EXPECT_THAT(error_of("http://a/\xc3\xa4"), HasSubstr("%XX"));
}

// RFC 3986 section 5.4, as far as http has such references.
TEST(Url, References) {
  const auto base = parse_url("http://u:p@a/b/c/d;p?q");
  ASSERT_TRUE(base);
  const auto resolved = [&](std::string_view reference) {
    const auto url = resolve_reference(*base, reference);
    if (url) EXPECT_FALSE(url->login);
    return url ? url->text() : url.error();
  };
  EXPECT_EQ(resolved("g"), "http://a/b/c/g");
  EXPECT_EQ(resolved("./g"), "http://a/b/c/g");
  EXPECT_EQ(resolved("g/"), "http://a/b/c/g/");
  EXPECT_EQ(resolved("/g"), "http://a/g");
  EXPECT_EQ(resolved("//g"), "http://g/");
  EXPECT_EQ(resolved("?y"), "http://a/b/c/d;p?y");
  EXPECT_EQ(resolved("g?y#s"), "http://a/b/c/g?y");
  EXPECT_EQ(resolved("#s"), "http://a/b/c/d;p?q");
  EXPECT_EQ(resolved(""), "http://a/b/c/d;p?q");
  EXPECT_EQ(resolved("."), "http://a/b/c/");
  EXPECT_EQ(resolved(".."), "http://a/b/");
  EXPECT_EQ(resolved("../g"), "http://a/b/g");
  EXPECT_EQ(resolved("../../../g"), "http://a/g");
  EXPECT_EQ(resolved("/./g"), "http://a/g");
  EXPECT_EQ(resolved("g."), "http://a/b/c/g.");
  EXPECT_EQ(resolved("..g"), "http://a/b/c/..g");
  EXPECT_EQ(resolved("g;x=1/../y"), "http://a/b/c/y");
  EXPECT_EQ(resolved("g?y/../x"), "http://a/b/c/g?y/../x");
  EXPECT_EQ(resolved("https://x:1@b/../c"), "https://b/c");
  EXPECT_EQ(resolved("/a b\xc3\xa4"), "http://a/a%20b%C3%A4");
  EXPECT_THAT(resolved("ftp://a/"), HasSubstr("the scheme ftp"));
  EXPECT_THAT(resolved("javascript:alert(1)"), HasSubstr("http://"));
  EXPECT_THAT(resolved("http://a:b:c/"), HasSubstr("host"));
}

}  // namespace
}  // namespace penstock
