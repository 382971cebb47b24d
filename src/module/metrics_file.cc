#include "module/metrics_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "net/fd.h"

namespace penstock {
namespace {

// 0, or the errno of a failure.
int write_file(const std::string& path, std::string_view text) {
  // Collectors run as other users.
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return errno;
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace

MetricsFile::MetricsFile(Publish publish, std::string path, Duration interval, Log& log)
    : publish_(std::move(publish)),
      path_(std::move(path)),
      interval_(interval),
      log_(log),
      thread_([this] { run(); }) {}

MetricsFile::~MetricsFile() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void MetricsFile::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait_for(lock, interval_, [this] { return stop_; });
    const bool stop = stop_;
    lock.unlock();
    write();
    if (stop) return;
    lock.lock();
  }
}

void MetricsFile::write() {
  const std::string beside = path_ + ".new";
  int error = write_file(beside, publish_());
  if (error == 0 && std::rename(beside.c_str(), path_.c_str()) != 0) error = errno;
  if (error == 0) {
    if (std::exchange(failing_, false)) log_.info("metrics are written to {} again", path_);
    return;
  }
  ::unlink(beside.c_str());
  if (std::exchange(failing_, true)) return;
  log_.warning("can't write metrics to {}: {}", path_, std::strerror(error));
}

}  // namespace penstock
