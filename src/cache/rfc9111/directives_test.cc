#include "cache/rfc9111/directives.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::rfc9111 {
namespace {

using namespace std::chrono_literals;

Directives of_lines(const std::vector<std::string_view>& lines) {
  FieldSection fields;
  for (const std::string_view line : lines) fields.add(FieldId::cache_control, line);
  return response_directives(fields);
}

Directives of_line(std::string_view line) { return of_lines({line}); }

std::vector<std::string> names_in(const FieldNames& names) {
  std::vector<std::string> all;
  names.for_each([&](std::string_view name) { all.emplace_back(name); });
  return all;
}

TEST(Directives, DeltaSeconds) {  // RFC 9111 section 1.2.2
  EXPECT_EQ(parse_delta_seconds("0"), 0s);
  EXPECT_EQ(parse_delta_seconds("003600"), 3600s);
  EXPECT_EQ(parse_delta_seconds("2147483647"), 2147483647s);
  EXPECT_EQ(parse_delta_seconds("2147483648"), kMaxDelta);
  EXPECT_EQ(parse_delta_seconds("2147483649"), kMaxDelta);
  EXPECT_EQ(parse_delta_seconds("99999999999"), kMaxDelta);
  EXPECT_EQ(parse_delta_seconds(std::string(1000, '9')), kMaxDelta);
  for (const std::string_view text : {"", "-1", "+1", "1.0", "1a", "a1", " 1", "1 ", "'1'"}) {
    EXPECT_FALSE(parse_delta_seconds(text)) << text;
  }
}

TEST(Directives, MaxAge) {
  const struct {
    std::string_view line;
    std::optional<seconds> expected;
  } cases[] = {
      {"max-age=3600", 3600s},
      {"MaX-aGe=3600", 3600s},
      {"max-age=\"3600\"", 3600s},
      {"max-age=003600", 3600s},
      {"foobar, max-age=3600", 3600s},
      {"foobar=1, ,max-age=3600 ,", 3600s},
      {"max-age='3600'", 0s},
      {"max-age=3600.0", 0s},
      {"max-age=3600.5", 0s},
      {"max-age=a3600", 0s},
      {"max-age=3600a", 0s},
      {"max-age=-3600", 0s},
      {"max-age= 3600", 0s},
      {"max-age=", 0s},
      {"max-age", 0s},
      {"max-age=\"\"", 0s},
      {"max-age=\"36\\00\"", 0s},
      {"max-age=\"3600\"0", 0s},
      {"max-age=3600;x", 0s},
      {"max-age =3600", std::nullopt},
      {"x-max-age=3600", std::nullopt},
      {"extension=\"max-age=3600\"", std::nullopt},
      {"extension=\"max-age=3600\", max-age=1", 1s},
      {"max-age=1, extension=\"max-age=3600\"", 1s},
      {"extension=\"a, \\\", max-age=3600, \", max-age=1", 1s},
      {"max-age=3600, max-age=1800", 3600s},
      {"max-age=1, max-age=1800", 1s},
      {"", std::nullopt},
  };
  for (const auto& test : cases) EXPECT_EQ(of_line(test.line).max_age, test.expected) << test.line;
  EXPECT_EQ(of_lines({"max-age=1", "max-age=1800"}).max_age, 1s);
  EXPECT_EQ(of_lines({"foo", "max-age=1800"}).max_age, 1800s);
}

TEST(Directives, OfResponses) {  // section 5.2.2, RFC 5861, RFC 8246
  const Directives all = of_lines(
      {"no-cache, No-Store, no-transform, must-revalidate, proxy-revalidate, must-understand",
       "private, PUBLIC, immutable, s-maxage=1, stale-while-revalidate=2, stale-if-error=3"});
  EXPECT_TRUE(all.no_cache && all.no_store && all.no_transform && all.must_revalidate);
  EXPECT_TRUE(all.proxy_revalidate && all.must_understand && all.is_private && all.is_public);
  EXPECT_TRUE(all.immutable);
  EXPECT_EQ(all.s_maxage, 1s);
  EXPECT_EQ(all.stale_while_revalidate, 2s);
  EXPECT_EQ(all.stale_if_error, 3s);
  EXPECT_FALSE(all.malformed || all.only_if_cached || all.max_age || all.max_stale);
}

TEST(Directives, ArgumentsThatDoNotBelong) {
  const Directives forbidding =
      of_line("no-store=1, must-revalidate=\"x\", proxy-revalidate=, no-transform=a");
  EXPECT_TRUE(forbidding.no_store && forbidding.must_revalidate && forbidding.proxy_revalidate);
  EXPECT_TRUE(forbidding.no_transform);
  const Directives allowing = of_line("public=1, immutable=\"x\", must-understand=");
  EXPECT_FALSE(allowing.is_public || allowing.immutable || allowing.must_understand);
}

TEST(Directives, ListsOfFieldNames) {  // sections 5.2.2.4 and 5.2.2.7
  const Directives listed = of_line("no-cache=\"a, B\", private=Set-Cookie, max-age=5");
  EXPECT_FALSE(listed.no_cache || listed.is_private);
  EXPECT_EQ(names_in(listed.no_cache_fields), (std::vector<std::string>{"a", "B"}));
  EXPECT_TRUE(listed.no_cache_fields.contains("b"));
  EXPECT_FALSE(listed.no_cache_fields.contains("c"));
  EXPECT_TRUE(listed.private_fields.contains("set-cookie"));
  EXPECT_EQ(listed.max_age, 5s);

  const Directives twice = of_lines({"private=\"a\"", "private=\"b\""});
  EXPECT_EQ(names_in(twice.private_fields), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(twice.is_private);

  const Directives both = of_line("no-cache, no-cache=\"a\"");
  EXPECT_TRUE(both.no_cache && both.no_cache_fields.contains("a"));
}

TEST(Directives, ListsThatAreNotUnderstoodMeanTheWholeResponse) {
  for (const std::string_view argument :
       {"\"\"", "", "\" , \"", "\"a b\"", "\"a, b;c\"", "\"a\\b\"", "\"a\"b"}) {
    const std::string line = "private=" + std::string(argument);
    EXPECT_TRUE(of_line(line).is_private) << line;
  }
  // More lists than there is room for.
  EXPECT_TRUE(of_line("no-cache=a, no-cache=b, no-cache=c").no_cache);
}

TEST(Directives, QuotedStringsThatAreNotClosed) {
  EXPECT_TRUE(of_line("max-age=3600, foo=\"bar, no-store").malformed);
  EXPECT_TRUE(of_line("foo=\"bar\\\"").malformed);
  EXPECT_TRUE(of_lines({"foo=\"", "max-age=1"}).malformed);
  EXPECT_FALSE(of_line("foo=\"bar\\\\\", max-age=1").malformed);
}

Directives of_request(std::string_view cache_control, std::string_view pragma = {}) {
  FieldSection fields;
  if (!cache_control.empty()) fields.add(FieldId::cache_control, cache_control);
  if (!pragma.empty()) fields.add(FieldId::pragma, pragma);
  return request_directives(fields);
}

TEST(Directives, OfRequests) {  // section 5.2.1
  const Directives all =
      of_request("max-age=1, max-stale=2, min-fresh=3, stale-if-error=4, only-if-cached, no-cache");
  EXPECT_EQ(all.max_age, 1s);
  EXPECT_EQ(all.max_stale, 2s);
  EXPECT_EQ(all.min_fresh, 3s);
  EXPECT_EQ(all.stale_if_error, 4s);
  EXPECT_TRUE(all.only_if_cached && all.no_cache);
  EXPECT_EQ(of_request("max-stale").max_stale, kMaxDelta);
  EXPECT_EQ(of_request("max-stale=").max_stale, 0s);
  EXPECT_EQ(of_request("max-stale=x").max_stale, 0s);
}

TEST(Directives, Pragma) {  // section 5.4
  EXPECT_TRUE(of_request("", "no-cache").no_cache);
  EXPECT_TRUE(of_request("", "foo, No-Cache").no_cache);
  EXPECT_FALSE(of_request("", "foo=\"no-cache\"").no_cache);
  EXPECT_FALSE(of_request("max-age=5", "no-cache").no_cache);
  EXPECT_FALSE(of_request("").no_cache);
  FieldSection response;
  response.add(FieldId::pragma, "no-cache");
  EXPECT_FALSE(response_directives(response).no_cache);
}

}  // namespace
}  // namespace penstock::rfc9111
