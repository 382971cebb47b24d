#include "cache/byteranges_body.h"

#include <utility>

namespace penstock {

ByterangesBody::ByterangesBody(std::shared_ptr<const StoredResponse> response,
                               std::shared_ptr<WorkerGate> gate,
                               std::vector<rfc9111::ByteSpan> spans, std::string_view type,
                               std::uint64_t length, std::array<std::uint64_t, 2> random)
    : response_(std::move(response)),
      gate_(std::move(gate)),
      spans_(std::move(spans)),
      frame_(random, type, spans_, length),
      remaining_(frame_.total_size()) {}

Slice ByterangesBody::take_ready() {
  if (ended_) return {};
  if (part_ == spans_.size()) {
    ended_ = true;
    return text(frame_.tail());
  }
  if (!content_) {
    const rfc9111::ByteSpan& span = spans_[part_];
    content_.emplace(response_, gate_, span.first, span.size());
    return text(frame_.head(part_));
  }
  Slice slice = content_->take_ready();
  if (content_->at_end()) {
    content_.reset();
    ++part_;
  }
  return count(std::move(slice));
}

Task<Result<Slice>> ByterangesBody::next() {
  if (Slice ready = take_ready(); !ready.empty() || ended_) co_return ready;
  auto slice = co_await content_->next();
  if (slice && content_->at_end()) {
    content_.reset();
    ++part_;
  }
  if (slice) static_cast<void>(count(*slice));
  co_return slice;
}

Slice ByterangesBody::text(std::string text) {
  auto kept = std::make_shared<const std::string>(std::move(text));
  const std::string_view bytes = *kept;
  return count(Slice(SlabPool::keep(std::move(kept)), bytes));
}

Slice ByterangesBody::count(Slice slice) {
  remaining_ -= slice.size();
  return slice;
}

}  // namespace penstock
