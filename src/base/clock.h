// The time for threads that have no loop to tell it.
#pragma once

#include <chrono>

#include "base/time.h"

namespace penstock {

// Asks the system. What has an executor asks that.
[[nodiscard]] inline TimePoint monotonic_now() {
  return TimePoint{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

}  // namespace penstock
