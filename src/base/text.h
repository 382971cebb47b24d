// Small helpers for text.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace penstock {

// An ASCII letter in lower case, whatever the locale; any other character as it is.
[[nodiscard]] constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A copy in lower case.
[[nodiscard]] inline std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return to_lower(c); });
  return lower;
}

}  // namespace penstock
