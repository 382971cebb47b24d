#include "base/quantity.h"

#include <limits>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

TEST(Quantity, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms"), Duration(500ms));
  EXPECT_EQ(parse_duration("30s"), Duration(30s));
  EXPECT_EQ(parse_duration("2m"), Duration(2min));
  EXPECT_EQ(parse_duration("1h"), Duration(1h));
  EXPECT_EQ(parse_duration("0s"), Duration(0s));
}

TEST(Quantity, SaysWhatIsWrongWithADuration) {
  for (const auto* text : {"", "s", "-1s", " 30s", "1.5s", "30 s", "30x", "30S", "1h30m",
                           "99999999999999999999s", "9999999999999999h"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
  EXPECT_EQ(parse_duration("30").error(), R"("30" has no unit: say which, as in "30s")");
  EXPECT_EQ(parse_duration("30x").error(),
            R"("30x" has an unknown unit; the units are h, m, s, ms)");
  EXPECT_EQ(parse_duration("9999999999999999h").error(),
            R"("9999999999999999h" is too large a number)");
}

TEST(Quantity, ReadsSizes) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("4096B"), 4096U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("64kB"), 64000U);
  EXPECT_EQ(parse_size("64KB"), 64000U);
  EXPECT_EQ(parse_size("1MiB"), 1048576U);
  EXPECT_EQ(parse_size("10MB"), 10'000'000U);
  EXPECT_EQ(parse_size("2GiB"), 2147483648U);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000U);
  EXPECT_EQ(parse_size("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
}

TEST(Quantity, SaysWhatIsWrongWithASize) {
  for (const auto* text :
       {"", "KiB", "-1", "64 KiB", "64K", "1.5MiB", "18446744073709551616", "99999999999GiB"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << text;
  }
  EXPECT_EQ(parse_size("big").error(),
            R"(expected a size such as "64KiB", "10MB" or 4096, found "big")");
}

TEST(Quantity, WritesWhatItReads) {
  for (const Duration value : {Duration(1ms), Duration(90s), Duration(2min), Duration(168h)}) {
    EXPECT_EQ(parse_duration(format_duration(value)), value);
  }
  for (const std::uint64_t value : {0ULL, 1ULL, 1000ULL, 1024ULL, 65536ULL, 10'000'000ULL}) {
    EXPECT_EQ(parse_size(format_size(value)), value);
  }
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(120s), "2m");
  EXPECT_EQ(format_size(65536), "64KiB");
  EXPECT_EQ(format_size(10'000'000), "10MB");
}

}  // namespace
}  // namespace penstock
