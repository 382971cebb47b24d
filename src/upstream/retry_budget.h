// A budget for retries, so that they do not multiply the load of servers that are in trouble.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace penstock {

// Retries may be a share of the requests of the last ten seconds. A few in each second are always
// allowed, so that little traffic can be retried too. Belongs to one thread; where threads share a
// bound, each gets its part of the minimum.
class RetryBudget {
 public:
  // `share` of the requests, 0.2 for one retry in five; `minimum` retries a second.
  RetryBudget(double share, std::uint32_t minimum) : share_(share), minimum_(minimum) {}

  // Counts a request, not a retry.
  void deposit(TimePoint now);
  // Whether a retry is allowed now; counts it when it is.
  [[nodiscard]] bool withdraw(TimePoint now);

 private:
  struct Counts {
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
  };
  static constexpr std::size_t kSeconds = 10;

  // The counts of the second of `now`, those of seconds that are too old removed.
  Counts& advance(TimePoint now);

  double share_;
  std::uint32_t minimum_;
  std::array<Counts, kSeconds> seconds_{};
  Counts sum_;
  std::int64_t second_ = 0;  // the latest one
};

}  // namespace penstock
