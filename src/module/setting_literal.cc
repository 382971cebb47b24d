#include "module/setting_literal.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace penstock {
namespace {

template <class Number>
std::optional<ModuleValue> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return ModuleValue{.value = value};
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<ModuleValue> whole() {
    auto value = one();
    skip_space();
    if (!rest_.empty()) return std::nullopt;
    return value;
  }

 private:
  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size()));
  }
  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<ModuleValue> one() {
    skip_space();
    if (rest_.starts_with('"') || rest_.starts_with('\'')) return text();
    if (take('[')) return list();
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\n,]"));
    rest_.remove_prefix(word.size());
    if (word == "true" || word == "false") return ModuleValue{.value = word == "true"};
    if (auto integer = number<std::int64_t>(word)) return integer;
    return number<double>(word);
  }

  std::optional<ModuleValue> text() {
    const char quote = rest_.front();
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      char c = rest_[i];
      if (c == quote) {
        rest_.remove_prefix(i + 1);
        return ModuleValue{.value = std::move(out)};
      }
      if (c == '\\' && quote == '"') {
        if (++i == rest_.size()) return std::nullopt;
        c = escaped(rest_[i]);
        if (c == '\0') return std::nullopt;
      }
      out += c;
    }
    return std::nullopt;
  }

  static char escaped(char c) {
    switch (c) {
      case '"':
      case '\\':
        return c;
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      default:
        return '\0';
    }
  }

  // Of texts and numbers; a list in a list is not needed.
  std::optional<ModuleValue> list() {
    ModuleValue::List out;
    while (!take(']')) {
      if (!out.empty() && !take(',')) return std::nullopt;
      if (take(']')) break;  // a comma after the last one
      if (rest_.starts_with('[')) return std::nullopt;
      auto value = one();
      if (!value) return std::nullopt;
      out.push_back(std::move(*value));
    }
    return ModuleValue{.value = std::move(out)};
  }

  std::string_view rest_;
};

}  // namespace

std::optional<ModuleValue> parse_literal(std::string_view text) { return Parser(text).whole(); }

}  // namespace penstock
