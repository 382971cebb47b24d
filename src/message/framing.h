// Where a message ends, and whether its connection may persist: decided here once, for all.
#pragma once

#include <cstdint>
#include <expected>

#include "message/head.h"
#include "message/refusal.h"

namespace penstock {

enum class BodyKind : std::uint8_t { none, length, chunked, until_close };

struct Framing {
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;  // for `length`, 0 included: has_body() is what to ask

  [[nodiscard]] bool has_body() const {
    return kind == BodyKind::length ? length != 0 : kind != BodyKind::none;
  }
  friend bool operator==(const Framing&, const Framing&) = default;
};

// The value of a message's Content-Length, if any: all lines and list elements must agree (RFC 9112
// section 6.3 rule 5, RFC 9110 section 8.6), so that "5, 5" is 5. kind `length` or `none`. Values
// above 2^63-1 are refused.
[[nodiscard]] std::expected<Framing, Refusal> content_length(const FieldSection& fields);

// Makes that the value of the section's one Content-Length.
void set_content_length(FieldSection& fields, std::uint64_t length);

// RFC 9112 section 6.3 for a request. Refuses Content-Length beside Transfer-Encoding,
// Transfer-Encoding in HTTP/1.0, anything but one plain `chunked` in it (of the list syntax not
// even an empty element beside it: implementations differ on those), and content of CONNECT, which
// has none (RFC 9110 section 9.3.6).
[[nodiscard]] std::expected<Framing, Refusal> request_framing(const RequestHead& head);

// RFC 9112 section 6.3 for the response to a request of that method. A 2xx to CONNECT and 101 have
// no body: what follows is the tunnel. Content-Length in responses to HEAD and in 304, and where it
// must not be sent (1xx, 204, 2xx to CONNECT), is checked for validity and not used.
// Transfer-Encoding where it must not be sent is refused (section 6.1), and so it is beside
// Content-Length: a server that sends both cannot be framed with certainty.
[[nodiscard]] std::expected<Framing, Refusal> response_framing(Method request_method,
                                                               const ResponseHead& head);

// What the Connection fields of a message say (RFC 9110 section 7.6.1).
struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  bool te = false;
  bool has_others = false;  // names fields beyond those above and the well-known hop-by-hop ones
};
[[nodiscard]] ConnectionOptions connection_options(const FieldSection& fields);

// RFC 9112 section 9.3: whether the sender of a message with these options lets the connection
// persist. The framing must allow it too (not until_close). HTTP/1.0 persists when it says
// keep-alive; what Connection says counts for this hop only, as it is never forwarded.
[[nodiscard]] bool wants_persistence(Version version, const ConnectionOptions& options);

}  // namespace penstock
