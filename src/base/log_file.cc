#include "base/log_file.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace penstock {
namespace {
constexpr std::size_t kMaxWaiting = 16 * 1024 * 1024;
constexpr auto kLastChance = std::chrono::seconds(1);
}  // namespace

struct LogFile::State {
  explicit State(std::string where) : path(std::move(where)) {}
  ~State() { close_file(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void close_file() {
    if (fd > STDERR_FILENO) ::close(fd);
    fd = -1;
  }
  void open_file() {
    close_file();
    if (path == "stderr") fd = STDERR_FILENO;
    if (path == "stdout") fd = STDOUT_FILENO;
    if (fd < 0) fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
      std::fprintf(stderr, "penstock: can't open log file %s: %s\n", path.c_str(),
                   std::strerror(errno));
    }
  }
  void write_all(std::string_view bytes) const {
    while (fd >= 0 && !bytes.empty()) {
      const ssize_t n = ::write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  const std::string path;
  int fd = -1;  // the thread's
  std::mutex mutex;
  std::condition_variable changed;
  std::string waiting;
  bool reopen = true;
  bool stop = false;
  bool stopped = false;
};

LogFile::LogFile(std::string path)
    : state_(std::make_shared<State>(std::move(path))), thread_(&LogFile::run, state_) {}

LogFile::~LogFile() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
  // A reader that is gone or asleep at the other end of a pipe must not keep the process alive.
  state_->changed.wait_for(lock, kLastChance, [this] { return state_->stopped; });
  const bool done = state_->stopped;
  lock.unlock();
  if (done) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void LogFile::write(std::string& block) {
  if (block.empty()) return;
  const std::lock_guard lock(state_->mutex);
  if (state_->waiting.empty()) {
    state_->waiting.swap(block);
    state_->changed.notify_all();
  } else if (state_->waiting.size() + block.size() <= kMaxWaiting) {
    state_->waiting += block;
  } else {
    dropped_.fetch_add(block.size(), std::memory_order_relaxed);
  }
  block.clear();
}

void LogFile::write(std::string_view lines) {
  std::string block(lines);
  write(block);
}

void LogFile::reopen() {
  const std::lock_guard lock(state_->mutex);
  state_->reopen = true;
  state_->changed.notify_all();
}

void LogFile::run(const std::shared_ptr<State>& state) {
  std::string writing;
  std::unique_lock lock(state->mutex);
  while (true) {
    state->changed.wait(
        lock, [&state] { return state->stop || state->reopen || !state->waiting.empty(); });
    const bool reopen = std::exchange(state->reopen, false);
    const bool stop = state->stop;
    writing.clear();
    writing.swap(state->waiting);
    lock.unlock();
    // Lines from before a rotation may go to the new file, none is lost.
    if (reopen) state->open_file();
    state->write_all(writing);
    lock.lock();
    if (stop && state->waiting.empty()) break;
  }
  state->stopped = true;
  state->changed.notify_all();
}

}  // namespace penstock
