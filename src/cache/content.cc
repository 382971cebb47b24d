#include "cache/content.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::size_t kFirstPiece = std::size_t{4} * 1024;
constexpr std::size_t kLargestPiece = std::size_t{256} * 1024;

// Filled at once, so there is no need to clear it first.
std::unique_ptr<char[]> try_allocate(std::size_t bytes) {
  return std::unique_ptr<char[]>(new (std::nothrow) char[bytes]);
}

}  // namespace

Content::Content(std::shared_ptr<MemoryAccount> account, std::optional<std::uint64_t> expected)
    : account_(std::move(account)), expected_(expected) {}

Content::Content(std::shared_ptr<MemoryAccount> account, std::string_view bytes)
    : Content(std::move(account), bytes.size()) {
  if (append(bytes)) static_cast<void>(finish());
}

Content::~Content() { account_->subtract(memory()); }

// Where the length is known no room is taken that is not needed. Else pieces grow with what is
// there.
bool Content::add_piece(std::size_t wanted) {
  const std::uint64_t size = this->size();
  std::size_t capacity = kLargestPiece;
  if (expected_) {
    capacity = static_cast<std::size_t>(std::min<std::uint64_t>(kLargestPiece, *expected_ - size));
  } else {
    const std::size_t grown = pieces_.empty() ? kFirstPiece : pieces_.back().capacity * 4;
    capacity = std::clamp(std::max(grown, wanted), kFirstPiece, kLargestPiece);
  }
  Piece piece{.bytes = try_allocate(capacity), .capacity = capacity, .offset = size};
  if (!piece.bytes) return false;
  account_->add(capacity);
  memory_.fetch_add(capacity, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  pieces_.push_back(std::move(piece));
  return true;
}

bool Content::append(std::string_view bytes) {
  PENSTOCK_CHECK(state() == State::growing);
  if (bytes.empty()) return true;
  std::uint64_t size = this->size();
  if (expected_ && bytes.size() > *expected_ - size) {
    fail();
    return false;
  }
  while (!bytes.empty()) {
    const bool full = pieces_.empty() || size == pieces_.back().offset + pieces_.back().capacity;
    if (full && !add_piece(bytes.size())) {
      fail();
      return false;
    }
    Piece& piece = pieces_.back();
    const auto used = static_cast<std::size_t>(size - piece.offset);
    const std::size_t n = std::min(bytes.size(), piece.capacity - used);
    std::memcpy(piece.bytes.get() + used, bytes.data(), n);
    bytes.remove_prefix(n);
    size += n;
    size_.store(size, std::memory_order_release);
  }
  waiters_.wake();
  return true;
}

bool Content::finish() {
  PENSTOCK_CHECK(state() == State::growing);
  if (expected_ && size() != *expected_) {
    fail();
    return false;
  }
  if (!expected_) join_pieces();
  end(State::complete);
  return true;
}

// Nobody has seen the pieces yet: so the bytes can lie in one that is no larger than they are.
void Content::join_pieces() {
  const std::lock_guard lock(mutex_);
  const std::uint64_t size = this->size();
  if (was_read_ || size == 0 || size > kLargestPiece || memory() == size) return;
  Piece joined{.bytes = try_allocate(static_cast<std::size_t>(size)),
               .capacity = static_cast<std::size_t>(size),
               .offset = 0};
  if (!joined.bytes) return;
  for (const Piece& piece : pieces_) {
    const auto used =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.capacity, size - piece.offset));
    std::memcpy(joined.bytes.get() + piece.offset, piece.bytes.get(), used);
  }
  account_->subtract(memory() - size);
  memory_.store(size, std::memory_order_relaxed);
  pieces_.clear();
  pieces_.push_back(std::move(joined));
}

void Content::fail() {
  if (state() == State::growing) end(State::failed);
}

void Content::end(State state) {
  state_.store(state, std::memory_order_release);
  waiters_.wake();
}

std::string_view Content::at(std::uint64_t offset) const {
  if (state() != State::growing) return find(offset);
  const std::lock_guard lock(mutex_);
  was_read_ = true;
  return find(offset);
}

std::string_view Content::find(std::uint64_t offset) const {
  const std::uint64_t size = this->size();
  if (offset >= size) return {};
  auto piece = std::upper_bound(
      pieces_.begin(), pieces_.end(), offset,
      [](std::uint64_t wanted, const Piece& candidate) { return wanted < candidate.offset; });
  --piece;
  const auto from = static_cast<std::size_t>(offset - piece->offset);
  const std::uint64_t until = std::min<std::uint64_t>(size, piece->offset + piece->capacity);
  return {piece->bytes.get() + from, static_cast<std::size_t>(until - offset)};
}

}  // namespace penstock
