#include "cache/stored_body.h"

#include <utility>

#include "base/check.h"

namespace penstock {

StoredBody::StoredBody(std::shared_ptr<const StoredResponse> response,
                       std::shared_ptr<WorkerGate> gate, std::uint64_t first,
                       std::optional<std::uint64_t> length)
    : response_(std::move(response)),
      gate_(std::move(gate)),
      keeper_(SlabPool::keep(response_)),
      position_(first) {
  const auto parts = response_->parts();
  while (part_ + 1 < parts.size() && parts[part_ + 1].first <= first) ++part_;
  if (length) {
    end_ = first + *length;
  } else if (parts.empty()) {
    end_ = first;
  } else if (parts.size() > 1) {
    end_ = response_->complete_length();
  }
}

// Null where there is none at all.
Content* StoredBody::content() const {
  const auto parts = response_->parts();
  return parts.empty() ? nullptr : parts[part_].content.get();
}

Slice StoredBody::take_ready() {
  if (at_end()) return {};
  const auto parts = response_->parts();
  if (part_ + 1 < parts.size() && position_ >= parts[part_ + 1].first) ++part_;
  const StoredPart& part = parts[part_];
  std::string_view bytes = part.content->at(position_ - part.first);
  if (end_) bytes = bytes.substr(0, static_cast<std::size_t>(*end_ - position_));
  position_ += bytes.size();
  return bytes.empty() ? Slice() : Slice(keeper_, bytes);
}

Task<Result<Slice>> StoredBody::next() {
  std::shared_ptr<Waiting> waiting;
  while (true) {
    if (at_end()) co_return Slice();
    // In this order: what is added between the two is seen the next time.
    const Content::State state = content()->state();
    if (Slice ready = take_ready(); !ready.empty() || at_end()) co_return ready;
    if (state == Content::State::failed) {
      co_return fail({.kind = ErrorKind::closed, .side = Side::server});
    }
    if (state == Content::State::complete) {
      // Its last bytes have come just now, or the next part is the one.
      PENSTOCK_CHECK(part_ + 1 < response_->parts().size() ||
                     position_ < response_->parts()[part_].first + content()->size());
      continue;
    }
    if (!waiting) {
      waiting = std::make_shared<Waiting>(gate_);
    } else {
      if (!co_await waiting->event().wait()) {
        co_return fail({.kind = ErrorKind::cancelled, .side = Side::client});
      }
      waiting->event().reset();
    }
    content()->waiters().add(waiting);
  }
}

bool StoredBody::at_end() const {
  if (end_) return position_ >= *end_;
  const Content* const all = content();
  return all == nullptr || (all->state() == Content::State::complete && position_ >= all->size());
}

std::optional<std::uint64_t> StoredBody::remaining() const {
  if (end_) return *end_ - position_;
  const auto length = content()->length();
  if (!length) return std::nullopt;
  return *length - position_;
}

}  // namespace penstock
