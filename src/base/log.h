// The operational log: what an administrator should know, a line each.
#pragma once

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/log_file.h"
#include "base/settings.h"

namespace penstock {

// Writes "2026-01-31T12:00:00.123Z info  text" lines. Safe to use from all threads. Not for
// anything that happens once a request: that is the access log's.
class Log {
 public:
  // `file` must outlive it.
  Log(LogFile& file, LogLevel level) : file_(&file), level_(level) {}

  // Lines of lower levels are not written.
  [[nodiscard]] LogLevel level() const { return level_; }

  template <class... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) {
    if (level_ <= LogLevel::debug) write("debug", fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) {
    if (level_ <= LogLevel::info) write("info ", fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> text, Args&&... args) {
    if (level_ <= LogLevel::warning) write("warn ", fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) {
    write("error", fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  void write(std::string_view level, std::string_view text);
  LogFile* file_;
  LogLevel level_;
};

}  // namespace penstock
