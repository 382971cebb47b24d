#include "icap/virgin_body.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace penstock::icap {

void VirginBody::go_to(std::uint64_t byte) {
  PENSTOCK_CHECK(has(byte));
  position_ = byte;
}

void VirginBody::forget() {
  keeps_ = false;
  kept_.drop_before(position_);
}

bool VirginBody::is_settled(std::uint64_t bytes) const {
  const std::uint64_t end = position_ + bytes;
  return end < window_ || end < kept_.end() + ahead_bytes() || broken_ || source_->at_end();
}

// What can't be kept is here for being handed out once.
void VirginBody::see(Slice slice) {
  if (slice.empty()) return;
  // Who gets a preview may leave the message as it is, however little is to be kept (RFC 3507
  // section 4.5): that much, and what was read with it, is.
  const bool in_preview = window_ != kUnlimited;
  const bool kept = keeps_ && (kept_.append(slice) || (in_preview && kept_.append_anyway(slice)));
  if (kept) {
    latest_at_ = kept_.end() - slice.size();
    latest_ = std::move(slice);
    return;
  }
  forget();
  ahead_.push_back(std::move(slice));
}

std::uint64_t VirginBody::ahead_bytes() const {
  std::uint64_t bytes = 0;
  for (const Slice& slice : ahead_) bytes += slice.size();
  return bytes;
}

Result<Slice> VirginBody::take() {
  Slice slice;
  const bool kept = position_ < kept_.end();
  if (kept && position_ >= latest_at_ && position_ - latest_at_ < latest_.size()) {
    slice = latest_;
    slice.remove_prefix(static_cast<std::size_t>(position_ - latest_at_));
  } else if (kept) {
    auto read = kept_.read(position_);
    if (!read) return read;
    slice = std::move(*read);
  } else {
    slice = ahead_.front();
  }
  const std::uint64_t n = std::min<std::uint64_t>(slice.size(), window_ - position_);
  if (!is_settled(n)) return Slice();
  slice.remove_suffix(slice.size() - static_cast<std::size_t>(n));
  position_ += n;
  if (position_ == kept_.end()) latest_ = Slice();
  if (!kept) {
    ahead_.front().remove_prefix(static_cast<std::size_t>(n));
    if (ahead_.front().empty()) ahead_.erase(ahead_.begin());
    kept_.skip(n);
  } else if (!keeps_) {
    kept_.drop_before(position_);
  }
  return slice;
}

Slice VirginBody::take_ready() {
  if (at_end()) return {};
  if (!has_more() && !broken_) see(source_->take_ready());
  if (!has_more()) return {};
  auto slice = take();
  if (slice && slice->empty()) {
    // It is the last before the end of the window, and nothing is known of what comes behind.
    if (!broken_) see(source_->take_ready());
    slice = take();
  }
  return slice ? std::move(*slice) : Slice();
}

Task<Result<Slice>> VirginBody::next() {
  while (!at_end()) {
    if (has_more()) {
      auto slice = take();
      if (!slice || !slice->empty()) co_return slice;
    }
    const auto more = co_await pull();
    if (!more) co_return fail(more.error());
  }
  co_return Slice();
}

Task<Result<void>> VirginBody::pull() {
  if (broken_) co_return fail(*broken_);
  auto more = co_await source_->next();
  if (more) {
    see(std::move(*more));
    co_return Result<void>{};
  }
  // A pull that was cancelled has done the source no harm.
  if (more.error().kind != ErrorKind::cancelled) broken_ = more.error();
  co_return fail(more.error());
}

Task<Result<void>> VirginBody::look_ahead() {
  while (!has_more() && (broken_ || !source_->at_end())) {
    const auto more = co_await pull();
    if (!more) co_return more;
  }
  co_return Result<void>{};
}

std::optional<std::uint64_t> VirginBody::whole_length() const {
  auto length = source_->remaining();
  if (length) *length += seen();
  return length;
}

std::optional<std::uint64_t> VirginBody::remaining() const {
  auto rest = source_->remaining();
  if (!rest) return std::nullopt;
  *rest += kept_.end() - position_ + ahead_bytes();
  if (window_ == kUnlimited) return rest;
  return std::min(*rest, window_ - position_);
}

BodySource::Run VirginBody::run(std::uint64_t at_least) {
  if (keeps_ || has_more() || broken_ || window_ != kUnlimited) return {};
  return source_->run(at_least);
}

void VirginBody::moved(std::uint64_t bytes, bool ended) {
  source_->moved(bytes, ended);
  kept_.skip(bytes);
  position_ += bytes;
}

}  // namespace penstock::icap
