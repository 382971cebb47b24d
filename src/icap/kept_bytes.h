// Bytes kept for later: the first ones in memory, those beyond in a file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/copied_bytes.h"
#include "base/error.h"
#include "base/slab.h"
#include "icap/keep_limits.h"
#include "net/fd.h"

namespace penstock::icap {

// A run of bytes of a stream, from an offset on. Belongs to one thread. The file is written and
// read by the calling thread, through the system's cache.
class KeptBytes {
 public:
  // `limits` must outlive it.
  explicit KeptBytes(const KeepLimits& limits) : limits_(&limits) {}

  // The bytes kept are those of the stream from begin() up to end().
  [[nodiscard]] std::uint64_t begin() const { return begin_; }
  [[nodiscard]] std::uint64_t end() const { return end_; }

  // Adds to the end. Few bytes are copied, more are shared. False: they would be more than is to be
  // kept, or the file could not be written; nothing was added.
  [[nodiscard]] bool append(const Slice& slice);
  // The same whatever the limits. False: the file could not be written.
  [[nodiscard]] bool append_anyway(const Slice& slice);
  // Bytes from that offset on, which is not before begin() and is before end(); as many as lie
  // together. Errors: the file could not be read.
  [[nodiscard]] Result<Slice> read(std::uint64_t offset) const;
  // All before that offset is not wanted any more; it is not beyond end().
  void drop_before(std::uint64_t offset);
  // Nothing is kept, and that many bytes of the stream pass without being kept.
  void skip(std::uint64_t bytes);

 private:
  [[nodiscard]] bool append_to(bool memory, const Slice& slice);
  void append_to_memory(const Slice& slice);
  [[nodiscard]] bool append_to_file(std::string_view bytes);
  [[nodiscard]] Result<Slice> read_file(std::uint64_t offset) const;

  const KeepLimits* limits_;
  Slices slices_;  // in memory: from begin_ up to memory_end_
  CopiedBytes copied_;
  std::uint64_t begin_ = 0;
  std::uint64_t memory_end_ = 0;
  std::uint64_t end_ = 0;
  Fd file_;  // from memory_end_ up to end_, once there is one
};

}  // namespace penstock::icap
