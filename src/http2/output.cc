#include "http2/output.h"

#include <utility>

#include "async/stream.h"

namespace penstock::http2 {
namespace {
// Up to here a copy costs less than one more part of the write does.
constexpr std::size_t kWorthCopying = 2 * 1024;
constexpr std::size_t kFirstPieces = 8;
}  // namespace

void Output::put(std::string_view bytes) {
  if (bytes.empty()) return;
  if (pieces_.capacity() == 0) pieces_.reserve(kFirstPieces);
  // A few heads and small bodies, or many.
  const bool few = copies_.empty() && bytes.size() <= kSmallSlab / 2;
  copies_.append_to(pieces_, 0, bytes, few ? SlabSize::small : SlabSize::medium);
  size_ += bytes.size();
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
  copies_.clear();
  size_ = 0;
}

}  // namespace penstock::http2
