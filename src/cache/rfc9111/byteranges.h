// The framing of multipart/byteranges (RFC 9110 section 14.6), for 206 with several ranges.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cache/rfc9111/byte_spans.h"

namespace penstock::rfc9111 {

// The texts between the ranges of one answer. Its parts, in their order, are for each span
// head(i) and the bytes, then tail().
class ByterangesFrame {
 public:
  // `random`: 128 random bits for the boundary, so that no content has it by design.
  // `content_type`: that of the whole content; empty for none. It must outlive the frame, as must
  // the spans, of which none is empty. `length`: the complete length of the content, if known.
  ByterangesFrame(std::array<std::uint64_t, 2> random, std::string_view content_type,
                  std::span<const ByteSpan> spans, std::optional<std::uint64_t> length);

  // The value of Content-Type for the answer.
  [[nodiscard]] std::string content_type() const;
  // What stands before the bytes of span i.
  [[nodiscard]] std::string head(std::size_t i) const;
  // What stands after the last bytes.
  [[nodiscard]] std::string tail() const;
  // The length of it all, for Content-Length; the largest number there is if it has none.
  [[nodiscard]] std::uint64_t total_size() const;

 private:
  std::string boundary_;
  std::string_view part_type_;
  std::span<const ByteSpan> spans_;
  std::optional<std::uint64_t> length_;
};

}  // namespace penstock::rfc9111
