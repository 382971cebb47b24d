#include "app/fetch_output.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace penstock {

std::expected<FetchOutput, std::string> FetchOutput::open(const std::string& path) {
  FetchOutput output;
  if (path.empty()) return output;
  output.path_ = path;
  output.file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!output.file_) return std::unexpected(output.failure());
  return output;
}

std::string FetchOutput::failure() const {
  return fmt::format("can't write to {}: {}", path_.empty() ? "stdout" : path_,
                     std::strerror(errno));
}

void FetchOutput::begin() {
  // Pipes and terminals have nothing that could go.
  if (!std::exchange(begun_, true) && file_) static_cast<void>(::ftruncate(file_.get(), 0));
}

std::expected<void, std::string> FetchOutput::write(std::string_view bytes) {
  const int fd = file_ ? file_.get() : STDOUT_FILENO;
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // A stdout that somebody else has set so.
      pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
      static_cast<void>(::poll(&waiting, 1, -1));
    } else if (errno != EINTR) {
      return std::unexpected(failure());
    }
  }
  return {};
}

}  // namespace penstock
