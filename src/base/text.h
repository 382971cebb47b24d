// Small helpers for text.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace penstock {

// A copy with ASCII letters in lower case, whatever the locale.
[[nodiscard]] inline std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  return lower;
}

}  // namespace penstock
