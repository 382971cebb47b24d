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

}  // namespace

void Report::add(Place place, std::string message, bool warning) {
  if (!warning) ++errors_;
  found_.push_back({.file = file_,
                    .line = place.line,
                    .column = place.column,
                    .source_line = place.line == 0 ? "" : std::string(line_of(text_, place.line)),
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
