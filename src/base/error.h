// Expected failures as values: what happened, on whose side, whether trying again is safe.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace penstock {

// What went wrong, as far as a caller can act on it.
enum class ErrorKind : std::uint8_t {
  closed,           // the peer ended the stream in an orderly way, but earlier than allowed
  reset,            // the connection broke (RST, EPIPE, keep-alive probe failed)
  timed_out,        // a time limit passed
  cancelled,        // the scope the work belonged to was cancelled
  refused,          // the peer refused the connection
  unreachable,      // no way to the peer
  resolve_failed,   // the name has no address, or none is known; cause is a ResolveCause
  protocol,         // the peer sent what cannot be understood with certainty; cause is a Refusal
  limit,            // a configured limit was passed
  denied,           // our own rules forbid it
  tls_protocol,     // TLS was not understood, or nothing agreed on; cause is OpenSSL's error code
  tls_certificate,  // the peer's certificate is not accepted; cause is an X509_V_ERR_* number
  tls_alert,        // the peer sent an alert that ends it; cause is its number
  overloaded,       // no room: memory, descriptors or connections are at their bound
  unavailable,      // no server to turn to; cause is an Unavailable (upstream/unavailable.h)
  adaptation,       // a filter failed that was not to fail
  io,               // any other failure of the operating system; cause is its errno
};

// On which connection it went wrong, seen from the proxy.
enum class Side : std::uint8_t { none, client, server };

struct Error {
  ErrorKind kind = ErrorKind::io;
  Side side = Side::none;
  // True where nothing of the request can have taken effect at the peer, so that sending it again
  // on another connection is safe whatever its method (RFC 9110 section 9.2.2).
  bool retryable = false;
  // An errno for kinds that come from the operating system, what is said at the kind for others,
  // what a proxy on the way had against a tunnel (upstream/peer_failure.h), else 0.
  int cause = 0;

  // The same error, said of one side.
  [[nodiscard]] constexpr Error at(Side where) const { return {kind, where, retryable, cause}; }
  friend constexpr bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected(error); }
[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, int cause = 0) {
  return std::unexpected(Error{.kind = kind, .cause = cause});
}

// The Error for an errno of a socket call.
[[nodiscard]] Error error_from_errno(int errno_value);

// A short lower-case name such as "timed_out", for logs.
[[nodiscard]] std::string_view to_string(ErrorKind kind);
[[nodiscard]] std::string_view to_string(Side side);

}  // namespace penstock
