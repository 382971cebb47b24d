// How long to wait before trying again.
#pragma once

#include "base/random.h"
#include "base/time.h"

namespace penstock {

// Exponential back-off with full jitter: a random time between zero and `base` for attempt 0, and
// up to twice as long for each later one, but never above `most`. Those who failed together do not
// come back together. Zero when `base` or `most` is zero or less.
[[nodiscard]] inline Duration back_off(Duration base, Duration most, unsigned attempt,
                                       Random& random) {
  if (base <= Duration::zero() || most <= Duration::zero()) return Duration::zero();
  const bool at_most = attempt >= 62 || base.count() > (most.count() >> attempt);
  const Duration bound = at_most ? most : Duration(base.count() << attempt);
  return random.between(Duration::zero(), bound);
}

}  // namespace penstock
