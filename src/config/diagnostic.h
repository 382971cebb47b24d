// What is wrong with a configuration file, said so that it can be put right without the manual.
#pragma once

#include <string>

namespace penstock::config {

// A place in the file, counted from 1; columns count characters, not bytes. Line 0: no place.
struct Place {
  unsigned line = 0;
  unsigned column = 0;
  friend constexpr auto operator<=>(const Place&, const Place&) = default;
};

struct Diagnostic {
  std::string file;
  unsigned line = 0;  // 0: the file as a whole
  unsigned column = 0;
  std::string source_line;  // the line's text, without its end
  std::string message;
  bool warning = false;  // true: the configuration can be used, but is hardly what was meant
};

// "file:line:column: error: message", then the line with a caret under the place. Ends in a
// newline.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, bool color);

}  // namespace penstock::config
