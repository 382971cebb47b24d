#include "upstream/retry_budget.h"

#include <algorithm>
#include <chrono>

namespace penstock {

void RetryBudget::deposit(TimePoint now) {
  ++advance(now).requests;
  ++sum_.requests;
}

bool RetryBudget::withdraw(TimePoint now) {
  Counts& current = advance(now);
  const double share = share_ * static_cast<double>(sum_.requests);
  if (current.retries >= minimum_ && static_cast<double>(sum_.retries + 1) > share) return false;
  ++current.retries;
  ++sum_.retries;
  return true;
}

RetryBudget::Counts& RetryBudget::advance(TimePoint now) {
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::int64_t passed = std::clamp(second - second_, std::int64_t{0}, std::int64_t{kSeconds});
  second_ = std::max(second_, second);
  const auto slot = [this](std::int64_t back) -> Counts& {
    return seconds_[static_cast<std::uint64_t>(second_ - back) % kSeconds];
  };
  for (std::int64_t back = 0; back < passed; ++back) {
    sum_.requests -= slot(back).requests;
    sum_.retries -= slot(back).retries;
    slot(back) = {};
  }
  return slot(0);
}

}  // namespace penstock
