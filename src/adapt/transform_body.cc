#include "adapt/transform_body.h"

#include <utility>

#include "async/sleep.h"
#include "base/check.h"

namespace penstock {

bool TransformBody::at_end() const {
  return !failure_ && input_.empty() && source_->at_end() && drained();
}

Slice TransformBody::take_ready() {
  while (!failure_ && !turn_over() && !at_end()) {
    if (input_.empty() && !source_->at_end()) input_ = source_->take_ready();
    Supply supply = Supply::more;
    if (input_.empty()) supply = source_->at_end() ? Supply::ended : Supply::dry;
    const std::size_t before = input_.size();
    auto output = transform(input_, supply);
    if (!output) {
      failure_ = output.error();
      input_ = Slice();
      return {};
    }
    spend(before - input_.size() + output->size());
    if (input_.empty()) input_ = Slice();  // gives back its slab
    if (!output->empty()) return *std::move(output);
    if (supply != Supply::more) return {};
  }
  return {};
}

Task<Result<Slice>> TransformBody::next() {
  while (true) {
    Slice slice = take_ready();
    if (!slice.empty() || at_end()) co_return slice;
    if (failure_) co_return fail(*failure_);
    if (turn_over()) {
      co_await yield_turn();
      work_ = 0;
      continue;
    }
    PENSTOCK_CHECK(input_.empty() && !source_->at_end());
    auto input = co_await source_->next();
    if (!input) co_return fail(input.error());
    input_ = *std::move(input);
  }
}

}  // namespace penstock
