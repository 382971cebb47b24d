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
  std::uint64_t length = 0;  // for `length`; a Content-Length of 0 gives kind none... length 0

  [[nodiscard]] bool has_body() const {
    return kind != BodyKind::none && !(kind == BodyKind::length && length == 0);
  }
  friend bool operator==(const Framing&, const Framing&) = default;
};

// The value of a message's Content-Length, if any: all lines and list elements must agree (RFC 9112
// section 6.3 rule 5, RFC 9110 section 8.6). kind `length` or `none`.
[[nodiscard]] std::expected<Framing, Refusal> content_length(const FieldSection& fields);

// RFC 9112 section 6.3 for a request. Refuses Content-Length beside Transfer-Encoding,
// Transfer-Encoding in HTTP/1.0, and codings other than one final `chunked`.
[[nodiscard]] std::expected<Framing, Refusal> request_framing(const RequestHead& head);

// RFC 9112 section 6.3 for the response to a request of that method. A 2xx to CONNECT and 101 have
// no body: what follows is the tunnel. Content-Length in responses to HEAD and in 304 is checked
// for validity and not used.
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
// persist. The framing must allow it too (not until_close).
[[nodiscard]] bool wants_persistence(Version version, const ConnectionOptions& options);

}  // namespace penstock
