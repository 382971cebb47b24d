// Durations and sizes as text.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/time.h"

namespace penstock {

// "500ms", "30s", "2m", "1h": a whole number and its unit. Otherwise what is wrong with it.
[[nodiscard]] std::expected<Duration, std::string> parse_duration(std::string_view text);
// "64KiB", "10MB", "4096": a whole number and a unit, B or none for bytes. Otherwise what is wrong.
[[nodiscard]] std::expected<std::uint64_t, std::string> parse_size(std::string_view text);

// With the largest unit that leaves a whole number; what the parsers above read back.
[[nodiscard]] std::string format_duration(Duration duration);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace penstock
