// Lines out of what another process prints.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace penstock {

// Takes bytes as they come and gives whole lines, made fit for a log: no control characters, and no
// longer than kMaxLine (a longer one is cut into several).
class LineSplitter {
 public:
  static constexpr std::size_t kMaxLine = 4096;

  // Calls f(std::string_view) for each line that is complete.
  template <class F>
  void add(std::string_view bytes, F f) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::string_view part = bytes.substr(0, std::min(end, kMaxLine - line_.size()));
      append(part);
      bytes.remove_prefix(part.size());
      const bool ended = bytes.starts_with('\n');
      if (ended) bytes.remove_prefix(1);
      if (ended || line_.size() == kMaxLine) flush(f);
    }
  }
  // The same for a last line that has no end.
  template <class F>
  void flush(F f) {
    if (!line_.empty()) f(std::string_view(line_));
    line_.clear();
  }

 private:
  void append(std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      line_ += byte < 0x20 || byte == 0x7f ? ' ' : c;
    }
  }
  std::string line_;
};

}  // namespace penstock
