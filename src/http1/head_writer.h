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

// What the writer adds to a head's own fields. It leaves out the head's Content-Length and
// Transfer-Encoding lines (but see write_response_head), and its Connection lines when `connection`
// is set: what is said here is the only thing said. Hop-by-hop fields otherwise are the caller's
// business (message/hop.h).
struct WireFraming {
  Framing body;                 // writes Content-Length or Transfer-Encoding: chunked or neither
  std::string_view connection;  // value of Connection, empty: no such line
};

// The bytes the head takes on the wire, at most; to size the buffer for write_*.
[[nodiscard]] std::size_t wire_size_bound(const RequestHead& head, const WireFraming& framing);
[[nodiscard]] std::size_t wire_size_bound(const ResponseHead& head, const WireFraming& framing);

// Writes the head, empty line included, always as HTTP/1.1 (RFC 9110 section 6.2: a proxy sends its
// own version); the number of bytes. `to` has at least wire_size_bound() bytes. Texts are written
// as they are: who sets any not from a parsed head answers for their syntax (is_token,
// is_field_value).
//
// A request's target is written in the given form from head.target. Where head.target lacks what
// the form needs, the Host field stands in for the authority and "http" for the scheme. The Host
// line comes first: the value of the first Host field in head.fields, else the target's authority,
// else empty. A request without body gets no Content-Length unless its method expects content
// (POST, PUT, PATCH: "Content-Length: 0", RFC 9110 section 8.6). BodyKind::until_close is for a
// head inside another protocol's message, which says where the body ends: no line speaks of it
// then.
std::size_t write_request_head(const RequestHead& head, RequestForm form,
                               const WireFraming& framing, std::span<char> to);
// A response's Content-Length line is written for BodyKind::length (0 included). With
// BodyKind::none the head's own Content-Length, if it has a valid one, is kept as one line (for
// responses to HEAD and 304), except in 1xx and 204, which must not have it (RFC 9110 section 8.6).
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
