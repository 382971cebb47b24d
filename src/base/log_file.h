// A log file written by a thread of its own: no task ever waits for a disk or a terminal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace penstock {

// Lines are handed over in blocks and written in the order they come. When the file can't keep up
// and too much waits, blocks are dropped and counted: serving goes on. Safe to use from all
// threads.
class LogFile {
 public:
  // "stderr", "stdout", or a path to append to; it is opened by the writing thread. A file that
  // can't be opened is said on stderr once, and tried again at reopen().
  explicit LogFile(std::string path);
  // Writes what still waits, for at most a second.
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Takes over whole lines, each with its newline. `block` is left empty, with memory to use again.
  void write(std::string& block);
  void write(std::string_view lines);
  // Opens the path anew, for log rotation.
  void reopen();
  [[nodiscard]] std::uint64_t dropped_bytes() const {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  struct State;  // shared with the thread, which may be left behind blocked in a write
  static void run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
  std::thread thread_;
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace penstock
