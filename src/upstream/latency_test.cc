#include "upstream/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint() + 1h;

// What sorting gives: the least time that the fraction did not exceed.
Duration exact(std::vector<Duration> times, double fraction) {
  std::ranges::sort(times);
  const double rank = std::ceil(fraction * static_cast<double>(times.size()) - 1e-6);
  return times[static_cast<std::size_t>(rank) - 1];
}

TEST(LatencyHistogram, AgreesWithSortingWithinABucket) {
  for (const std::size_t count : {std::size_t{100}, std::size_t{1'000}, std::size_t{30'000}}) {
    Random random(count);
    LatencyHistogram histogram;
    std::vector<Duration> times;
    for (std::size_t i = 0; i < count; ++i) {
      times.emplace_back(static_cast<std::int64_t>(random.skewed(100, 100'000'000'000)));
      histogram.add(times.back(), kStart);
    }
    for (const double fraction : {0.01, 0.25, 0.5, 0.9, 0.95, 0.99}) {
      const Duration expected = exact(times, fraction);
      const auto found = histogram.percentile(fraction, kStart);
      ASSERT_TRUE(found.has_value());
      EXPECT_GE(*found, expected) << fraction;
      EXPECT_LE(*found, std::max<Duration>(expected + 1us, expected + expected / 8)) << fraction;
    }
  }
}

// Each time goes into a bucket that reaches just above it.
TEST(LatencyHistogram, EveryTimeHasItsBucket) {
  for (std::int64_t time = 0; time < 130'000'000; time += 1 + time / 50) {
    LatencyHistogram histogram;
    const Duration duration = std::chrono::microseconds(time);
    for (int i = 0; i < 20; ++i) histogram.add(duration, kStart);
    const auto found = histogram.percentile(0.5, kStart);
    ASSERT_TRUE(found.has_value());
    ASSERT_GT(*found, duration);
    ASSERT_LE(*found, std::max<Duration>(duration + 1us, duration + duration / 8));
  }
}

TEST(LatencyHistogram, TakesAnyTime) {
  LatencyHistogram histogram;
  for (int i = 0; i < 10; ++i) {
    histogram.add(Duration::max(), kStart);
    histogram.add(Duration::min(), kStart);
  }
  EXPECT_EQ(histogram.percentile(0.25, kStart), 1us);
  EXPECT_EQ(histogram.percentile(0.75, kStart), std::chrono::microseconds(1 << 27));
}

TEST(LatencyHistogram, SaysWhenItCannotTell) {
  LatencyHistogram histogram;
  EXPECT_FALSE(histogram.percentile(0.5, kStart));
  for (int i = 0; i < 19; ++i) histogram.add(1ms, kStart);
  EXPECT_FALSE(histogram.percentile(0.5, kStart));
  histogram.add(1ms, kStart);
  EXPECT_TRUE(histogram.percentile(0.5, kStart));
  EXPECT_TRUE(histogram.percentile(0.95, kStart));
  EXPECT_FALSE(histogram.percentile(0.99, kStart));
  for (int i = 0; i < 80; ++i) histogram.add(1ms, kStart);
  EXPECT_TRUE(histogram.percentile(0.99, kStart));
  EXPECT_FALSE(histogram.percentile(1, kStart));
}

TEST(LatencyHistogram, ForgetsWhatIsOld) {
  LatencyHistogram histogram(30s);
  for (int i = 0; i < 100; ++i) histogram.add(1s, kStart);
  TimePoint now = kStart + 29s;
  for (int i = 0; i < 30; ++i) histogram.add(1ms, now);
  EXPECT_GE(*histogram.percentile(0.5, now), 1s);
  now = kStart + 59s;
  EXPECT_GE(*histogram.percentile(0.5, now), 1s);
  for (int i = 0; i < 30; ++i) histogram.add(1ms, now);
  // The first period has gone, the second has not.
  now = kStart + 61s;
  EXPECT_LT(*histogram.percentile(0.5, now), 2ms);
  // Nothing for so long that all has gone.
  EXPECT_FALSE(histogram.percentile(0.5, now + 1h));
}

TEST(LatencyHistogram, GoesOnWhenABucketIsFull) {
  LatencyHistogram histogram;
  for (int i = 0; i < 1'000'000; ++i) {
    histogram.add(i % 10 == 0 ? Duration(1s) : Duration(1ms), kStart);
  }
  EXPECT_LT(*histogram.percentile(0.85, kStart), 2ms);
  EXPECT_GE(*histogram.percentile(0.95, kStart), 1s);
}

}  // namespace
}  // namespace penstock
