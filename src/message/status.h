// Status codes (RFC 9110 section 15).
#pragma once

#include <string_view>

namespace penstock {

// The registered reason phrase, or an empty view for a code that has none.
[[nodiscard]] std::string_view reason_phrase(int status);

// 1xx: another response follows on the same request (101 is the last one in HTTP/1, though).
[[nodiscard]] constexpr bool is_informational(int status) { return status >= 100 && status < 200; }
// 1xx, 204 and 304 never have content (RFC 9112 section 6.3).
[[nodiscard]] constexpr bool never_has_content(int status) {
  return is_informational(status) || status == 204 || status == 304;
}

}  // namespace penstock
