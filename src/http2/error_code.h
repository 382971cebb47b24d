// The error codes of HTTP/2 (RFC 9113 section 7).
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::http2 {

enum class ErrorCode : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  settings_timeout = 4,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  connect_error = 10,
  enhance_your_calm = 11,
  inadequate_security = 12,
  http_1_1_required = 13,
};

// "PROTOCOL_ERROR" and so on, for logs; "unknown" for a code that is not registered.
[[nodiscard]] std::string_view to_string(ErrorCode code);

}  // namespace penstock::http2
