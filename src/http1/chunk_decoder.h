// The chunked transfer coding, received (RFC 9112 section 7.1): strict, incremental, without I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http1/head_parser.h"
#include "message/fields.h"
#include "message/refusal.h"

namespace penstock::http1 {

struct ChunkLimits {
  std::size_t extensions = 4 * 1024;  // bytes of chunk extensions in one body, all chunks together
  HeadLimits trailers{.head = 16 * 1024, .start_line = 0, .fields = 100};
};

// Walks over a chunked body. Each call of next() consumes part of the bytes it is given and says
// what was found.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(const ChunkLimits& limits) : limits_(&limits) {}

  enum class Event : std::uint8_t { need_more, data, end, refused };
  struct Step {
    Event event;
    std::size_t consumed;   // bytes of the input this step used up; data lies at their end
    std::string_view data;  // for `data`: a view into the input, never empty
  };
  // need_more: all of the input was consumed, or the rest must be passed again with more behind it
  // (consumed says how much was taken). After `end` the trailer section, if any, is in trailers().
  Step next(std::string_view input);

  // Bytes of chunk data still to come in the chunk being read, 0 between chunks.
  [[nodiscard]] std::uint64_t remaining_in_chunk() const { return remaining_; }
  // Tells that `n` bytes of the current chunk's data went past the decoder (n <= remaining).
  void skip_data(std::uint64_t n) { remaining_ -= n; }
  // The trailer fields, which views memory of their own. Valid after `end`.
  [[nodiscard]] FieldSection& trailers() { return trailers_; }
  [[nodiscard]] Refusal refusal() const { return refusal_; }

 private:
  enum class State : std::uint8_t { size_start, size, extension, size_lf, data, data_cr, data_lf, trailers, done, failed };
  // The implementer adds private members and helpers as needed.
  const ChunkLimits* limits_;
  State state_ = State::size_start;
  Refusal refusal_ = Refusal::none;
  std::uint64_t remaining_ = 0;
  std::size_t extension_bytes_ = 0;
  FieldSection trailers_;
};

}  // namespace penstock::http1
