// Lines that modules write: into the proxy's log, and into files of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/log_file.h"
#include "base/time.h"
#include "module/line_budget.h"

namespace penstock {

// Text that stays on one line: line breaks become \n and \r, and nothing else is changed, as it may
// be of a format with escapes of its own.
[[nodiscard]] std::string one_line(std::string_view text);
// The same for the proxy's own log: other control characters become \xXX, and backslashes \\, so
// that it can be told what there was.
[[nodiscard]] std::string escaped_line(std::string_view text);

// The log files of all instances: those that write to one path share its file. Safe to use from all
// threads.
class ModuleLogFiles {
 public:
  // The file of that path, as LogFile has them: opened where it is not open. It stays open as long
  // as somebody keeps it. Null, with errno: it can't be opened.
  [[nodiscard]] std::shared_ptr<LogFile> open(const std::string& path);
  // Opens all of them anew, for log rotation.
  void reopen_all();

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<LogFile>> files_;
};

// The lines of one instance. Safe to use from all threads.
class InstanceLog {
 public:
  static constexpr std::uint32_t kLinesASecond = 100;
  static constexpr std::size_t kMaxLine = 4096;  // bytes; what is longer is cut
  static constexpr std::size_t kMaxFiles = 16;

  // What is given must outlive it.
  InstanceLog(std::string name, Log& log, ModuleLogFiles& files)
      : name_(std::move(name)), log_(log), all_files_(files) {}
  // Says what has not been said.
  ~InstanceLog() { say_left_out(kNever); }
  InstanceLog(const InstanceLog&) = delete;
  InstanceLog& operator=(const InstanceLog&) = delete;

  // A line in the proxy's log; `level` as penstock/module.h has them. True: it was the first of a
  // second to be left out, so that say_left_out() is to be called soon.
  [[nodiscard]] bool write(int level, std::string_view text, TimePoint now);
  // Says how many lines were left out in a second that has passed. False: it has not passed yet.
  bool say_left_out(TimePoint now);

  // As ModuleServices has them. One path has one id, however often it is opened.
  [[nodiscard]] std::uint64_t open_file(const std::string& path);
  void write_file(std::uint64_t id, std::string_view line);

 private:
  void say_left_out_locked(TimePoint now);
  void say(LogLevel level, std::string_view text);

  const std::string name_;
  Log& log_;
  ModuleLogFiles& all_files_;
  std::mutex mutex_;
  LineBudget budget_{kLinesASecond, std::chrono::seconds(1)};
  struct OpenFile {
    std::string path;
    std::shared_ptr<LogFile> file;
  };
  std::vector<OpenFile> files_;  // by id, from 1
};

}  // namespace penstock
