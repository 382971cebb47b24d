#include "adapt/client_user.h"

#include <algorithm>
#include <optional>

#include "message/characters.h"
#include "message/fields.h"

namespace penstock {
namespace {

constexpr std::string_view kBasic = "Basic";
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kBitsOfDigit = 6;
constexpr unsigned kBitsOfByte = 8;

// The text that base64 stands for, up to its padding (RFC 4648 section 4).
std::optional<std::string> decoded(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  unsigned bits = 0;
  unsigned value = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = (value << kBitsOfDigit) | static_cast<unsigned>(digit);
    bits += kBitsOfDigit;
    if (bits < kBitsOfByte) continue;
    bits -= kBitsOfByte;
    out += static_cast<char>((value >> bits) & 0xff);
    value &= (1U << bits) - 1;
  }
  return out;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string user_of(std::string_view proxy_authorization) {
  const std::size_t space = proxy_authorization.find(' ');
  if (space == std::string_view::npos) return {};
  if (!equals_ignoring_case(proxy_authorization.substr(0, space), kBasic)) return {};
  auto login = decoded(trim_whitespace(proxy_authorization.substr(space)));
  if (!login || !login->contains(':')) return {};
  login->resize(login->find(':'));
  if (std::ranges::any_of(*login, is_control)) return {};
  return std::move(*login);
}

}  // namespace penstock
