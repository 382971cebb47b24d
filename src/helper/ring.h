// A ring of byte messages in memory: one writer, one reader, often in two processes.
//
// Both map the same memory and each has an object of its own over it (RingWriter, RingReader),
// whose positions are its own and never read back from the memory. What the other side writes there
// is taken for hostile: each number is read once, checked, and only then used. A number that can't
// be is ErrorKind::protocol, and the object then fails for good. Bytes are copied out before anyone
// looks at them, as the other side might change them meanwhile.
//
// A message is a tag and bytes, and travels as a stream: a prefix of 12 bytes (length, tag), then
// the bytes. One that is larger than the ring goes through in parts.
//
// A side that finds nothing to do says so in the memory and is woken when there is something; as
// long as it is busy, the other one makes no system call for it. It sleeps in wait() (on a futex),
// or, where it has an event loop, gets an eventfd written to: a Bell says which.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace penstock {

// The largest message.
inline constexpr std::size_t kMaxRingMessage = std::size_t{16} * 1024 * 1024;

// Bytes before each message: its length in 4, its tag in 8, as this machine orders them.
inline constexpr std::size_t kRingPrefix = 12;

// What lies in the shared memory before the bytes. Zeros are an empty ring.
struct RingHeader {
  alignas(64) std::atomic<std::uint64_t> written;  // bytes since the beginning; the writer's
  alignas(64) std::atomic<std::uint64_t> read;     // the reader's
  // 1 while that side wants to be woken; the other one sets it to 0 and wakes it.
  alignas(64) std::atomic<std::uint32_t> reader_waits;
  std::atomic<std::uint32_t> writer_waits;
  // 1 when nothing more will come (either side, or whoever looks after both).
  std::atomic<std::uint32_t> closed;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// A ring's place in memory, which must outlive it.
struct Ring {
  RingHeader* header = nullptr;
  char* bytes = nullptr;
  std::size_t capacity = 0;  // a power of two

  // The memory that a ring of such a capacity takes.
  [[nodiscard]] static constexpr std::size_t memory(std::size_t capacity) {
    return sizeof(RingHeader) + capacity;
  }
  // A ring that fills the memory, which begins at a multiple of 64 and is of the size memory()
  // gives for a power of two; all zeros, or in use already.
  [[nodiscard]] static Ring in(std::span<std::byte> memory);

  // Says that nothing more will come, and wakes who sleeps in wait() or write_blocking(). What was
  // written before can still be read. From any thread, but not where the reader has an event loop:
  // that one would not be told.
  void close() const;
};

// How the other side is woken: by this eventfd, or, with -1, out of its wait(). Not owned. Writing
// to an eventfd may block if the other process wants it to (its flags and count are shared), so a
// side that must not block for the other only ever wakes out of a wait().
struct Bell {
  int eventfd = -1;
};

// The writer's side. Belongs to one thread at a time.
class RingWriter {
 public:
  RingWriter(const Ring& ring, Bell reader) : ring_(ring), reader_(reader) {}

  // Writes the message, which is the parts in a row; what the ring has no room for is copied and
  // waits here. Never blocks. Errors: limit (larger than kMaxRingMessage; nothing was written),
  // closed, protocol.
  [[nodiscard]] Result<void> write(std::uint64_t tag, std::span<const std::string_view> parts);
  // Moves what waits here into the ring, as far as there is room. While something is left, the
  // reader wakes us when there is room: call it then. Errors: closed, protocol.
  [[nodiscard]] Result<void> flush();
  // Bytes that wait here.
  [[nodiscard]] std::size_t waiting() const { return backlog_.size() - backlog_begin_; }

  // As write(), but waits for room, blocking the thread, until all is in the ring. The reader must
  // have an empty Bell for us. Not to be mixed with write().
  [[nodiscard]] Result<void> write_blocking(std::uint64_t tag,
                                            std::span<const std::string_view> parts);

 private:
  // Copies as much as there is room for, not shown to the reader yet; its size.
  [[nodiscard]] Result<std::size_t> copy_in(std::string_view bytes);
  // Looks how far the reader is; the room there is now.
  [[nodiscard]] Result<std::size_t> look_for_room();
  [[nodiscard]] std::size_t room() const {
    return ring_.capacity - static_cast<std::size_t>(written_ - read_seen_);
  }
  [[nodiscard]] Result<void> check_open() const;
  // Copies all of it, waiting for room as often as it takes.
  [[nodiscard]] Result<void> copy_in_blocking(std::string_view bytes);
  // Shows what was copied to the reader, and wakes it.
  void publish();
  // Lets go of the memory of what of the backlog is in the ring by now.
  void forget_sent();

  Ring ring_;
  Bell reader_;
  std::uint64_t written_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t read_seen_ = 0;
  std::string backlog_;
  std::size_t backlog_begin_ = 0;
  bool broken_ = false;
};

struct RingMessage {
  std::uint64_t tag = 0;
  std::string bytes;
};

// The reader's side. Belongs to one thread at a time.
class RingReader {
 public:
  RingReader(const Ring& ring, Bell writer) : ring_(ring), writer_(writer) {}

  // Takes the next message; false when there is none that is whole: the writer then wakes us when
  // there is more. Never blocks. Errors: protocol.
  [[nodiscard]] Result<bool> read(RingMessage& message);
  // As read(), but waits for it, blocking the thread; false when the ring was closed and all of it
  // is read. The writer must have an empty Bell for us.
  [[nodiscard]] Result<bool> wait(RingMessage& message);

 private:
  // Takes what is there of the message; true when it is whole.
  [[nodiscard]] Result<bool> gather();
  // Copies what is there of the prefix; true when it is whole and makes sense.
  [[nodiscard]] Result<bool> gather_prefix();
  // Looks how far the writer is; the bytes there are now.
  [[nodiscard]] Result<std::size_t> look_for_bytes();
  [[nodiscard]] std::size_t available() const {
    return static_cast<std::size_t>(written_seen_ - read_);
  }
  // The next bytes that lie in a row, at most so many.
  [[nodiscard]] std::string_view row(std::size_t most) const;
  // Shows the writer what was taken, and wakes it.
  void publish();

  Ring ring_;
  Bell writer_;
  std::uint64_t read_ = 0;
  std::uint64_t written_seen_ = 0;
  std::array<char, kRingPrefix> prefix_{};
  std::size_t prefix_size_ = 0;
  std::size_t length_ = 0;  // of the message, once the prefix is whole
  RingMessage message_;     // what is there of it
  bool broken_ = false;
};

}  // namespace penstock
