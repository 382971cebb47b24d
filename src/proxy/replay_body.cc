#include "proxy/replay_body.h"

namespace penstock {

void ReplayBody::forget() {
  can_rewind_ = false;
  for (std::size_t i = 0; i < next_; ++i) kept_[i] = Slice();
}

void ReplayBody::remember(const Slice& slice) {
  if (slice.empty()) return;
  if (!can_rewind_ || count_ == kMaxSlices || bytes_ + slice.size() > kMaxBytes) {
    forget();
    next_ = count_ = 0;
    return;
  }
  kept_[count_++] = slice;
  next_ = count_;
  bytes_ += slice.size();
}

Slice ReplayBody::take_ready() {
  if (next_ < count_) return kept_[next_++];
  Slice slice = source_->take_ready();
  remember(slice);
  return slice;
}

Task<Result<Slice>> ReplayBody::next() {
  if (next_ < count_) co_return kept_[next_++];
  auto slice = co_await source_->next();
  if (slice) remember(*slice);
  co_return slice;
}

std::optional<std::uint64_t> ReplayBody::remaining() const {
  auto rest = source_->remaining();
  for (std::size_t i = next_; rest && i < count_; ++i) *rest += kept_[i].size();
  return rest;
}

BodySource::Run ReplayBody::run() {
  if (next_ < count_) return {};
  const Run run = source_->run();
  // Bytes that are moved inside the kernel can't be moved again.
  if (run.stream != nullptr) forget();
  return run;
}

}  // namespace penstock
