#include "http2/output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "async/stream.h"

namespace penstock::http2 {
namespace {
// Up to here a copy costs less than one more part of the write does.
constexpr std::size_t kWorthCopying = 2 * 1024;
constexpr std::size_t kFirstPieces = 8;
}  // namespace

void Output::put(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!copies_ || copied_ == copies_->capacity()) {
      // A few heads and small bodies, or many.
      const bool first = !copies_ && bytes.size() <= kSmallSlab / 2;
      copies_ = SlabPool::take(first ? SlabSize::small : SlabSize::medium);
      copied_ = 0;
    }
    const std::size_t n = std::min(bytes.size(), copies_->capacity() - copied_);
    char* const to = copies_->data() + copied_;
    std::memcpy(to, bytes.data(), n);
    copied_ += n;
    size_ += n;
    bytes.remove_prefix(n);
    if (!pieces_.empty() && pieces_.back().data() + pieces_.back().size() == to) {
      const std::string_view longer(pieces_.back().data(), pieces_.back().size() + n);
      pieces_.back() = Slice(copies_, longer);
    } else {
      if (pieces_.capacity() == 0) pieces_.reserve(kFirstPieces);
      pieces_.emplace_back(copies_, std::string_view(to, n));
    }
  }
}

void Output::put(Slice bytes) {
  if (bytes.size() <= kWorthCopying || !bytes.owner()) return put(bytes.view());
  size_ += bytes.size();
  pieces_.push_back(std::move(bytes));
}

std::span<iovec> Output::parts() {
  parts_.clear();
  parts_.reserve(pieces_.size());
  for (const Slice& piece : pieces_) parts_.push_back(to_iovec(piece.view()));
  return parts_;
}

void Output::clear() {
  pieces_ = {};
  parts_ = {};
  copies_ = SlabRef();
  copied_ = 0;
  size_ = 0;
}

}  // namespace penstock::http2
