#include "cache/rfc9111/targeted.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::rfc9111 {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kList = {"Penstock-Cache-Control", "CDN-Cache-Control",
                                        "Surrogate-Control"};

using Lines = std::vector<std::pair<std::string_view, std::string_view>>;

std::optional<Targeted> of(const Lines& lines, const Surrogate& surrogate = {}) {
  FieldSection fields;
  for (const auto& [name, value] : lines) fields.add(field_id(name), name, value);
  return targeted_directives(fields, kList, surrogate);
}

std::optional<Targeted> cdn(std::string_view value) { return of({{"CDN-Cache-Control", value}}); }

TEST(TargetedFields, FirstOfTheListCounts) {  // RFC 9213 section 2.2
  const auto both =
      of({{"cdn-cache-control", "max-age=1"}, {"Penstock-Cache-Control", "no-store"}});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->field, "Penstock-Cache-Control");
  EXPECT_TRUE(both->directives.no_store);
  EXPECT_FALSE(both->directives.max_age);
  EXPECT_FALSE(of({{"Cache-Control", "max-age=1"}}));
  EXPECT_FALSE(of({}));
}

TEST(TargetedFields, InvalidAndEmptyOnesArePassedOver) {  // section 2.1
  for (const std::string_view value :
       {"", "max-age=10000, &&&&&", "max-age =100", "max-age= 100", "MaX-aGe=3600", "max-age=1,",
        "max-age='1'", "private=\"a"}) {
    EXPECT_FALSE(cdn(value)) << value;
    const auto next = of({{"Penstock-Cache-Control", value}, {"CDN-Cache-Control", "max-age=7"}});
    ASSERT_TRUE(next) << value;
    EXPECT_EQ(next->directives.max_age, 7s);
    EXPECT_EQ(next->field, "CDN-Cache-Control");
  }
}

TEST(TargetedFields, Values) {
  EXPECT_EQ(cdn("max-age=3600")->directives.max_age, 3600s);
  EXPECT_EQ(cdn("max-age=99999999999")->directives.max_age, kMaxDelta);
  EXPECT_EQ(cdn("max-age=-5")->directives.max_age, 0s);
  EXPECT_EQ(cdn("max-age=5;x=1, foobar")->directives.max_age, 5s);
  EXPECT_EQ(cdn("max-age=5, max-age=6")->directives.max_age, 6s);
  EXPECT_TRUE(cdn("foobar"));  // valid: Cache-Control does not count
  const Directives all = cdn("s-maxage=1, stale-while-revalidate=2, stale-if-error=3, no-cache, "
                             "private, public, must-revalidate, proxy-revalidate, must-understand, "
                             "immutable, no-transform, no-store")
                             ->directives;
  EXPECT_EQ(all.s_maxage, 1s);
  EXPECT_EQ(all.stale_while_revalidate, 2s);
  EXPECT_EQ(all.stale_if_error, 3s);
  EXPECT_TRUE(all.no_cache && all.is_private && all.is_public && all.must_revalidate);
  EXPECT_TRUE(all.proxy_revalidate && all.must_understand && all.immutable && all.no_transform);
  EXPECT_TRUE(all.no_store);
  EXPECT_FALSE(cdn("no-store=?0")->directives.no_store);
}

TEST(TargetedFields, ListsOfFieldNames) {
  const Directives listed = cdn("no-cache=\"a, b\", private=Set-Cookie")->directives;
  EXPECT_FALSE(listed.no_cache || listed.is_private);
  EXPECT_TRUE(listed.no_cache_fields.contains("B"));
  EXPECT_TRUE(listed.private_fields.contains("set-cookie"));
  EXPECT_TRUE(cdn("private=\"a b\"")->directives.is_private);
  EXPECT_TRUE(cdn("private=\"\"")->directives.is_private);
}

