// The filters of URLs, cookies and what requests tell.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "adapt/cookies_filter.h"
#include "adapt/filter_test.h"
#include "adapt/privacy_filter.h"
#include "adapt/redirect_filter.h"
#include "adapt/rewrite_filter.h"

namespace penstock {
namespace {

TEST(RewriteFilter, ThePath) {
  const RewriteFilterSettings settings{.pattern = "^/old/(.*)", .with = R"(/new/\1)"};
  FilteredTransaction t(std::make_unique<RewriteFilter>(settings, FilterSide::client));
  t.target("/old/a?b=/old/");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  EXPECT_EQ(t.request.target.path_and_query, "/new/a?b=/old/");
  EXPECT_TRUE(t.retargeted);
  t.target("/other");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  EXPECT_EQ(t.request.target.path_and_query, "/other");
  EXPECT_FALSE(t.retargeted);
}

TEST(RewriteFilter, WhatIsNoPathFails) {
  const RewriteFilterSettings settings{.pattern = "^/(.*)", .with = R"(\1 x)"};
  FilteredTransaction t(std::make_unique<RewriteFilter>(settings, FilterSide::client));
  t.target("/old");
  EXPECT_EQ(t.ask(), AdaptResult::refused);
  EXPECT_EQ(t.request.target.path_and_query, "/old");
  t.method("OPTIONS");
  t.target("*");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  t.method("CONNECT");
  t.target("a:443");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
}

TEST(RewriteFilter, TheUrl) {
  const RewriteFilterSettings settings{
      .pattern = R"(^http://(\w+)\.old(:\d+)?/)", .with = R"(http://\1.new/x/)", .url = true};
  FilteredTransaction t(std::make_unique<RewriteFilter>(settings, FilterSide::client));
  FilteredTransaction::add(t.request.fields, "Host", "a.old:81");
  t.target("/b?c");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  EXPECT_EQ(t.request.target.path_and_query, "/x/b?c");
  EXPECT_EQ(t.request.fields.value(FieldId::host), "a.new");
  t.target("http://z.old");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  EXPECT_EQ(t.request.target.authority, "z.new");
  EXPECT_EQ(t.request.target.path_and_query, "/x/");
}

TEST(RewriteFilter, NoOtherScheme) {
  const RewriteFilterSettings settings{.pattern = "^http:", .with = "https:", .url = true};
  FilteredTransaction t(std::make_unique<RewriteFilter>(settings, FilterSide::client));
  FilteredTransaction::add(t.request.fields, "Host", "a");
  EXPECT_EQ(t.ask(), AdaptResult::refused);
}

TEST(RedirectFilter, ToWhereTheClientIsNotYet) {
  const RedirectFilterSettings settings{.pattern = "", .to = "http://www.a${path_and_query}"};
  FilteredTransaction t(std::make_unique<RedirectFilter>(settings, FilterSide::client));
  FilteredTransaction::add(t.request.fields, "Host", "a");
  t.target("/x?y");
  ASSERT_EQ(t.ask(), AdaptResult::answer);
  EXPECT_EQ(t.answer().head.status, 302);
  EXPECT_EQ(t.answer().head.fields.value(FieldId::location), "http://www.a/x?y");
  t.request.fields.set(FieldId::host, "www.a");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
}

TEST(CookiesFilter, Names) {
  EXPECT_TRUE(is_named("_ga_1", "_ga*"));
  EXPECT_TRUE(is_named("_ga", "_ga*"));
  EXPECT_TRUE(is_named("axbxbc", "a*b*c"));
  EXPECT_TRUE(is_named("", "*"));
  EXPECT_FALSE(is_named("GA", "ga"));
  EXPECT_FALSE(is_named("axbxd", "a*b*c"));
  EXPECT_FALSE(is_named("ab", "a"));
  EXPECT_FALSE(is_named("a", "ab"));
}

TEST(CookiesFilter, OfRequests) {
  const CookiesFilterSettings settings{.remove = {"_ga*", "x"}, .keep = {"_gas"}};
  FilteredTransaction t(std::make_unique<CookiesFilter>(settings, FilterSide::client));
  for (const char* line : {"a=1;b=2", "_ga=1; a=2;_ga_x=\"; _gas=3 ; =_ga", "x=1", "y; x; z=x"}) {
    FilteredTransaction::add(t.request.fields, "Cookie", line);
  }
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  EXPECT_EQ(FilteredTransaction::all(t.request.fields),
            "Cookie: a=1;b=2\nCookie: a=2; _gas=3; =_ga\nCookie: y; z=x\n");
}

TEST(CookiesFilter, OfResponses) {
  const CookiesFilterSettings settings{.remove_set = {"t*"},
                                       .keep = {"tk"},
                                       .harden = {"s*", ""},
                                       .secure = true,
                                       .http_only = true,
                                       .same_site = SameSite::lax};
  FilteredTransaction t(std::make_unique<CookiesFilter>(settings, FilterSide::client));
  for (const char* line :
       {"track=1; Path=/", "sid=1", "tk=1", "s2=Secure; samesite=none;HTTPONLY", "other=1; Path=/x",
        "secure; Secure", "; Path=/", " ;s=1", "", "=v; Path=/"}) {
    FilteredTransaction::add(t.response.fields, "Set-Cookie", line);
  }
  EXPECT_EQ(t.respond(""), AdaptResult::go_on);
  EXPECT_EQ(FilteredTransaction::all(t.response.fields),
            "Set-Cookie: sid=1; Secure; HttpOnly; SameSite=Lax\n"
            "Set-Cookie: tk=1\n"
            "Set-Cookie: s2=Secure; HTTPONLY; Secure; SameSite=Lax\n"
            "Set-Cookie: other=1; Path=/x\n"
            "Set-Cookie: secure; Secure; HttpOnly; SameSite=Lax\n"
            "Set-Cookie: ; Path=/\n"
            "Set-Cookie:  ;s=1\n"
            "Set-Cookie: \n"
            "Set-Cookie: =v; Path=/; Secure; HttpOnly; SameSite=Lax\n");
}

std::string referer_of(RefererPolicy policy, std::string_view referer) {
  const PrivacyFilterSettings settings{.referer = policy, .do_not_track = false};
  FilteredTransaction t(std::make_unique<PrivacyFilter>(settings, FilterSide::client));
  FilteredTransaction::add(t.request.fields, "Host", "Here:81");
  FilteredTransaction::add(t.request.fields, "Referer", referer);
  t.ask();
  t.request.fields.remove(FieldId::host);
  return FilteredTransaction::all(t.request.fields);
}

TEST(PrivacyFilter, Referer) {
  const auto origin = [](auto text) { return referer_of(RefererPolicy::origin, text); };
  EXPECT_EQ(origin("http://here:81/a?b"), "Referer: http://here:81/a?b\n");
  EXPECT_EQ(origin("http://there/a?b"), "Referer: http://there/\n");
  EXPECT_EQ(origin("http://here/a?b"), "Referer: http://here/\n");
  EXPECT_EQ(origin("https://there/a?b"), "");
  EXPECT_EQ(origin("http://user:pw@there/a"), "Referer: http://there/\n");
  EXPECT_EQ(origin("http://user:p@w@there:1?a@b"), "Referer: http://there:1/\n");
  EXPECT_EQ(origin("http://user:pw@here:81/a"), "Referer: http://user:pw@here:81/a\n");
  EXPECT_EQ(origin("http://there/a@b"), "Referer: http://there/\n");
  EXPECT_EQ(origin("about:blank"), "");
  EXPECT_EQ(referer_of(RefererPolicy::same_origin, "http://there/a"), "");
  EXPECT_EQ(referer_of(RefererPolicy::same_origin, "http://here:81/a"),
            "Referer: http://here:81/a\n");
  EXPECT_EQ(referer_of(RefererPolicy::remove, "http://here:81/a"), "");
  EXPECT_EQ(referer_of(RefererPolicy::keep, "https://there/a"), "Referer: https://there/a\n");
}

TEST(PrivacyFilter, WhatRequestsTell) {
  const PrivacyFilterSettings settings{.user_agent = "none"};
  FilteredTransaction t(std::make_unique<PrivacyFilter>(settings, FilterSide::client));
  FilteredTransaction::add(t.request.fields, "X-Forwarded-For", "1.2.3.4");
  FilteredTransaction::add(t.request.fields, "x-real-ip", "1.2.3.4");
  FilteredTransaction::add(t.request.fields, "User-Agent", "curl");
  FilteredTransaction::add(t.request.fields, "Cookie", "a=b");
  EXPECT_EQ(t.ask(), AdaptResult::go_on);
  EXPECT_EQ(FilteredTransaction::all(t.request.fields),
            "User-Agent: none\nCookie: a=b\nDNT: 1\nSec-GPC: 1\n");
}

bool third(std::string_view fields, std::string_view host = "www.a.example") {
  RequestHead head;
  for_each_element(fields, [&head](std::string_view line) {
    const std::size_t colon = line.find(' ');
    const std::string_view name = line.substr(0, colon);
    head.fields.add(field_id(name), name, line.substr(colon + 1));
  });
  return is_third_party(head, host);
}

TEST(PrivacyFilter, ThirdParties) {
  EXPECT_TRUE(third("Sec-Fetch-Site cross-site, Sec-Fetch-Mode no-cors"));
  EXPECT_FALSE(third("Sec-Fetch-Site cross-site, Sec-Fetch-Mode navigate"));
  EXPECT_FALSE(
      third("Sec-Fetch-Site cross-site, Sec-Fetch-Mode navigate, Sec-Fetch-Dest document"));
  for (const std::string part : {"iframe", "frame", "embed", "object", "fencedframe"}) {
    EXPECT_TRUE(third("Sec-Fetch-Site cross-site, Sec-Fetch-Mode navigate, Sec-Fetch-Dest " + part,
                      "b.example"))
        << part;
  }
  EXPECT_FALSE(third("Referer http://a.example@www.a.example/"));
  EXPECT_TRUE(third("Referer http://www.a.example@b.example/"));
  EXPECT_FALSE(third("Sec-Fetch-Site same-site, Referer http://b.example/"));
  EXPECT_TRUE(third("Referer http://b.example/"));
  EXPECT_FALSE(third("Referer http://b.example/, Accept text/html"));
  EXPECT_FALSE(third("Referer http://A.Example:81/x"));
  EXPECT_FALSE(third("Accept */*"));
  EXPECT_TRUE(third("Referer http://192.0.2.1/", "192.9.2.1"));
}

TEST(PrivacyFilter, CookiesOfThirdParties) {
  const PrivacyFilterSettings settings{.third_party_cookies = false};
  for (const bool third_party : {false, true}) {
    FilteredTransaction t(std::make_unique<PrivacyFilter>(settings, FilterSide::client));
    FilteredTransaction::add(t.request.fields, "Host", "ads.example");
    FilteredTransaction::add(t.request.fields, "Cookie", "a=b");
    FilteredTransaction::add(t.request.fields, "Referer",
                             third_party ? "http://news.test/" : "http://www.ads.example/");
    t.ask();
    EXPECT_EQ(t.request.fields.has(FieldId::cookie), !third_party);
    FilteredTransaction::add(t.response.fields, "Set-Cookie", "a=b");
    t.respond("x");
    EXPECT_EQ(t.response.fields.has(FieldId::set_cookie), !third_party);
    EXPECT_FALSE(t.wrapped);
  }
}

}  // namespace
}  // namespace penstock
