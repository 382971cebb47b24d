// Time as the proxy knows it: a monotonic clock that whoever drives the loop sets once a turn, so
// that a simulation can run on virtual time.
#pragma once

#include <chrono>
#include <cstdint>

namespace penstock {

using Duration = std::chrono::nanoseconds;

// Not a clock that can be asked: its time points come from Executor::now().
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using TimePoint = MonotonicClock::time_point;

// A deadline that never comes.
inline constexpr TimePoint kNever = TimePoint::max();

// `now + limit`, where a limit of zero or less means "no limit".
[[nodiscard]] constexpr TimePoint deadline_after(TimePoint now, Duration limit) {
  return limit <= Duration::zero() || limit > kNever - now ? kNever : now + limit;
}

}  // namespace penstock
