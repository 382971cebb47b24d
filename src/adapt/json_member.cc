#include "adapt/json_member.h"

#include <charconv>

namespace penstock {
namespace {

// Of a text without its opening quote.
std::string unescaped(std::string_view text) {
  constexpr std::size_t kCodeDigits = 4;
  std::string value;
  for (std::size_t i = 0; i < text.size() && text[i] != '"'; ++i) {
    const bool is_escape = text[i] == '\\';
    if (is_escape) ++i;
    if (i == text.size()) break;
    if (!is_escape || text[i] != 'u') {
      value += text[i];
      continue;
    }
    unsigned code = 0;
    const std::string_view digits = text.substr(i + 1, kCodeDigits);
    std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    value += static_cast<char>(code);
    i += digits.size();
  }
  return value;
}

}  // namespace

bool find_json_member(std::string_view line, std::string_view name, std::string& value) {
  // A quote inside a text has a backslash in front, so that this can't be found there.
  std::string key;
  key.reserve(name.size() + 4);
  key.append(",\"").append(name).append("\":");
  std::size_t at = line.find(key);
  if (at == std::string_view::npos) {
    key.front() = '{';
    if (!line.starts_with(key)) return false;
    at = 0;
  }
  const std::string_view rest = line.substr(at + key.size());
  value = rest.starts_with('"') ? unescaped(rest.substr(1))
                                : std::string(rest.substr(0, rest.find_first_of(",}")));
  return true;
}

}  // namespace penstock
