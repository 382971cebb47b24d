// A secret that stands in a file of its own, and may be replaced while the proxy runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include "base/time.h"

namespace penstock {

// The first line of a regular file, without the line's end (LF or CRLF). Read again when the file
// has changed or was replaced, which is looked for at most once a second. Where the file can't be
// read or its text can't be used, the last good text stays. Belongs to one thread, which it blocks
// while it reads: the file should be on a local disk.
class SecretFile {
 public:
  // Larger files are not read.
  static constexpr std::size_t kMaxSize = 64UL * 1024;

  // Reads nothing yet.
  explicit SecretFile(std::string path) : path_(std::move(path)) {}
  ~SecretFile();
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;

  // The text, valid until the next call; none while there never was a good one. Good is a line that
  // is not empty and has no control characters.
  [[nodiscard]] std::optional<std::string_view> text(TimePoint now);
  // Counts the texts there have been.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  // What is wrong with the file, for the log, once each time that something else is; mostly empty.
  // Names the path, never the text.
  [[nodiscard]] std::string take_problem();

 private:
  // Which content the file had, as far as can be told without reading it.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
    timespec changed{};
  };
  static Stamp stamp_of(const struct stat& status);
  static bool same(const Stamp& a, const Stamp& b);

  void look();
  void read();
  void take_content(std::string_view content);
  void complain(std::string_view what);

  std::string path_;
  std::string text_;
  std::uint64_t version_ = 0;
  std::optional<TimePoint> looked_;
  std::optional<Stamp> stamp_;  // of what was read last
  std::string problem_;         // the present one; empty: none
  bool told_ = true;
};

}  // namespace penstock
