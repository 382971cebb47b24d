#include "icap/trickle_body.h"

#include <algorithm>

#include "async/wait.h"

namespace penstock::icap {
namespace {

// Between two looks at what there is.
constexpr Duration kPause = std::chrono::seconds(1);

}  // namespace

TrickleBody::TrickleBody(const TrickleSettings& settings, IcapState& state,
                         const Executor& executor)
    : settings_(&settings),
      state_(&state),
      executor_(&executor),
      virgin_(state.virgin),
      length_(virgin_->whole_length()),
      begun_(executor.now()) {}

std::uint64_t TrickleBody::allowed() const {
  const std::uint64_t seen = virgin_->seen();
  if (settings_->from == TrickleSettings::From::all) {
    return seen - std::min(seen, settings_->held);
  }
  const auto seconds = (executor_->now() - begun_) / kPause + 1;
  // Never the last of it.
  return std::min(settings_->rate * static_cast<std::uint64_t>(seconds),
                  seen - std::min<std::uint64_t>(seen, 1));
}

Result<Slice> TrickleBody::take_some() {
  const std::uint64_t most = allowed();
  if (most <= given_ || !virgin_->has(given_)) return Slice();
  auto slice = virgin_->peek(given_);
  if (!slice) return slice;
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(slice->size(), most - given_));
  slice->remove_suffix(slice->size() - wanted);
  given_ += wanted;
  return slice;
}

bool TrickleBody::settle() {
  const FilterOutcome& outcome = state_->patience->outcome;
  bool passes = outcome.kind == FilterOutcome::Kind::go_on;
  if (outcome.kind == FilterOutcome::Kind::failed) {
    passes = !state_->adaptation().fail_content(*state_, state_->point(), outcome.reason, false);
  }
  if (!passes || !virgin_->has(given_)) return false;
  virgin_->go_to(given_);
  virgin_->end_at_end();
  virgin_->forget();
  return true;
}

Slice TrickleBody::take_ready() { return passes_ ? virgin_->take_ready() : Slice(); }

Task<Result<Slice>> TrickleBody::next() {
  while (!passes_) {
    if (state_->patience->decided.is_set()) {
      if (!settle()) co_return fail({.kind = ErrorKind::adaptation, .side = Side::server});
      passes_ = true;
      break;
    }
    auto some = take_some();
    if (!some || !some->empty()) co_return some;
    const auto decided =
        co_await wait_until(state_->patience->decided, deadline_after(executor_->now(), kPause));
    if (!decided && decided.error().kind != ErrorKind::timed_out) co_return fail(decided.error());
  }
  co_return co_await virgin_->next();
}

std::optional<std::uint64_t> TrickleBody::remaining() const {
  if (passes_) return virgin_->remaining();
  if (!length_) return std::nullopt;
  return *length_ - given_;
}

}  // namespace penstock::icap
