#include "adapt/connection.h"

#include <utility>

#include "adapt/in_time.h"

namespace penstock {

Task<bool> AdaptedConnection::begin() {
  states_.resize(set_->places().size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const FilterPlace& place = set_->places()[i];
    if ((place.interests & kConnectionInterest) == 0) continue;
    const Result<Result<bool>> told = co_await run_in_time(
        place.filter->on_connection(*client_, states_[i]), place.settings->timeout);
    const Result<bool> wanted = told ? *told : fail(told.error());
    if (wanted && !*wanted) co_return false;
    if (wanted) continue;
    if (wanted.error().kind == ErrorKind::cancelled) co_return false;
    set_->report(place, "connection", to_string(wanted.error().kind));
    if (place.settings->on_failure == FailurePolicy::closed) co_return false;
  }
  co_return true;
}

FilterState* AdaptedConnection::state_of(const Filter& filter) const {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (set_->places()[i].filter.get() == &filter) return states_[i].get();
  }
  return nullptr;
}

}  // namespace penstock
