#include "penstock/module_text.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::test {
namespace {

using Views = std::vector<std::string_view>;
using Texts = std::vector<std::string>;

TEST(ModuleText, ComparesWithoutCase) {
  EXPECT_EQ(lower("Ab-Z[\xc4"), "ab-z[\xc4");
  EXPECT_TRUE(same("Content-Type", "content-tYPE"));
  EXPECT_FALSE(same("a", "ab"));
  EXPECT_FALSE(same("@", "`"));
  EXPECT_TRUE(is_one_of(Texts{"A", "b"}, "B"));
  EXPECT_FALSE(is_one_of(Texts{}, ""));
  EXPECT_TRUE(starts_with("abc", "ab"));
  EXPECT_FALSE(starts_with("a", "ab"));
  EXPECT_EQ(trimmed(" \ta b\t "), "a b");
  EXPECT_EQ(trimmed(" \t "), "");
}

TEST(ModuleText, KnowsPatterns) {
  for (const char* pattern : {"abcabd", "*", "a*", "*d", "a*c*d", "*abd", "abcabd*", "**ab*d**"}) {
    EXPECT_TRUE(matches(pattern, "abcabd")) << pattern;
  }
  for (const char* pattern : {"", "abc", "bcabd", "*abc", "a*e*d", "A*", "abcabd*d", "?*"}) {
    EXPECT_FALSE(matches(pattern, "abcabd")) << pattern;
  }
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*b", std::string(3000, 'a')));
  EXPECT_TRUE(matches_any(Texts{"a", "b*"}, "bc"));
  EXPECT_FALSE(matches_any(Texts{"a", "b"}, "bc"));
}

TEST(ModuleText, TakesListsApart) {
  EXPECT_EQ(split(" a=1;; b=\"2; c ;", ';'), (Views{"a=1", "b=\"2", "c"}));
  EXPECT_EQ(elements(" ,a , b c,,"), (Views{"a", "b c"}));
  EXPECT_EQ(elements(R"(a;x="1,\",2", b)"), (Views{R"(a;x="1,\",2")", "b"}));
  EXPECT_EQ(elements(R"(a, "b, c)"), (Views{"a", "\"b, c"}));
  EXPECT_EQ(elements("\"\\"), (Views{"\"\\"}));
  EXPECT_EQ(elements(""), Views{});
  EXPECT_TRUE(has_element("keep-alive, Close", "close"));
  EXPECT_FALSE(has_element("keep-alive, closed", "close"));
  EXPECT_EQ(without_parameters(" text/html ; charset=utf-8"), "text/html");
}

TEST(ModuleText, ReadsWeights) {
  EXPECT_EQ(weight("br"), 1);
  EXPECT_EQ(weight("br; Q=0.5"), 0.5);
  EXPECT_DOUBLE_EQ(weight("br;a=\"q=0\";q=0.125"), 0.125);
  for (const char* none : {"br;q=0", "br;q=0.000", "br;q=", "br;q=-1", "br;q=x", "br;q=.5"}) {
    EXPECT_EQ(weight(none), 0) << none;
  }
  EXPECT_EQ(weight("br;q=1.000"), 1);
  EXPECT_EQ(weight("br;q=7"), 1);
  EXPECT_EQ(weight_of("a;q=0.2, A;q=0.3, ab", "a"), 0.3);
  EXPECT_EQ(weight_of("ab, *", "a"), std::nullopt);
}

TEST(ModuleText, ReadsAccept) {
  EXPECT_EQ(weight_of_type("", "text/html"), 1);
  EXPECT_EQ(weight_of_type("*/*;q=0.1, text/*;q=0.5, text/html;q=0.2", "text/html"), 0.2);
  EXPECT_EQ(weight_of_type("*/*;q=0.1, TEXT/*;q=0.5", "text/html"), 0.5);
  EXPECT_EQ(weight_of_type("image/*, */*;q=0.1", "text/html"), 0.1);
  EXPECT_EQ(weight_of_type("*/*, text/html;q=0", "text/html"), 0);
  EXPECT_EQ(weight_of_type("image/*", "text/html"), 0);
}

