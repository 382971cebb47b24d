// How long to wait before something that has ended is started again.
#pragma once

#include <chrono>

#include "base/back_off.h"
#include "base/random.h"
#include "base/time.h"

namespace penstock {

struct RestartSettings {
  Duration first = std::chrono::milliseconds(100);  // the bound of the first wait, then doubled
  Duration most = std::chrono::seconds(30);
  Duration steady = std::chrono::seconds(60);  // having run for so long, it begins anew
};

class RestartDelay {
 public:
  RestartDelay(const RestartSettings& settings, Random random)
      : settings_(settings), random_(random) {}

  // The wait after a run of that length: random, see back_off().
  [[nodiscard]] Duration after(Duration run) {
    if (run >= settings_.steady) attempt_ = 0;
    return back_off(settings_.first, settings_.most, attempt_++, random_);
  }

 private:
  RestartSettings settings_;
  Random random_;
  unsigned attempt_ = 0;
};

}  // namespace penstock
