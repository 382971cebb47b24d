// Base64 with padding (RFC 4648 section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock {

[[nodiscard]] std::string to_base64(std::string_view bytes);
// The bytes that it stands for; nothing where it has other characters. Padding may be missing.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace penstock
