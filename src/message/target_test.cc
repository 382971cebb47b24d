#include "message/target.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "message/characters.h"

namespace penstock {
namespace {

struct AuthoritySample {
  std::string_view text;
  std::string_view host;
  std::uint16_t port;
  bool ipv6 = false;
};

TEST(ParseAuthority, Accepts) {
  const std::vector<AuthoritySample> samples = {
      {"example.com", "example.com", 0},
      {"EXAMPLE.com:80", "EXAMPLE.com", 80},
      {"example.com:", "example.com", 0},
      {"127.0.0.1:65535", "127.0.0.1", 65535},
      {"a:1", "a", 1},
      {"a:00080", "a", 80},
      {"under_score-1.~!$&'()*+,;=", "under_score-1.~!$&'()*+,;=", 0},
      {"[::1]", "::1", 0, true},
      {"[2001:db8::1.2.3.4]:443", "2001:db8::1.2.3.4", 443, true},
      {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:8",
       "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 8, true},
  };
  for (const AuthoritySample& sample : samples) {
    const auto parsed = parse_authority(sample.text);
    ASSERT_TRUE(parsed) << sample.text;
    EXPECT_EQ(parsed->host, sample.host);
    EXPECT_EQ(parsed->port, sample.port) << sample.text;
    EXPECT_EQ(parsed->ipv6_literal, sample.ipv6) << sample.text;
  }
}

TEST(ParseAuthority, Refuses) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      ":80"sv,
                                      "a:0"sv,
                                      "a:65536"sv,
                                      "a:000080"sv,
                                      "a:+1"sv,
                                      "a:8x"sv,
                                      "a:1:2"sv,
                                      "a b"sv,
                                      "a/b"sv,
                                      "a%41"sv,
                                      "a\0"sv,
                                      "\xc3\xa4"sv,
                                      "a,b c"sv,
                                      "::1"sv,
                                      "[]"sv,
                                      "[::1"sv,
                                      "[::1]x"sv,
                                      "[::1%25eth0]"sv,
                                      "[v1.x]"sv,
                                      "[1.2.3.4]"sv,
                                      "[::1\0]"sv,
                                      "[:::]"sv,
                                      "a]"sv,
                                      "a\\b"sv,
                                      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"sv}) {
    const auto parsed = parse_authority(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), Refusal::host_invalid) << text;
  }
  EXPECT_EQ(parse_authority("user@host").error(), Refusal::userinfo_in_target);
  EXPECT_EQ(parse_authority("@").error(), Refusal::userinfo_in_target);
}

TEST(ParseTarget, OriginForm) {
  for (const std::string_view text :
       {"/", "/a/b?c=d&e=f", "/?", "//double//slash", "/%zz%", "/a:b@c", "/|^`{}\"[]\\"}) {
    const auto target = parse_target("GET", text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(target->form, TargetForm::origin);
    EXPECT_EQ(target->path_and_query, text);
    EXPECT_EQ(target->authority, "");
  }
}

TEST(ParseTarget, AbsoluteForm) {
  struct Sample {
    std::string_view method, text, scheme, authority, path;
    bool needs_slash = false;
  };
  const std::vector<Sample> samples = {
      {"GET", "http://a/b?c", "http", "a", "/b?c"},
      {"GET", "HTTPS://a:8443", "HTTPS", "a:8443", "/"},
      {"GET", "http://a?q", "http", "a", "?q", true},
      {"GET", "http://[::1]:80/?", "http", "[::1]:80", "/?"},
      {"GET", "coap+tcp://a/x@y", "coap+tcp", "a", "/x@y"},
      {"GET", "http://a:/x", "http", "a:", "/x"},
      {"OPTIONS", "http://a", "http", "a", "*"},
      {"OPTIONS", "http://a/", "http", "a", "/"},
      {"OPTIONS", "http://a?q", "http", "a", "?q", true},
  };
  for (const Sample& sample : samples) {
    const auto target = parse_target(sample.method, sample.text);
    ASSERT_TRUE(target) << sample.text;
    EXPECT_EQ(target->form, TargetForm::absolute);
    EXPECT_EQ(target->scheme, sample.scheme);
    EXPECT_EQ(target->authority, sample.authority);
    EXPECT_EQ(target->path_and_query, sample.path);
    EXPECT_EQ(target->needs_slash, sample.needs_slash);
  }
}

TEST(ParseTarget, AuthorityAndAsteriskForm) {
  const auto connect = parse_target("CONNECT", "example.com:443");
  ASSERT_TRUE(connect);
  EXPECT_EQ(connect->form, TargetForm::authority);
  EXPECT_EQ(connect->authority, "example.com:443");
  EXPECT_EQ(connect->host.host, "example.com");
  EXPECT_EQ(connect->host.port, 443);
  const auto options = parse_target("OPTIONS", "*");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->form, TargetForm::asterisk);
  EXPECT_EQ(options->path_and_query, "*");
}

TEST(ParseTarget, Refuses) {
  struct Sample {
    std::string_view method, text;
    Refusal refusal;
  };
  const std::vector<Sample> samples = {
      {"GET", "", Refusal::target_malformed},
      {"GET", "*", Refusal::target_form_not_allowed},
      {"GET", "a:80", Refusal::target_form_not_allowed},
      {"GET", "example.com", Refusal::target_form_not_allowed},
      {"GET", "a/b", Refusal::target_malformed},
      {"GET", "http:/a", Refusal::target_malformed},
      {"GET", "mailto:x@y", Refusal::target_malformed},
      {"GET", "://a/", Refusal::target_malformed},
      {"GET", "1http://a/", Refusal::target_malformed},
      {"GET", "http://", Refusal::target_malformed},
      {"GET", "http:///x", Refusal::target_malformed},
      {"GET", "http://:80/x", Refusal::target_malformed},
      {"GET", "http://a:0/", Refusal::target_malformed},
      {"GET", "http://a\\b/", Refusal::target_malformed},
      {"GET", "http://a%2f/", Refusal::target_malformed},
      {"GET", "http://user:secret@a/", Refusal::userinfo_in_target},
      {"GET", "http://@a/", Refusal::userinfo_in_target},
      {"CONNECT", "user@a:443", Refusal::userinfo_in_target},
      {"CONNECT", "a", Refusal::target_malformed},
      {"CONNECT", "a:", Refusal::target_malformed},
      {"CONNECT", "a:0", Refusal::target_malformed},
      {"CONNECT", "a:443/", Refusal::target_malformed},
      {"CONNECT", "[::1]", Refusal::target_malformed},
      {"CONNECT", "/", Refusal::target_form_not_allowed},
      {"CONNECT", "*", Refusal::target_form_not_allowed},
      {"CONNECT", "http://a:443/", Refusal::target_form_not_allowed},
  };
  for (const Sample& sample : samples) {
    const auto target = parse_target(sample.method, sample.text);
    ASSERT_FALSE(target) << sample.text;
    EXPECT_EQ(target.error(), sample.refusal) << sample.method << " " << sample.text;
  }
}

TEST(ParseTarget, BytesThatMayNotStandInATarget) {
  const std::string_view refused = " #<>\x7f";
  for (unsigned c = 0; c < 256; ++c) {
    const std::string text = std::string("/a") + static_cast<char>(c) + "b";
    const bool expected = c > 0x20 && c < 0x7f && !refused.contains(static_cast<char>(c));
    EXPECT_EQ(parse_target("GET", text).has_value(), expected) << c;
  }
}

}  // namespace
}  // namespace penstock
