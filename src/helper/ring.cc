#include "helper/ring.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>
#include <utility>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

namespace penstock {
namespace {

// A backlog that has become empty keeps no more than this.
constexpr std::size_t kKeptBacklog = std::size_t{256} * 1024;
// Reserved for a message before its bytes are there: its length is only what the writer says.
constexpr std::size_t kReserved = std::size_t{1024} * 1024;

using Word = std::atomic<std::uint32_t>;

// Not the private kind: the other side may be another process.
void sleep_while_set(Word& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT, 1, nullptr, nullptr, 0);
}

void wake_sleepers(Word& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

// Sleeping and waking never miss each other: one side stores its flag, then looks at the other's
// position; the other one stores its position, then looks at the flag. All four are sequentially
// consistent, so that at least one of them sees what the other has stored. (Fences would do as well
// and cost the same, but ThreadSanitizer does not know them.)
void wake_if_waiting(Word& word, Bell bell) {
  if (word.load(std::memory_order_seq_cst) == 0) return;
  if (word.exchange(0, std::memory_order_seq_cst) == 0) return;
  if (bell.eventfd < 0) {
    wake_sleepers(word);
    return;
  }
  const std::uint64_t one = 1;
  // A full counter means that it is readable already.
  [[maybe_unused]] const auto written = ::write(bell.eventfd, &one, sizeof one);
}

std::array<char, kRingPrefix> make_prefix(std::size_t length, std::uint64_t tag) {
  std::array<char, kRingPrefix> prefix{};
  const auto length32 = static_cast<std::uint32_t>(length);
  std::memcpy(prefix.data(), &length32, sizeof length32);
  std::memcpy(prefix.data() + sizeof length32, &tag, sizeof tag);
  return prefix;
}

std::size_t total_size(std::span<const std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  return size;
}

}  // namespace

Ring Ring::in(std::span<std::byte> memory) {
  PENSTOCK_CHECK(memory.size() > sizeof(RingHeader));
  const std::size_t capacity = memory.size() - sizeof(RingHeader);
  PENSTOCK_CHECK(std::has_single_bit(capacity));
  PENSTOCK_CHECK(std::bit_cast<std::uintptr_t>(memory.data()) % alignof(RingHeader) == 0);
  return {.header = reinterpret_cast<RingHeader*>(memory.data()),
          .bytes = reinterpret_cast<char*>(memory.data() + sizeof(RingHeader)),
          .capacity = capacity};
}

void Ring::close() const {
  header->closed.store(1, std::memory_order_seq_cst);
  wake_if_waiting(header->reader_waits, {});
  wake_if_waiting(header->writer_waits, {});
}

Result<std::size_t> RingWriter::look_for_room() {
  if (broken_) return fail(ErrorKind::protocol);
  const std::uint64_t read = ring_.header->read.load(std::memory_order_seq_cst);
  // Neither behind where it was, nor further than there is to read.
  if (read - read_seen_ > published_ - read_seen_) {
    broken_ = true;
    return fail(ErrorKind::protocol);
  }
  read_seen_ = read;
  return room();
}

Result<void> RingWriter::check_open() const {
  if (broken_) return fail(ErrorKind::protocol);
  if (ring_.header->closed.load(std::memory_order_relaxed) != 0) return fail(ErrorKind::closed);
  return {};
}

Result<std::size_t> RingWriter::copy_in(std::string_view bytes) {
  if (room() < bytes.size()) {
    if (const auto looked = look_for_room(); !looked) return looked;
  }
  const std::size_t size = std::min(bytes.size(), room());
  const auto at = static_cast<std::size_t>(written_) & (ring_.capacity - 1);
  const std::size_t before_end = std::min(size, ring_.capacity - at);
  std::copy_n(bytes.data(), before_end, ring_.bytes + at);
  std::copy_n(bytes.data() + before_end, size - before_end, ring_.bytes);
  written_ += size;
  return size;
}

void RingWriter::publish() {
  published_ = written_;
  ring_.header->written.store(written_, std::memory_order_seq_cst);
  wake_if_waiting(ring_.header->reader_waits, reader_);
}

Result<void> RingWriter::write(std::uint64_t tag, std::span<const std::string_view> parts) {
  if (const auto open = check_open(); !open) return open;
  const std::size_t length = total_size(parts);
  if (length > kMaxRingMessage) return fail(ErrorKind::limit);
  const auto prefix = make_prefix(length, tag);
  const bool had_backlog = waiting() > 0;
  const auto add = [&](std::string_view bytes) -> Result<void> {
    std::size_t size = 0;
    if (waiting() == 0) {
      const auto copied = copy_in(bytes);
      if (!copied) return fail(copied.error());
      size = *copied;
    }
    backlog_.append(bytes.substr(size));
    return {};
  };
  if (const auto added = add({prefix.data(), prefix.size()}); !added) return added;
  for (const std::string_view part : parts) {
    if (const auto added = add(part); !added) return added;
  }
  if (had_backlog) return {};  // we have asked to be woken
  publish();
  return waiting() > 0 ? flush() : Result<void>{};
}

Result<void> RingWriter::flush() {
  while (waiting() > 0) {
    if (const auto open = check_open(); !open) return open;
    const auto copied = copy_in(std::string_view(backlog_).substr(backlog_begin_));
    if (!copied) return fail(copied.error());
    backlog_begin_ += *copied;
    if (*copied > 0) publish();
    if (waiting() == 0) break;
    ring_.header->writer_waits.store(1, std::memory_order_seq_cst);
    const auto found = look_for_room();
    if (!found) return fail(found.error());
    if (*found == 0) {
      forget_sent();
      return {};
    }
    ring_.header->writer_waits.store(0, std::memory_order_relaxed);
  }
  backlog_begin_ = 0;
  backlog_.clear();
  if (backlog_.capacity() > kKeptBacklog) backlog_ = {};
  return {};
}

void RingWriter::forget_sent() {
  // Moving the rest forward costs no more than sending what was before it did.
  if (backlog_begin_ < kKeptBacklog || backlog_begin_ < waiting()) return;
  backlog_.erase(0, backlog_begin_);
  backlog_begin_ = 0;
}

Result<void> RingWriter::copy_in_blocking(std::string_view bytes) {
  while (true) {
    const auto copied = copy_in(bytes);
    if (!copied) return fail(copied.error());
    bytes.remove_prefix(*copied);
    if (bytes.empty()) return {};
    publish();
    Word& waits = ring_.header->writer_waits;
    waits.store(1, std::memory_order_seq_cst);
    const auto found = look_for_room();
    if (!found) return fail(found.error());
    if (ring_.header->closed.load(std::memory_order_seq_cst) != 0) return fail(ErrorKind::closed);
    if (*found == 0) {
      sleep_while_set(waits);
    } else {
      waits.store(0, std::memory_order_relaxed);
    }
  }
}

Result<void> RingWriter::write_blocking(std::uint64_t tag,
                                        std::span<const std::string_view> parts) {
  PENSTOCK_CHECK(waiting() == 0);
  if (const auto open = check_open(); !open) return open;
  const std::size_t length = total_size(parts);
  if (length > kMaxRingMessage) return fail(ErrorKind::limit);
  const auto prefix = make_prefix(length, tag);
  if (const auto put = copy_in_blocking({prefix.data(), prefix.size()}); !put) return put;
  for (const std::string_view part : parts) {
    if (const auto put = copy_in_blocking(part); !put) return put;
  }
  publish();
  return {};
}

Result<std::size_t> RingReader::look_for_bytes() {
  const std::uint64_t written = ring_.header->written.load(std::memory_order_seq_cst);
  // Not behind where it was, and no more than fits in.
  if (written - read_ > ring_.capacity || written - read_ < written_seen_ - read_) {
    broken_ = true;
    return fail(ErrorKind::protocol);
  }
  written_seen_ = written;
  return available();
}

std::string_view RingReader::row(std::size_t most) const {
  const auto at = static_cast<std::size_t>(read_) & (ring_.capacity - 1);
  return {ring_.bytes + at, std::min({most, available(), ring_.capacity - at})};
}

Result<bool> RingReader::gather_prefix() {
  while (prefix_size_ < kRingPrefix) {
    const std::string_view bytes = row(kRingPrefix - prefix_size_);
    if (bytes.empty()) return false;
    std::ranges::copy(bytes, prefix_.begin() + static_cast<std::ptrdiff_t>(prefix_size_));
    prefix_size_ += bytes.size();
    read_ += bytes.size();
    if (prefix_size_ < kRingPrefix) continue;
    std::uint32_t length = 0;
    std::memcpy(&length, prefix_.data(), sizeof length);
    std::memcpy(&message_.tag, prefix_.data() + sizeof length, sizeof message_.tag);
    if (length > kMaxRingMessage) {
      broken_ = true;
      return fail(ErrorKind::protocol);
    }
    length_ = length;
    message_.bytes.reserve(std::min(length_, kReserved));
  }
  return true;
}

Result<bool> RingReader::gather() {
  const auto begun = gather_prefix();
  if (!begun || !*begun) return begun;
  while (message_.bytes.size() < length_) {
    const std::string_view bytes = row(length_ - message_.bytes.size());
    if (bytes.empty()) return false;
    message_.bytes.append(bytes);
    read_ += bytes.size();
  }
  prefix_size_ = 0;
  return true;
}

void RingReader::publish() {
  ring_.header->read.store(read_, std::memory_order_seq_cst);
  // A writer that waits has found the ring full. It is woken when there is room for more than a
  // little; that moment comes, as we read all there is before we sleep.
  if (available() <= ring_.capacity / 2) wake_if_waiting(ring_.header->writer_waits, writer_);
}

Result<bool> RingReader::read(RingMessage& message) {
  if (broken_) return fail(ErrorKind::protocol);
  while (true) {
    if (available() == 0) {
      const auto found = look_for_bytes();
      if (!found) return fail(found.error());
      if (*found == 0) {
        ring_.header->reader_waits.store(1, std::memory_order_seq_cst);
        const auto again = look_for_bytes();
        if (!again) return fail(again.error());
        if (*again == 0) return false;
        ring_.header->reader_waits.store(0, std::memory_order_relaxed);
      }
    }
    const auto whole = gather();
    if (!whole) return whole;
    publish();
    if (*whole) {
      message = std::exchange(message_, {});
      return true;
    }
  }
}

Result<bool> RingReader::wait(RingMessage& message) {
  while (true) {
    const bool closed = ring_.header->closed.load(std::memory_order_seq_cst) != 0;
    const auto got = read(message);
    if (!got || *got) return got;
    if (closed) return false;
    // Closing stores its flag, then looks at ours; so we look at it once more.
    if (ring_.header->closed.load(std::memory_order_seq_cst) == 0) {
      sleep_while_set(ring_.header->reader_waits);
    }
  }
}

}  // namespace penstock
