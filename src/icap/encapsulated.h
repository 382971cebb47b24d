// The Encapsulated field: which parts of an HTTP message an ICAP message carries, and where each
// begins (RFC 3507 section 4.4.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "icap/problem.h"

namespace penstock::icap {

// The field as a value. Its parts follow each other without gap and a body part ends them, so the
// sizes of the heads say all that offsets say.
struct Encapsulated {
  enum class Body : std::uint8_t {
    none,      // null-body: nothing follows the heads
    request,   // req-body
    response,  // res-body
    options    // opt-body
  };

  std::uint64_t request_head = 0;   // bytes of req-hdr; 0: there is none
  std::uint64_t response_head = 0;  // bytes of res-hdr; 0: there is none
  Body body = Body::none;

  // Bytes of the heads: the offset of the body part. Both fit into 64 bits when parsed.
  [[nodiscard]] std::uint64_t heads() const { return request_head + response_head; }
  [[nodiscard]] bool has_body() const { return body != Body::none; }
  // "null-body=0": the message carries nothing.
  [[nodiscard]] bool empty() const { return heads() == 0 && !has_body(); }
  friend bool operator==(const Encapsulated&, const Encapsulated&) = default;
};

// Parses the field's value. Names in any case, whitespace around "," and "=" as it likes; all else
// has to be as the RFC says: known parts, a head's part before its body's, offsets that rise from
// 0, and one body part, the last. Legal: [req-hdr] [res-hdr] res-body, [req-hdr] req-body,
// opt-body, and null-body in place of each of the three.
[[nodiscard]] std::expected<Encapsulated, Problem> parse_encapsulated(std::string_view value);

// Writes the value ("req-hdr=0, null-body=68") to `to`, of at least kEncapsulatedMax bytes; its
// length.
inline constexpr std::size_t kEncapsulatedMax = 80;
std::size_t write_encapsulated(const Encapsulated& value, std::span<char> to);

}  // namespace penstock::icap
