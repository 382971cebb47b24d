#include "upstream/replay_body.h"

#include <algorithm>

#include "message/fields.h"

namespace penstock {

// What is still to be handed out again stays.
void ReplayBody::forget() {
  can_rewind_ = false;
  for (std::size_t i = 0; i < next_; ++i) kept_[i] = Slice();
}

void ReplayBody::remember(const Slice& slice) {
  if (slice.empty()) return;
  const std::uint64_t room = std::max<std::uint64_t>(most_ / kLeastASlice, 8);
  if (!can_rewind_ || kept_.size() >= room || bytes_ + slice.size() > most_) {
    forget();
    kept_.clear();
    next_ = 0;
    return;
  }
  kept_.push_back(slice);
  next_ = kept_.size();
  bytes_ += slice.size();
}

bool ReplayBody::over_limit(const Slice& slice) {
  received_ += slice.size();
  over_ = limit_ > 0 && received_ > limit_;
  return over_;
}

Slice ReplayBody::take_ready() {
  if (next_ < kept_.size()) return kept_[next_++];
  if (over_) return {};
  Slice slice = source_->take_ready();
  if (over_limit(slice)) return {};
  remember(slice);
  return slice;
}

Task<Result<Slice>> ReplayBody::next() {
  if (next_ < kept_.size()) co_return kept_[next_++];
  if (over_) co_return fail({.kind = ErrorKind::limit, .side = Side::client});
  auto slice = co_await source_->next();
  if (slice && over_limit(*slice)) {
    co_return fail({.kind = ErrorKind::limit, .side = Side::client});
  }
  if (slice) remember(*slice);
  co_return slice;
}

std::optional<std::uint64_t> ReplayBody::remaining() const {
  auto rest = source_->remaining();
  for (std::size_t i = next_; rest && i < kept_.size(); ++i) *rest += kept_[i].size();
  return rest;
}

FieldSection* ReplayBody::trailers() {
  FieldSection* const trailers = source_->trailers();
  if (trailers == nullptr || withheld_.empty()) return trailers;
  trailers->remove_if([this](const Field& field) {
    return std::ranges::any_of(
        withheld_, [&field](std::string_view name) { return is_alike(field.name, name); });
  });
  return trailers->empty() ? nullptr : trailers;
}

BodySource::Run ReplayBody::run(std::uint64_t at_least) {
  if (next_ < kept_.size()) return {};
  const auto rest = source_->remaining();
  if (can_rewind_ && rest && bytes_ + *rest <= most_) return {};  // it is to be remembered
  const Run run = source_->run(at_least);
  // Bytes that are moved inside the kernel can't be moved again.
  if (run.stream != nullptr) forget();
  return run;
}

}  // namespace penstock
