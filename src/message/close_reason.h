// Why a connection ended, or why it was kept: every connection has a reason in the log.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace penstock {

enum class CloseReason : std::uint8_t {
  kept,             // it persists
  not_opened,       // there never was one
  said_close,       // the peer's message has Connection: close, or is HTTP/1.0 without keep-alive
  peer_closed,      // the peer ended it
  framed_by_close,  // the end of the connection is the end of the message
  body_unread,      // the message's body was not read to its end
  body_unsent,      // our message to it is not complete
  stray_bytes,      // more bytes came than the message had
  refused_message,  // what it sent can't be framed with certainty
  timed_out,        // a time limit passed
  idle,             // unused for too long
  broken,           // reset, or an error of the network
  tunnel_ended,     // it was a tunnel
  tunnel_refused,   // it was to become one: bytes for the tunnel may be under way already
  pinned,           // it persists, for the client connection it is logged in for (NTLM, Negotiate)
  pin_ended,        // the server connection it was bound to has ended
  draining,         // we are shutting down
  pool_full,        // too many idle ones
  other_side_failed,  // the other connection of the exchange broke
  cancelled,          // the exchange was given up
};

// "said_close" and so on, for logs.
[[nodiscard]] std::string_view to_string(CloseReason reason);
// The reason for which a connection ends that failed in this way.
[[nodiscard]] CloseReason close_reason_of(ErrorKind failure);

}  // namespace penstock
