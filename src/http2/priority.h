// The priority of a response (RFC 9218).
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::http2 {

struct Priority {
  std::uint32_t urgency = 3;  // 0 to 7; 0 is the most urgent
  bool incremental = false;   // takes turns with others of its urgency
};

// Of a `priority` field. What is not understood is left out (RFC 9218 section 4).
[[nodiscard]] Priority parse_priority(std::string_view value);

}  // namespace penstock::http2