TEST(ModuleText, ChoosesCodings) {
  const Texts ours = {"zstd", "br", "gzip"};
  EXPECT_EQ(best_coding("gzip, br, zstd", ours), "zstd");
  EXPECT_EQ(best_coding("gzip, br;q=0.5", ours), "gzip");
  EXPECT_EQ(best_coding("*, zstd;q=0", ours), "br");
  EXPECT_EQ(best_coding("x-gzip", ours), "gzip");
  EXPECT_EQ(best_coding("identity, gzip;q=0.5", ours), "");
  EXPECT_EQ(best_coding("identity;q=0.5, *;q=0.5", ours), "zstd");
  EXPECT_EQ(best_coding("identity;q=0, gzip;q=0.1", ours), "gzip");
  for (const char* none : {"", "deflate", "*;q=0", "gzip;q=0", "identity"}) {
    EXPECT_EQ(best_coding(none, ours), "") << none;
  }
  EXPECT_EQ(best_coding("gzip", {}), "");
}

TEST(ModuleText, KnowsFields) {
  EXPECT_EQ(weak_tag("\"1\""), "W/\"1\"");
  EXPECT_EQ(weak_tag("W/\"1\""), "W/\"1\"");
  EXPECT_EQ(weak_tag(""), "");
  EXPECT_TRUE(is_field_of_proxy("transfer-encoding"));
  EXPECT_FALSE(is_field_of_proxy("Hos"));
}

TEST(ModuleText, TakesUrlsApart) {
  const auto parts = [](std::string_view text) {
    const std::optional<Url> url = split_url(text);
    return url ? Views{url->scheme, url->user, url->authority, url->host, url->port, url->path}
               : Views{};
  };
  EXPECT_EQ(parts("https://u:p@w@[::1]:80/a?b#c@d"),
            (Views{"https", "u:p@w", "[::1]:80", "[::1]", "80", "/a?b#c@d"}));
  EXPECT_EQ(parts("http://a.example"), (Views{"http", "", "a.example", "a.example", "", ""}));
  EXPECT_EQ(parts("http://a:?b"), (Views{"http", "", "a:", "a", "", "?b"}));
  for (const char* none : {"", "about:blank", "/a", "://a", "http://", "http:///a", "http://u@/a",
                           "http://:80/", "/a://b", "?a://b"}) {
    EXPECT_EQ(parts(none), Views{}) << none;
  }
  EXPECT_EQ(split_authority("a:1").host, "a");
  EXPECT_EQ(split_authority("a:1").port, "1");
  EXPECT_EQ(split_authority("[::1]").host, "[::1]");
  EXPECT_EQ(split_authority("[::1]").port, "");
  EXPECT_EQ(split_authority("").host, "");
  EXPECT_EQ(split_authority(":").host, "");
}

TEST(ModuleText, ReadsQueries) {
  EXPECT_EQ(percent_decoded("%2fA%2B%zz%4"), "/A+%zz%4");
  EXPECT_EQ(percent_decoded("%41"), "A");
  EXPECT_EQ(percent_decoded("%"), "%");
  EXPECT_EQ(query_values("a=1&b=2&%61=%26&a&ab=3&a=", "a"), (Texts{"1", "&", ""}));
  EXPECT_EQ(query_values("", "a"), Texts{});
}

TEST(ModuleText, WritesJson) {
  EXPECT_EQ(json_string("a\"\\\n\xff"), "\"a\\u0022\\u005c\\u000a\\u00ff\"");
}

TEST(ModuleText, KnowsNetworks) {
  const auto has = [](std::string_view network, std::string_view address) {
    const std::optional<Network> parsed = Network::parse(network);
    return parsed && parsed->has(address);
  };
  EXPECT_TRUE(has("10.1.0.0/15", "10.0.255.1"));
  EXPECT_FALSE(has("10.1.0.0/16", "10.0.255.1"));
  EXPECT_TRUE(has("0.0.0.0/0", "255.0.0.1"));
  EXPECT_FALSE(has("0.0.0.0/0", "::1"));
  EXPECT_TRUE(has("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(has("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(has("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(has("192.0.2.1", "192.0.2.2"));
  EXPECT_FALSE(has("0.0.0.0/0", "10.0.0.0/8"));
  EXPECT_FALSE(has("::/0", "unix:/path"));
  for (const char* none : {"", "/8", "ten", "10.0.0.0/", "10.0.0.0/33", "::/129", "::/+1",
                           "::/0001", "10.0.0/8", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(Network::parse(none)) << none;
  }
}

}  // namespace
}  // namespace penstock::test
