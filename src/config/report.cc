#include "config/report.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace penstock::config {
namespace {

std::string_view line_of(std::string_view text, unsigned number) {
  for (unsigned line = 1; line < number; ++line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// How much of the text is a value: up to the closing quote, or to what separates it from the next.
std::size_t value_length(std::string_view text) {
  if (text.starts_with(R"(""")") || text.starts_with("'''")) return text.size();
  if (!text.starts_with('"') && !text.starts_with('\'')) {
    return std::min(text.find_first_of(",}#"), text.size());
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text.front() == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == text.front()) {
      return i + 1;
    }
  }
  return text.size();
}

// Reports end up in logs and tickets. What looks like the value of a password, mistyped or not, is
// painted over; the text keeps its length, so that places in it stay true.
std::string without_secrets(std::string_view line) {
  std::string out(line);
  for (std::size_t at = line.find("pass"); at != std::string_view::npos;
       at = line.find("pass", at + 1)) {
    const std::size_t end = static_cast<std::size_t>(
        std::ranges::find_if_not(line.substr(at), is_word_char) - line.begin());
    const std::string_view word = line.substr(at, end - at);
    if (word == "password_file" || word == "pass_login") continue;
    std::size_t value = line.find_first_not_of("\"' \t", end);
    if (value == std::string_view::npos || line[value] != '=') continue;
    value = std::min(line.find_first_not_of(" \t", value + 1), line.size());
    const std::size_t length = value_length(line.substr(value));
    out.replace(value, length, length, '*');
  }
  return out;
}

}  // namespace

void Report::add(Place place, std::string message, bool warning) {
  if (!warning) ++errors_;
  found_.push_back(
      {.file = file_,
       .line = place.line,
       .column = place.column,
       .source_line = place.line == 0 ? "" : without_secrets(line_of(text_, place.line)),
       .message = std::move(message),
       .warning = warning});
}

std::vector<Diagnostic> Report::take() {
  std::ranges::sort(found_, {}, [](const Diagnostic& d) {
    return std::tuple(d.line, d.column, std::string_view(d.message));
  });
  return std::exchange(found_, {});
}

}  // namespace penstock::config
