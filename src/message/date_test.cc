#include "message/date.h"

#include <chrono>
#include <string>

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
}

TEST(HttpDate, EveryMonthAndDay) {
  // The first of each month of 2023, and the week from its first Sunday on.
  const char* const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const char* const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  using namespace std::chrono;
  for (unsigned i = 0; i < 12; ++i) {
    const sys_days first = year(2023) / month(i + 1) / day(1);
    EXPECT_EQ(http_date(first).substr(8, 3), months[i]);
  }
  for (unsigned i = 0; i < 7; ++i) {
    const sys_days date = year(2023) / January / day(1 + i);
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

}  // namespace
}  // namespace penstock
