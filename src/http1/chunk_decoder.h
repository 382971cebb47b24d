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
  // Bytes of chunk extensions in one body, all chunks together.
  std::size_t extensions = std::size_t{4} * 1024;
  HeadLimits trailers{.head = std::size_t{16} * 1024, .start_line = 0, .fields = 100};
  // The extensions of the last chunk are kept, for a protocol that says something by them.
  bool keep_last_extensions = false;
};

// Walks over a chunked body. Each call of next() consumes part of the bytes it is given and says
// what was found; the outcome does not depend on how the body is split into calls.
//
// A chunk line is: hexadecimal size; extensions, each ";" name [ "=" token or quoted string ], with
// whitespace around ";" and "=" only (RFC 9112 section 7.1.1); CRLF. Whitespace at its end is
// refused. Extensions are checked and dropped, but for those of the last chunk where the limits say
// so. Sizes above 2^63-1 are refused.
class ChunkDecoder {
 public:
  // `limits` must outlive the decoder.
  explicit ChunkDecoder(const ChunkLimits& limits) : limits_(&limits) {}

  enum class Event : std::uint8_t { need_more, data, end, refused };
  struct Step {
    Event event;
    std::size_t consumed;   // bytes of the input this step used up; data lies at their end
    std::string_view data;  // for `data`: a view into the input, never empty
  };
  // need_more: all of the input was consumed. end: consumed up to the last byte of the body,
  // trailer section included; what follows is another message. refused: see refusal(), it stays so.
  // After `end` the trailer section, if any, is in trailers(); next() consumes nothing more.
  Step next(std::string_view input);

  // Bytes of chunk data still to come in the chunk being read, 0 between chunks.
  [[nodiscard]] std::uint64_t remaining_in_chunk() const { return remaining_; }
  // The trailer fields, which view memory of their own section: it may be moved away. Valid after
  // `end`. Fields that have no business in trailers are still there (write_last_chunk drops them).
  [[nodiscard]] FieldSection& trailers() { return trailers_; }
  // What stood between the size and the line end of the last chunk, as it came ("; name=value"), in
  // memory of the decoder. Complete after `end`; empty unless keep_last_extensions is set.
  [[nodiscard]] std::string_view last_extensions() const { return last_extensions_; }
  [[nodiscard]] Refusal refusal() const { return refusal_; }

 private:
  enum class State : std::uint8_t {
    size_start,      // before the first digit
    size,            // in the digits
    before_ext,      // whitespace after size or extension: only ";" may follow
    ext_name_start,  // after ";"
    ext_name,
    after_ext_name,   // whitespace after a name: "=" or ";" may follow
    ext_value_start,  // after "="
    ext_token,
    ext_quoted,
    ext_escaped,     // after "\\" in a quoted string
    ext_quoted_end,  // after the closing quote
    size_lf,
    data,
    data_cr,
    data_lf,
    trailers,
    done,
    failed
  };

  Refusal line_byte(char c);
  // Both stay out of the loop over a line's bytes, which is then small enough to be in one piece.
  [[gnu::noinline]] Refusal size_byte(char c);
  [[gnu::noinline]] Refusal extension_byte(char c);
  Refusal extension_part(char c);
  Refusal extension_separator(char c);
  void size_line_ended();
  // Both take what is theirs off the input, up to where the state changes.
  Refusal take_line(std::string_view& input);
  Refusal take_trailers(std::string_view& input);
  Refusal trailers_ended();

  const ChunkLimits* limits_;
  State state_ = State::size_start;
  Refusal refusal_ = Refusal::none;
  std::uint8_t digits_ = 0;
  std::uint64_t remaining_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_line_ = 0;  // where the line being read begins in trailer_text_
  std::string trailer_text_;
  std::string last_extensions_;
  FieldSection trailers_;
};

}  // namespace penstock::http1
