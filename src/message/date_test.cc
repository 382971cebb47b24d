#include "message/date.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string date_of(long long seconds) {
  return std::string(
      http_date(std::chrono::system_clock::time_point(std::chrono::seconds(seconds))));
}

TEST(HttpDate, KnownMoments) {
  EXPECT_EQ(date_of(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110 section 5.6.7
  EXPECT_EQ(date_of(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date_of(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(date_of(951'868'799), "Tue, 29 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(date_of(951'868'800), "Wed, 01 Mar 2000 00:00:00 GMT");
  EXPECT_EQ(date_of(1'735'689'599), "Tue, 31 Dec 2024 23:59:59 GMT");
  EXPECT_EQ(date_of(4'102'444'800), "Fri, 01 Jan 2100 00:00:00 GMT");
  using std::chrono::seconds;
  using std::chrono::sys_seconds;
  EXPECT_EQ(http_date(sys_seconds(seconds(253'402'300'800))), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(http_date(sys_seconds(seconds(-62'135'596'800))), "Wed, 01 Jan 1000 00:00:00 GMT");
}

TEST(HttpDate, EveryMonthAndDay) {
  // The first of each month of 2023, and the week from its first Sunday on.
  const char* const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const char* const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  using namespace std::chrono;
  for (unsigned i = 0; i < 12; ++i) {
    const sys_seconds first = sys_days(year(2023) / month(i + 1) / day(1));
    EXPECT_EQ(http_date(first).substr(8, 3), months[i]);
  }
  for (unsigned i = 0; i < 7; ++i) {
    const sys_seconds date = sys_days(year(2023) / January / day(1 + i));
    EXPECT_EQ(http_date(date).substr(0, 3), days[i]);
  }
}

TEST(HttpDate, PartsOfASecondDoNotCount) {
  using std::chrono::milliseconds;
  const std::chrono::system_clock::time_point time{milliseconds(784'111'777'999)};
  EXPECT_EQ(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(time + milliseconds(1)), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");  // back again
}

// --- Parsing. RFC 9110 section 5.6.7 ---

constexpr std::chrono::sys_seconds kNow{std::chrono::seconds(1'790'000'000)};  // September 2026

// What the text means, as an IMF-fixdate; "" for nothing.
std::string moment_of(std::string_view text, std::chrono::sys_seconds now = kNow) {
  const std::optional<std::chrono::sys_seconds> moment = parse_http_date(text, now);
  return moment ? std::string(http_date(*moment)) : "";
}

TEST(ParseHttpDate, ThreeFormats) {
  const std::string expected = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(moment_of("Sun, 06 Nov 1994 08:49:37 GMT"), expected);
  EXPECT_EQ(moment_of("Sunday, 06-Nov-94 08:49:37 GMT"), expected);
  EXPECT_EQ(moment_of("Sun Nov  6 08:49:37 1994"), expected);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT")->time_since_epoch().count(),
            784'111'777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994")->time_since_epoch().count(), 784'111'777);
}

TEST(ParseHttpDate, WhatIsWrittenIsRead) {
  for (long long second = 0; second < 253'402'300'800; second += 86'399LL * 977) {
    const std::chrono::sys_seconds moment{std::chrono::seconds(second)};
    EXPECT_EQ(parse_http_date(http_date(moment), kNow), moment);
  }
}

TEST(ParseHttpDate, NamesInAnyCase) {
  const std::string expected = "Thu, 18 Aug 2050 02:01:18 GMT";
  for (const std::string_view text :
       {"THU, 18 Aug 2050 02:01:18 GMT", "Thu, 18 AUG 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 gMT", "Thursday, 18-Aug-50 02:01:18 GMT",
        "Fri, 18 Aug 2050 02:01:18 GMT", "thu aug 18 02:01:18 2050"}) {
    EXPECT_EQ(moment_of(text), expected) << text;
  }
  EXPECT_EQ(moment_of("Sat, 31 Dec 2016 23:59:60 GMT"), "Sun, 01 Jan 2017 00:00:00 GMT");
}

TEST(ParseHttpDate, WhatIsNoDate) {
  for (const std::string_view text :
       {"",
        "0",
        "-1",
        "foo",
        "Thu, 18 Aug 2050 02:01:18",
        "Thu, 18 Aug 2050 02:01:18 AEST",
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "Thu,18 Aug 2050 02:01:18 GMT",
        "Thursday, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18-Aug-50 02:01:18 GMT",
        "Thu Aug 8 02:01:18 2050",
        "Thursday Aug 18 02:01:18 2050",
        "Thu, 18 Aug 2050 02:01:18 +0000",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 02:01 GMT",
        "Thu, 18 Aug 205 02:01:18 GMT",
        "Thu, 18 Aug 20500 02:01:18 GMT",
        "Thu, 18 Aug 2050 24:00:00 GMT",
        "Thu, 18 Aug 2050 02:60:18 GMT",
        "Thu, 18 Aug 2050 02:01:61 GMT",
        "Thu, 18 Aug 2050 002:01:18 GMT",
        "Thu, 18 Aug 2050 02:1:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT ",
        " Thu, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18/Aug/2050 02:01:18 GMT",
        "Thu, 18 August 2050 02:01:18 GMT",
        "Thu, 0 Aug 2050 02:01:18 GMT",
        "Thu, 32 Aug 2050 02:01:18 GMT",
        "Tue, 29 Feb 2023 00:00:00 GMT",
        "Tue, 29 Feb 2100 00:00:00 GMT",
        "Thu, 118 Aug 2050 02:01:18 GMT",
        "Thurs, 18 Aug 2050 02:01:18 GMT",
        "18 Aug 2050 02:01:18 GMT",
        ", 18 Aug 2050 02:01:18 GMT",
        "Thu Aug 18 02:01:18 50",
        "Thu Aug 18 02:01:18 2050 GMT",
        "2050-08-18T02:01:18Z"}) {
    EXPECT_EQ(moment_of(text), "") << text;
  }
}

TEST(ParseHttpDate, YearsToTheEnd) {
  EXPECT_EQ(moment_of("Fri, 31 Dec 9999 23:59:59 GMT"), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(moment_of("Tue, 19 Jan 2038 03:14:08 GMT"), "Tue, 19 Jan 2038 03:14:08 GMT");
  EXPECT_EQ(parse_http_date("Mon, 01 Jan 0001 00:00:00 GMT", kNow)->time_since_epoch().count(),
            -62'135'596'800);
}

TEST(ParseHttpDate, TwoDigitsAreAtMostFiftyYearsAhead) {
  const auto year_of = [](std::string_view text, std::string_view now) {
    return moment_of(text, *parse_http_date(now, kNow)).substr(12, 4);
  };
  const std::string_view now = "Sun, 01 Mar 2026 12:00:00 GMT";
  EXPECT_EQ(year_of("Sunday, 01-Mar-76 12:00:00 GMT", now), "2076");
  EXPECT_EQ(year_of("Sunday, 01-Mar-76 12:00:01 GMT", now), "1976");
  EXPECT_EQ(year_of("Sunday, 01-Mar-77 12:00:00 GMT", now), "1977");
  EXPECT_EQ(year_of("Sunday, 01-Mar-25 12:00:00 GMT", now), "2025");
  EXPECT_EQ(year_of("Sunday, 01-Mar-99 12:00:00 GMT", now), "1999");
  EXPECT_EQ(year_of("Sunday, 29-Feb-76 12:00:00 GMT", now), "2076");
  EXPECT_EQ(year_of("Sunday, 01-Mar-05 12:00:00 GMT", "Sun, 01 Mar 2099 12:00:00 GMT"), "2105");
  EXPECT_EQ(year_of("Sunday, 01-Mar-99 12:00:00 GMT", "Sun, 01 Mar 2099 12:00:00 GMT"), "2099");
  // 29 February: there is none fifty years later.
  EXPECT_EQ(year_of("Sunday, 01-Mar-74 00:00:00 GMT", "Thu, 29 Feb 2024 00:00:00 GMT"), "2074");
  EXPECT_EQ(year_of("Sunday, 01-Mar-74 00:00:01 GMT", "Thu, 29 Feb 2024 00:00:00 GMT"), "1974");
  // 2100 has none, and the one a century earlier is meant.
  EXPECT_EQ(moment_of("Sunday, 29-Feb-00 12:00:00 GMT", *parse_http_date(now, kNow)),
            "Tue, 29 Feb 2000 12:00:00 GMT");
}

}  // namespace
}  // namespace penstock
