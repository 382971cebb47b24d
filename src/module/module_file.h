// The file of a module: whether it may be trusted, and a copy of it that nobody can change.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "net/fd.h"

namespace penstock {

// A file's content in memory of its own, sealed: whatever happens to the file later does not reach
// it.
class SealedFile {
 public:
  // Reads a regular file, at most 256 MiB. The file and its folder have to belong to root or to the
  // effective user, and neither group nor others may be able to write to them. To a folder with the
  // sticky bit (/tmp) they may, since nobody can put another file in the place of ours there.
  // Symbolic links are followed: what counts is where they lead. Otherwise what is wrong, to stand
  // behind the path: "can be written by anyone: chmod o-w".
  [[nodiscard]] static std::expected<SealedFile, std::string> read(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool has_same_content(const SealedFile& other) const;
  // Never closes the descriptor, so that its number is not given to anything else.
  void keep_for_ever() { static_cast<void>(fd_.release()); }

 private:
  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace penstock
