// Writing HTTP/1 heads and chunk framing: the only place that puts them on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "message/framing.h"
#include "message/head.h"

namespace penstock::http1 {

enum class RequestForm : std::uint8_t { origin, absolute, authority };

// What the writer adds to a head's own fields. The head must have no Connection, Content-Length,
// Transfer-Encoding, Upgrade, TE or Trailer lines left where these are set here.
struct WireFraming {
  Framing body;                  // writes Content-Length or Transfer-Encoding: chunked or neither
  std::string_view connection;   // value of Connection, empty: no such line
};

// The bytes the head takes on the wire, at most; to size the buffer for write_*.
[[nodiscard]] std::size_t wire_size_bound(const RequestHead& head, const WireFraming& framing);
[[nodiscard]] std::size_t wire_size_bound(const ResponseHead& head, const WireFraming& framing);

// Writes the head, empty line included, always as HTTP/1.1 (RFC 9110 section 6.2: a proxy sends its
// own version); the number of bytes. `to` has at least wire_size_bound() bytes. A request's target
// is written in the given form from head.target, its Host line comes first (the value of the Host
// field in head.fields). A request without body gets no Content-Length unless its method expects
// content (POST, PUT, PATCH: "Content-Length: 0", RFC 9110 section 8.6).
std::size_t write_request_head(const RequestHead& head, RequestForm form, const WireFraming& framing,
                               std::span<char> to);
// A response's Content-Length line is written for BodyKind::length (0 included), nothing for none.
// In responses to HEAD and in 304 the head's own Content-Length field, if any, is kept as it is.
std::size_t write_response_head(const ResponseHead& head, const WireFraming& framing,
                                std::span<char> to);

// "1a2b\r\n" into `to` (at least kChunkHeadMax bytes); its length.
inline constexpr std::size_t kChunkHeadMax = 18;
std::size_t write_chunk_head(std::uint64_t size, std::span<char> to);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// "0\r\n", the trailer lines and the empty line. Fields forbidden in trailers are left out.
[[nodiscard]] std::size_t last_chunk_size_bound(const FieldSection& trailers);
std::size_t write_last_chunk(const FieldSection& trailers, std::span<char> to);

}  // namespace penstock::http1
