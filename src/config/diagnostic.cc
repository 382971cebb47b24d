#include "config/diagnostic.h"

#include <cstddef>
#include <string_view>

#include <fmt/format.h>

namespace penstock::config {
namespace {

struct Palette {
  std::string_view place, error, warning, caret, off;
};
constexpr Palette kPlain{};
constexpr Palette kColored{.place = "\033[1m",
                           .error = "\033[1;31m",
                           .warning = "\033[1;35m",
                           .caret = "\033[1;32m",
                           .off = "\033[0m"};

constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// A file that is no TOML may hold anything: nothing of it must reach the terminal as a command.
std::string printable(std::string_view line) {
  std::string out(line);
  for (char& c : out) {
    if (is_control(c) && c != '\t') c = '?';
  }
  return out;
}

// White space as wide as what stands before the column: tabs stay tabs.
std::string padding(std::string_view line, unsigned column) {
  std::string out;
  unsigned at = 1;
  for (std::size_t i = 0; i < line.size() && at < column; ++i) {
    const bool continues = (static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80U;  // in UTF-8
    if (continues) continue;
    out += line[i] == '\t' ? '\t' : ' ';
    ++at;
  }
  return out.append(column > at ? column - at : 0, ' ');
}

}  // namespace

std::string render(const Diagnostic& diagnostic, bool color) {
  const Palette& paint = color ? kColored : kPlain;
  std::string place = diagnostic.file;
  if (diagnostic.line != 0) place += fmt::format(":{}:{}", diagnostic.line, diagnostic.column);
  std::string out =
      fmt::format("{}{}:{} {}{}:{} {}\n", paint.place, place, paint.off,
                  diagnostic.warning ? paint.warning : paint.error,
                  diagnostic.warning ? "warning" : "error", paint.off, diagnostic.message);
  if (diagnostic.line == 0) return out;
  out += fmt::format("{:>5} | {}\n", diagnostic.line, printable(diagnostic.source_line));
  out += fmt::format("{:>5} | {}{}^{}\n", "", padding(diagnostic.source_line, diagnostic.column),
                     paint.caret, paint.off);
  return out;
}

}  // namespace penstock::config
