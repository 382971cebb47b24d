// Where `penstock fetch` puts what it got: a file, or stdout.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "net/fd.h"

namespace penstock {

// Writing waits where the other side of a pipe does; nothing else goes on meanwhile. Errors are
// sentences.
class FetchOutput {
 public:
  // An empty path is stdout. A file is made at once, so that no request is sent in vain.
  static std::expected<FetchOutput, std::string> open(const std::string& path);

  // There is something to put out, though it may be empty: what was in the file before goes.
  void begin();
  std::expected<void, std::string> write(std::string_view bytes);

 private:
  FetchOutput() = default;
  [[nodiscard]] std::string failure() const;

  std::string path_;
  Fd file_;  // empty: stdout
  bool begun_ = false;
};

}  // namespace penstock
