#include "cache/rfc9111/freshness.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "message/date.h"

namespace penstock::rfc9111 {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds kNow{1'790'000'000s};

using Lines = std::vector<std::pair<FieldId, std::string>>;

FieldSection fields_of(const Lines& lines) {
  FieldSection fields;
  for (const auto& [id, value] : lines) fields.add(id, fields.keep(value));
  return fields;
}

std::string at(seconds from_now) { return std::string(http_date(kNow + from_now)); }

TEST(Age, Field) {  // RFC 9111 section 5.1
  const auto age = [](const std::vector<std::string>& lines) {
    FieldSection fields;
    for (const std::string& line : lines) fields.add(FieldId::age, fields.keep(line));
    return age_field(fields);
  };
  EXPECT_EQ(age({"30"}), 30s);
  EXPECT_EQ(age({"99999999999"}), kMaxDelta);
  EXPECT_EQ(age({"7200,0"}), 7200s);
  EXPECT_EQ(age({"0, 7200"}), 0s);
  EXPECT_EQ(age({"7200", "0"}), 7200s);
  EXPECT_EQ(age({"0", "7200"}), 0s);
  EXPECT_EQ(age({"7200 , 1"}), 7200s);
  for (const std::string value : {"abc", "-7200", "7200.0", "7200;foo=bar", "", ",5", "\"5\""}) {
    EXPECT_FALSE(age({value})) << value;
  }
  EXPECT_FALSE(age({"abc", "5"}));
  EXPECT_FALSE(age({}));
}

TEST(Age, Times) {
  const Times times =
      response_times(fields_of({{FieldId::date, at(-10s)}, {FieldId::age, "30"}}), kNow - 2s, kNow);
  EXPECT_EQ(times.date_value, kNow - 10s);
  EXPECT_EQ(times.age_value, 30s);
  EXPECT_EQ(times.request_time, kNow - 2s);
  EXPECT_EQ(times.response_time, kNow);
  EXPECT_EQ(response_times(fields_of({}), kNow, kNow).date_value, kNow);
  EXPECT_EQ(response_times(fields_of({{FieldId::date, "foo"}}), kNow, kNow).date_value, kNow);
  EXPECT_EQ(response_times(fields_of({{FieldId::age, "foo"}}), kNow, kNow).age_value, 0s);
}

TEST(Age, Initial) {  // section 4.2.3
  const auto initial = [](seconds date_value, seconds age, seconds request = 0s) {
    return corrected_initial_age({.request_time = kNow + request,
                                  .response_time = kNow,
                                  .date_value = kNow + date_value,
                                  .age_value = age});
  };
  EXPECT_EQ(initial(0s, 0s), 0s);
  EXPECT_EQ(initial(-10s, 0s), 10s);       // apparent age
  EXPECT_EQ(initial(-10s, 30s), 30s);      // Age
  EXPECT_EQ(initial(-10s, 5s), 10s);       // the larger one
  EXPECT_EQ(initial(0s, 30s, -4s), 34s);   // and the time it took
  EXPECT_EQ(initial(-10s, 0s, -4s), 10s);  // which Date has in it
  EXPECT_EQ(initial(100s, 0s), 0s);        // a fast clock over there
  EXPECT_EQ(initial(0s, 30s, 50s), 30s);   // ours was set back meanwhile
  EXPECT_EQ(initial(0s, kMaxDelta, -50s), kMaxDelta);
  EXPECT_EQ(initial(-(1LL << 40) * 1s, 0s), kMaxDelta);
}

TEST(Age, Current) {
  EXPECT_EQ(current_age(30s, kNow, kNow), 30s);
  EXPECT_EQ(current_age(30s, kNow, kNow + 12s), 42s);
  EXPECT_EQ(current_age(30s, kNow, kNow - 12s), 30s);
  EXPECT_EQ(current_age(30s, kNow, kNow + (1LL << 40) * 1s), kMaxDelta);
}

// The lifetime as text: "3600 max-age".
std::string lifetime(const Lines& lines, int status = 200, const LifetimeOptions& options = {},
                     bool targeted = false) {
  const FieldSection fields = fields_of(lines);
  const Times times = response_times(fields, kNow, kNow);
  const Lifetime found = freshness_lifetime(status, fields, response_directives(fields), targeted,
                                            times.date_value, options);
  EXPECT_EQ(found.is_explicit(),
            found.source != LifetimeSource::none && found.source != LifetimeSource::heuristic);
  return std::to_string(found.value.count()) + " " + std::string(to_string(found.source));
}

TEST(Freshness, Precedence) {  // section 4.2.1
  using enum FieldId;
  EXPECT_EQ(lifetime({}), "0 none");
  EXPECT_EQ(lifetime({{cache_control, "max-age=3600"}}), "3600 max-age");
  EXPECT_EQ(lifetime({{cache_control, "max-age=1, s-maxage=3600"}}), "3600 s-maxage");
  EXPECT_EQ(lifetime({{cache_control, "s-maxage=1"}, {cache_control, "max-age=3600"}}),
            "1 s-maxage");
  EXPECT_EQ(lifetime({{expires, at(-10s)}, {cache_control, "max-age=0, s-maxage=3600"}}),
            "3600 s-maxage");
  EXPECT_EQ(lifetime({{expires, at(3600s)}, {cache_control, "max-age=0"}}), "0 max-age");
  EXPECT_EQ(lifetime({{expires, "0"}, {cache_control, "max-age=60"}}), "60 max-age");
  EXPECT_EQ(lifetime({{expires, at(3600s)}, {cache_control, "max-age=x"}}), "0 max-age");
}

TEST(Freshness, Expires) {  // section 5.3
  using enum FieldId;
  EXPECT_EQ(lifetime({{expires, at(3600s)}}), "3600 expires");
  EXPECT_EQ(lifetime({{expires, at(3600s)}, {FieldId::date, at(-10s)}}), "3610 expires");
  EXPECT_EQ(lifetime({{expires, at(300s)}, {FieldId::date, at(400s)}}), "0 expires");
  EXPECT_EQ(lifetime({{expires, at(0s)}, {FieldId::date, at(0s)}}), "0 expires");
  EXPECT_EQ(lifetime({{expires, at(10s)}, {FieldId::date, "foo"}}), "10 expires");
  EXPECT_EQ(lifetime({{expires, "0"}}), "0 expires");
  EXPECT_EQ(lifetime({{expires, ""}}), "0 expires");
  EXPECT_EQ(lifetime({{expires, at(5s)}, {expires, at(9s)}}), "5 expires");
  EXPECT_EQ(lifetime({{expires, "0"}, {expires, at(9s)}}), "0 expires");
  EXPECT_EQ(lifetime({{expires, "Fri, 31 Dec 9999 23:59:59 GMT"}}), "2147483648 expires");
  // An expiration that is given forbids a heuristic.
  EXPECT_EQ(lifetime({{expires, "0"}, {last_modified, at(-86400s)}}), "0 expires");
}

TEST(Freshness, Heuristic) {  // section 4.2.2
  using enum FieldId;
  const Lines day_old = {{last_modified, at(-86400s)}};
  EXPECT_EQ(lifetime(day_old), "8640 heuristic");
  EXPECT_EQ(lifetime({{last_modified, at(-86400s)}, {FieldId::date, at(-400s)}}), "8600 heuristic");
  EXPECT_EQ(lifetime({{last_modified, at(-8'640'000s)}}), "86400 heuristic");  // the bound
  EXPECT_EQ(lifetime({{last_modified, at(5s)}}), "0 heuristic");
  EXPECT_EQ(lifetime({{last_modified, "foo"}}), "0 none");
  EXPECT_EQ(lifetime(day_old, 200, {.heuristic_percent = 50}), "43200 heuristic");
  EXPECT_EQ(lifetime(day_old, 200, {.heuristic_max = 60s}), "60 heuristic");
  EXPECT_EQ(lifetime(day_old, 200, {.heuristic_percent = 0}), "0 none");
  EXPECT_EQ(lifetime({}, 200, {.heuristic_default = 60s}), "60 heuristic");
  EXPECT_EQ(lifetime({}, 403, {.heuristic_default = 60s}), "0 none");
  EXPECT_EQ(lifetime({{cache_control, "max-age=1"}, {last_modified, at(-86400s)}}), "1 max-age");
}

TEST(Freshness, StatusesWithHeuristic) {  // RFC 9110 section 15.1
  using enum FieldId;
  for (int status = 200; status < 600; ++status) {
    const std::vector<int> allowed = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
    const bool expected = std::ranges::find(allowed, status) != allowed.end();
    EXPECT_EQ(is_heuristically_cacheable(status), expected) << status;
  }
  EXPECT_EQ(lifetime({{last_modified, at(-100s)}}, 599), "0 none");
  EXPECT_EQ(lifetime({{last_modified, at(-100s)}, {cache_control, "public"}}, 599), "10 heuristic");
}

TEST(Freshness, TargetedAndOverride) {
  using enum FieldId;
  const Lines lines = {{cache_control, "max-age=60"}, {expires, at(600s)}};
  EXPECT_EQ(lifetime(lines, 200, {}, true), "60 targeted");
  EXPECT_EQ(lifetime({{cache_control, "s-maxage=6"}}, 200, {}, true), "6 targeted");
  EXPECT_EQ(lifetime({{expires, at(600s)}}, 200, {}, true), "0 none");
  EXPECT_EQ(lifetime(lines, 200, {.override_lifetime = 5s}), "5 override");
  EXPECT_EQ(lifetime({}, 500, {.override_lifetime = 5s}), "5 override");
}

}  // namespace
}  // namespace penstock::rfc9111
