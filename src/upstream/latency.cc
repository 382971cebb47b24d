#include "upstream/latency.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

namespace penstock {
namespace {
constexpr double kFewest = 20;  // samples for an answer
}  // namespace

void LatencyHistogram::add(Duration time, TimePoint now) {
  advance(now);
  Table& table = tables_[filling_];
  std::uint16_t& count = table.counts[bucket_of(time)];
  if (count == std::numeric_limits<std::uint16_t>::max()) {
    for (Table& each : tables_) each.halve();
  }
  ++count;
  ++table.total;
}

std::optional<Duration> LatencyHistogram::percentile(double fraction, TimePoint now) {
  advance(now);
  const double total = static_cast<double>(tables_[0].total) + tables_[1].total;
  // Not quite 1, as 1 - 0.99 is a little less than a hundredth.
  if (total < kFewest || total * (1 - fraction) < 0.999) return std::nullopt;
  const double rank = std::ceil(total * fraction - 1e-6);
  double seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += tables_[0].counts[i] + tables_[1].counts[i];
    if (seen >= rank) return upper_end(i);
  }
  return upper_end(kBuckets - 1);
}

std::size_t LatencyHistogram::bucket_of(Duration time) {
  const auto count = std::chrono::floor<std::chrono::microseconds>(time).count();
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
  if (value < kSteps) return value;
  const auto doubling = static_cast<unsigned>(std::bit_width(value / kSteps)) - 1;
  const std::size_t bucket = doubling * kSteps + (value >> doubling);
  return std::min(bucket, kBuckets - 1);
}

Duration LatencyHistogram::upper_end(std::size_t bucket) {
  if (bucket < kSteps) return std::chrono::microseconds(bucket + 1);
  const std::size_t doubling = bucket / kSteps - 1;
  return std::chrono::microseconds((kSteps + bucket % kSteps + 1) << doubling);
}

void LatencyHistogram::advance(TimePoint now) {
  const Duration age = now - begun_;
  if (age < period_) return;
  filling_ ^= 1;
  tables_[filling_] = {};
  if (age < 2 * period_) {
    begun_ += period_;
    return;
  }
  // Nothing was added for a whole period.
  tables_[filling_ ^ 1] = {};
  begun_ = now;
}

// So that a full bucket can go on counting. Rare times do not vanish.
void LatencyHistogram::Table::halve() {
  total = 0;
  for (std::uint16_t& count : counts) {
    count = static_cast<std::uint16_t>((count + 1) / 2);
    total += count;
  }
}

}  // namespace penstock
