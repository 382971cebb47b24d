// The response times of a group in the last minute, as percentiles.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace penstock {

// Counts times in buckets of 1 µs up to 16 µs, then in eight buckets for each doubling, up to two
// minutes. Two such tables take turns: one is filled while the other still counts, so answers are
// about the last one to two periods. 1 KiB, on one thread.
class LatencyHistogram {
 public:
  explicit LatencyHistogram(Duration period = std::chrono::seconds(30)) : period_(period) {}

  void add(Duration time, TimePoint now);

  // A time that `fraction` (above 0, below 1) of the times did not exceed: the upper end of a
  // bucket, so at most an eighth (or 1 µs) too long. None while there are too few samples to tell:
  // below 20, or so few that not one is expected to be above. What is longer than two minutes
  // counts as that. Takes some hundred steps, so ask now and then rather than for each request.
  [[nodiscard]] std::optional<Duration> percentile(double fraction, TimePoint now);

 private:
  static constexpr std::uint64_t kSteps = 8;     // buckets for each doubling
  static constexpr std::size_t kDoublings = 24;  // from 8 µs to 134 s
  static constexpr std::size_t kBuckets = (kDoublings + 1) * kSteps;
  struct Table {
    std::array<std::uint16_t, kBuckets> counts{};
    std::uint32_t total = 0;

    void halve();
  };

  static std::size_t bucket_of(Duration time);
  static Duration upper_end(std::size_t bucket);
  void advance(TimePoint now);

  Duration period_;
  TimePoint begun_{};  // when the table being filled was begun
  std::array<Table, 2> tables_;
  std::size_t filling_ = 0;
};

static_assert(sizeof(LatencyHistogram) <= 1024);

}  // namespace penstock