TEST(TargetedFields, WrongTypesAreNotUsed) {
  EXPECT_FALSE(cdn("max-age=\"10000\""));
  EXPECT_FALSE(cdn("max-age=6.5"));
  EXPECT_FALSE(cdn("max-age"));
  EXPECT_FALSE(cdn("max-age=(1)"));
  EXPECT_FALSE(cdn("no-store=1"));
  EXPECT_FALSE(cdn("private=(a)"));
  EXPECT_FALSE(cdn("no-cache=1"));
  const auto other = cdn("max-age=\"10000\", no-store");
  ASSERT_TRUE(other);
  EXPECT_TRUE(other->directives.no_store);
  EXPECT_FALSE(other->directives.max_age);
  EXPECT_FALSE(cdn("public, max-age=60, max-age=\"60\"")->directives.max_age);
}

TEST(TargetedFields, SeveralLinesAreOne) {
  const auto joined = of({{"CDN-Cache-Control", "max-age=1"}, {"CDN-Cache-Control", "no-cache"}});
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->directives.max_age, 1s);
  EXPECT_TRUE(joined->directives.no_cache);
  EXPECT_FALSE(of({{"CDN-Cache-Control", "max-age=1"}, {"CDN-Cache-Control", "&"}}));
}

std::optional<Directives> surrogate(std::string_view value, const Surrogate& us = {.token = "us"}) {
  const auto found = of({{"surrogate-control", value}}, us);
  if (!found) return std::nullopt;
  return found->directives;
}

TEST(SurrogateControl, Directives) {  // Edge Architecture Specification section 2
  EXPECT_EQ(surrogate("max-age=3600")->max_age, 3600s);
  EXPECT_EQ(surrogate("MaX-aGe=3600")->max_age, 3600s);
  EXPECT_EQ(surrogate("max-age=99999999999")->max_age, kMaxDelta);
  EXPECT_EQ(surrogate("foobar, max-age=3600, max-age=1")->max_age, 3600s);
  EXPECT_EQ(surrogate("max-age= 100")->max_age, 0s);
  EXPECT_EQ(surrogate("max-age=x+5")->max_age, 0s);
  EXPECT_FALSE(surrogate("max-age=x+5")->stale_if_error);
  EXPECT_TRUE(surrogate("No-Store")->no_store);
  EXPECT_FALSE(surrogate("no-store-remote"));
  EXPECT_TRUE(surrogate("no-store-remote", {.remote = true})->no_store);
  const Directives extended = *surrogate("max-age=3600+600");
  EXPECT_EQ(extended.max_age, 3600s);
  EXPECT_EQ(extended.stale_while_revalidate, 600s);
  EXPECT_EQ(extended.stale_if_error, 600s);
}

TEST(SurrogateControl, WhereNothingIsForUsItIsPassedOver) {
  for (const std::string_view value :
       {"", "foo", "content=\"ESI/1.0\"", "max-age =100", "max-age=3600;them", "no-store;them",
        "content=\"a, max-age=5\""}) {
    EXPECT_FALSE(surrogate(value)) << value;
  }
  EXPECT_FALSE(surrogate("max-age=5;us", {}));
  EXPECT_FALSE(surrogate("max-age=5;", {}));
}

TEST(SurrogateControl, Targets) {
  EXPECT_EQ(surrogate("max-age=3600;us")->max_age, 3600s);
  EXPECT_EQ(surrogate("max-age=3600 ; US")->max_age, 3600s);
  EXPECT_EQ(surrogate("max-age=3600, max-age=600;us, max-age=60;them")->max_age, 600s);
  EXPECT_EQ(surrogate("max-age=3600, max-age=60;them")->max_age, 3600s);
  EXPECT_FALSE(surrogate("no-store, max-age=60;us")->no_store);
  EXPECT_EQ(surrogate("content=\"a;b\";them, max-age=5")->max_age, 5s);
}

}  // namespace
}  // namespace penstock::rfc9111
