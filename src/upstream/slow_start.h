// Weights of servers that have just become available: they start with a tenth of their share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/time.h"

namespace penstock {

// What slow_start_weight() gives for a weight of 1 at its full height.
inline constexpr std::uint32_t kFullWeight = 100;

// The weight, in hundredths, of a server that became available at `since`: over `ramp` it rises in
// a straight line from a tenth to the whole, in steps of a hundredth, so that it does not change
// with every request. With a ramp of zero or less it is whole at once. Never 0 but for a weight of
// 0; weights above 42 million count as that.
[[nodiscard]] constexpr std::uint32_t slow_start_weight(std::uint32_t weight, TimePoint since,
                                                        TimePoint now, Duration ramp) {
  constexpr std::uint32_t kFirst = kFullWeight / 10;
  const std::uint32_t bounded =
      std::min(weight, std::numeric_limits<std::uint32_t>::max() / kFullWeight);
  if (ramp <= Duration::zero() || since <= now - ramp) return bounded * kFullWeight;
  if (since >= now) return bounded * kFirst;
  const double part =
      static_cast<double>((now - since).count()) / static_cast<double>(ramp.count());
  return bounded * (kFirst + static_cast<std::uint32_t>(part * (kFullWeight - kFirst)));
}

}  // namespace penstock
