// Why no server could be given a request: the cause of ErrorKind::unavailable.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace penstock {

enum class Unavailable : std::uint8_t {
  no_server,      // checks say they are down, or they were ejected
  queue_full,     // all are at their bounds, and too many requests wait already
  queue_timeout,  // the request has waited for as long as it may
  login_lost,     // the connection that the client had logged in has ended
  needs_http1,    // the server speaks HTTP/2, which can't do what the request asks for
};

// The error for it: of side `server`, and retryable, as nothing of a request has been sent.
[[nodiscard]] constexpr Error unavailable_error(Unavailable why) {
  return {.kind = ErrorKind::unavailable,
          .side = Side::server,
          .retryable = true,
          .cause = static_cast<int>(why)};
}

// "no_server" and so on, for logs.
[[nodiscard]] constexpr std::string_view to_string(Unavailable why) {
  switch (why) {
    case Unavailable::no_server:
      return "no_server";
    case Unavailable::queue_full:
      return "queue_full";
    case Unavailable::queue_timeout:
      return "queue_timeout";
    case Unavailable::login_lost:
      return "login_lost";
    case Unavailable::needs_http1:
      return "needs_http1";
  }
  return "unknown";
}

}  // namespace penstock
