#include "module/log_lines.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "net/fd.h"
#include "penstock/module.h"

namespace penstock {
namespace {

LogLevel level_of(int level) {
  if (level <= PENSTOCK_LOG_DEBUG) return LogLevel::debug;
  if (level == PENSTOCK_LOG_INFO) return LogLevel::info;
  if (level == PENSTOCK_LOG_WARNING) return LogLevel::warning;
  return LogLevel::error;
}

// 0, or errno: whether a log file can be had there. LogFile itself only finds out later.
int try_to_open(const std::string& path) {
  if (path == "stderr" || path == "stdout") return 0;
  if (path.empty()) return ENOENT;
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640));
  // ENXIO: a pipe that nobody reads yet.
  return file || errno == ENXIO ? 0 : errno;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size() + 16);
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else {
      line += c;
    }
  }
  return line;
}

std::string escaped_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      line += "\\\\";
    } else if (c == '\n' || c == '\r') {
      line += c == '\n' ? "\\n" : "\\r";
    } else if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02X}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

std::shared_ptr<LogFile> ModuleLogFiles::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
  auto& known = files_[path];
  if (auto file = known.lock()) return file;
  if (const int error = try_to_open(path); error != 0) {
    errno = error;
    return nullptr;
  }
  try {
    auto file = std::make_shared<LogFile>(path);
    known = file;
    return file;
  } catch (const std::system_error&) {
    errno = EAGAIN;  // no thread can be had
    return nullptr;
  }
}

void ModuleLogFiles::reopen_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, weak] : files_) {
    if (const auto file = weak.lock()) file->reopen();
  }
}

bool InstanceLog::write(int level, std::string_view text, TimePoint now) {
  const LogLevel wanted = level_of(level);
  // Those that nobody wants to see are not counted either.
  if (wanted < log_.level()) return false;
  const std::lock_guard lock(mutex_);
  say_left_out_locked(now);
  if (!budget_.allows(now)) return budget_.left_out() == 1;
  std::string line = escaped_line(text.substr(0, kMaxLine));
  if (text.size() > kMaxLine) line += "...";
  say(wanted, line);
  return false;
}

bool InstanceLog::say_left_out(TimePoint now) {
  const std::lock_guard lock(mutex_);
  say_left_out_locked(now);
  return budget_.left_out() == 0;
}

void InstanceLog::say_left_out_locked(TimePoint now) {
  const std::uint64_t count = budget_.take_left_out(now);
  if (count > 0) say(LogLevel::warning, fmt::format("{} more lines were left out", count));
}

void InstanceLog::say(LogLevel level, std::string_view text) {
  switch (level) {
    case LogLevel::debug:
      return log_.debug("module.{}: {}", name_, text);
    case LogLevel::info:
      return log_.info("module.{}: {}", name_, text);
    case LogLevel::warning:
      return log_.warning("module.{}: {}", name_, text);
    case LogLevel::error:
      return log_.error("module.{}: {}", name_, text);
  }
}

std::uint64_t InstanceLog::open_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto at = std::ranges::find(files_, path, &OpenFile::path);
  if (at != files_.end()) return static_cast<std::uint64_t>(at - files_.begin()) + 1;
  if (files_.size() == kMaxFiles) {
    errno = EMFILE;
    return 0;
  }
  auto file = all_files_.open(path);
  if (!file) return 0;
  files_.push_back({.path = path, .file = std::move(file)});
  return files_.size();
}

void InstanceLog::write_file(std::uint64_t id, std::string_view line) {
  std::string block = one_line(line);
  block += '\n';
  const std::lock_guard lock(mutex_);
  if (id - 1 < files_.size()) files_[id - 1].file->write(block);
}

}  // namespace penstock
