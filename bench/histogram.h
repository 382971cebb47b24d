// Counts durations in buckets no wider than 1/32 of what they hold.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace penstock::bench {

class Histogram {
 public:
  void add(std::chrono::nanoseconds duration) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    ++counts_[index(value)];
    ++total_;
  }

  // The duration in microseconds that the fraction `q` of all did not exceed; 0 without any.
  [[nodiscard]] double quantile_us(double q) const {
    const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return static_cast<double>(upper_edge(i)) / 1000;
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 5;  // of a value that choose among the buckets of one size
  static constexpr std::uint64_t kSteps = std::uint64_t{1} << kBits;

  static std::size_t index(std::uint64_t value) {
    if (value < kSteps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (shift + 1) * kSteps + (value >> shift) - kSteps;
  }
  static std::uint64_t upper_edge(std::size_t i) {
    if (i < kSteps) return i;
    const std::size_t shift = i / kSteps - 1;
    return (kSteps + i % kSteps + 1) << shift;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kSteps> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace penstock::bench
