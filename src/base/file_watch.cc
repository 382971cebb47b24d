#include "base/file_watch.h"

#include <chrono>

#include <sys/stat.h>

namespace penstock {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return (std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)).count();
}

}  // namespace

bool FileWatch::changed(TimePoint now) {
  if (path_.empty() || now < next_look_) return false;
  next_look_ = now + interval_;
  const Stamp last = std::exchange(known_, stamp());
  return known_ != last;
}

FileWatch::Stamp FileWatch::stamp() const {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {.inode = status.st_ino,
          .size = status.st_size,
          .modified = nanoseconds(status.st_mtim),
          .changed = nanoseconds(status.st_ctim)};
}

}  // namespace penstock
