#include "icap/kept_bytes.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"

namespace penstock::icap {
namespace {

// A slice may hold a slab that is far larger; so what is smaller is copied.
constexpr std::size_t kWorthSharing = 4096;

}  // namespace

bool KeptBytes::append(const Slice& slice) {
  const std::string_view bytes = slice.view();
  if (bytes.size() > limits_->total || end_ - begin_ > limits_->total - bytes.size()) return false;
  const bool in_memory =
      memory_end_ == end_ && memory_end_ - begin_ + bytes.size() <= limits_->memory;
  return append_to(in_memory, slice);
}

bool KeptBytes::append_anyway(const Slice& slice) { return append_to(memory_end_ == end_, slice); }

bool KeptBytes::append_to(bool memory, const Slice& slice) {
  if (memory) {
    append_to_memory(slice);
    return true;
  }
  if (!append_to_file(slice.view())) return false;
  end_ += slice.size();
  return true;
}

void KeptBytes::append_to_memory(const Slice& slice) {
  end_ += slice.size();
  memory_end_ = end_;
  if (slice.size() < kWorthSharing) {
    copied_.append_to(slices_, 0, slice.view(), SlabSize::small);
  } else {
    slices_.push_back(slice);
  }
}

bool KeptBytes::append_to_file(std::string_view bytes) {
  if (!file_) {
    file_ = Fd(::open(limits_->folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file_) return false;
  }
  std::uint64_t at = end_ - memory_end_;
  while (!bytes.empty()) {
    const ssize_t n = pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Result<Slice> KeptBytes::read(std::uint64_t offset) const {
  PENSTOCK_CHECK(offset >= begin_ && offset < end_);
  if (offset >= memory_end_) return read_file(offset);
  std::uint64_t skip = offset - begin_;
  for (const Slice& slice : slices_) {
    if (skip < slice.size()) {
      return Slice(slice.owner(), slice.view().substr(static_cast<std::size_t>(skip)));
    }
    skip -= slice.size();
  }
  PENSTOCK_CHECK(false);
}

Result<Slice> KeptBytes::read_file(std::uint64_t offset) const {
  SlabRef slab = SlabPool::take(SlabSize::large);
  const std::uint64_t wanted = std::min<std::uint64_t>(slab->capacity(), end_ - offset);
  ssize_t n = 0;
  do {
    n = pread(file_.get(), slab->data(), static_cast<std::size_t>(wanted),
              static_cast<off_t>(offset - memory_end_));
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return fail(ErrorKind::io, n < 0 ? errno : EIO);
  const std::string_view bytes(slab->data(), static_cast<std::size_t>(n));
  return Slice(std::move(slab), bytes);
}

void KeptBytes::drop_before(std::uint64_t offset) {
  PENSTOCK_CHECK(offset >= begin_ && offset <= end_);
  if (offset == end_) {
    slices_.clear();
    copied_.clear();
    file_ = Fd();
    begin_ = memory_end_ = end_;
    return;
  }
  std::uint64_t skip = std::min(offset, memory_end_) - std::min(begin_, memory_end_);
  std::size_t gone = 0;
  while (gone < slices_.size() && skip >= slices_[gone].size()) skip -= slices_[gone++].size();
  slices_.erase(slices_.begin(), slices_.begin() + static_cast<std::ptrdiff_t>(gone));
  if (!slices_.empty()) slices_.front().remove_prefix(static_cast<std::size_t>(skip));
  begin_ = offset;
}

void KeptBytes::skip(std::uint64_t bytes) {
  PENSTOCK_CHECK(begin_ == end_);
  begin_ = memory_end_ = end_ = end_ + bytes;
}

}  // namespace penstock::icap
