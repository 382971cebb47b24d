// Notices that a file has changed, for small files that may.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/time.h"

namespace penstock {

class FileWatch {
 public:
  // Looks at the file at most once in `interval`. An empty path is a file that never changes.
  FileWatch(std::string path, Duration interval) : path_(std::move(path)), interval_(interval) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  // True when it is seen to be another one than at the last look, or to have come or gone. A change
  // between the look and the reading that follows is seen at the next look.
  [[nodiscard]] bool changed(TimePoint now);
  // Takes the file as it is now for known.
  void look(TimePoint now) { static_cast<void>(changed(now)); }

 private:
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t size = -1;  // -1: there is no file
    std::int64_t modified = 0;
    std::int64_t changed = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  [[nodiscard]] Stamp stamp() const;

  std::string path_;
  Duration interval_;
  TimePoint next_look_ = TimePoint::min();
  Stamp known_;
};

}  // namespace penstock
