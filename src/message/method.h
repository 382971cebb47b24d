// Request methods (RFC 9110 section 9).
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock {

enum class Method : std::uint8_t {
  get,
  head,
  post,
  put,
  delete_,
  connect,
  options,
  trace,
  patch,
  other
};

// Methods are case-sensitive; a token that is none of the above is `other`.
[[nodiscard]] Method method_of(std::string_view token);
// "GET" and so on; empty for `other`.
[[nodiscard]] std::string_view to_string(Method method);

// RFC 9110 section 9.2.1.
[[nodiscard]] bool is_safe(Method method);
// RFC 9110 section 9.2.2: an automatic retry is allowed when the connection fails. `other` is not.
[[nodiscard]] bool is_idempotent(Method method);

}  // namespace penstock
