#include "module/module_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wording.h"

// Since Linux 6.3, where it may be asked for by a setting of the system.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace penstock {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t{256} * 1024 * 1024;

std::unexpected<std::string> system_error(std::string_view what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

// Why others than root and we could change what has this status; empty: they can't.
std::string why_changeable(const struct stat& status) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return fmt::format("belongs to user {}, and must belong to root or to user {}", status.st_uid,
                       ::geteuid());
  }
  if ((status.st_mode & S_IWOTH) != 0) return "can be written by anyone: chmod o-w";
  if ((status.st_mode & S_IWGRP) != 0) return "can be written by its group: chmod g-w";
  return {};
}

// Without symbolic links.
std::expected<std::string, std::string> resolve(const std::string& path) {
  const auto free_text = [](char* text) { std::free(text); };
  const std::unique_ptr<char, decltype(free_text)> real(::realpath(path.c_str(), nullptr),
                                                        free_text);
  if (real == nullptr) return system_error("cannot be opened");
  return std::string(real.get());
}

std::string why_folder_is_unsafe(const std::string& resolved) {
  const std::string folder = resolved.substr(0, std::max<std::size_t>(resolved.rfind('/'), 1));
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) {
    return fmt::format("lies in a folder that cannot be looked at: {}", std::strerror(errno));
  }
  // Whoever owns a sticky folder may replace what is in it all the same.
  const bool sticky = (status.st_mode & S_ISVTX) != 0;
  if (sticky) status.st_mode &= ~static_cast<mode_t>(S_IWGRP | S_IWOTH);
  const std::string why = why_changeable(status);
  return why.empty() ? why : fmt::format("lies in the folder {}, which {}", quoted(folder), why);
}

Fd new_memory_file() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = ::memfd_create("penstock-module", kFlags | MFD_EXEC);
  return Fd(fd >= 0 || errno != EINVAL ? fd : ::memfd_create("penstock-module", kFlags));
}

// Until the end of `from`, at most `most` bytes.
std::expected<std::uint64_t, std::string> copy(int from, int to, std::uint64_t most) {
  std::uint64_t total = 0;
  while (total <= most) {
    const ssize_t n = ::sendfile(to, from, nullptr, 1U << 20U);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot be read");
    if (n == 0) return total;
    total += static_cast<std::uint64_t>(n);
  }
  return std::unexpected("is too large to be a module");
}

}  // namespace

std::expected<SealedFile, std::string> SealedFile::read(const std::string& path) {
  const auto resolved = resolve(path);
  if (!resolved) return std::unexpected(resolved.error());
  if (auto why = why_folder_is_unsafe(*resolved); !why.empty()) {
    return std::unexpected(std::move(why));
  }
  // Not to wait for who writes to a pipe.
  const Fd file(::open(resolved->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return system_error("cannot be opened");
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return system_error("cannot be looked at");
  if (!S_ISREG(status.st_mode)) return std::unexpected("is not a regular file");
  if (auto why = why_changeable(status); !why.empty()) return std::unexpected(std::move(why));
  SealedFile out;
  out.fd_ = new_memory_file();
  if (!out.fd_) return system_error("cannot be copied to memory");
  const auto copied = copy(file.get(), out.fd(), kLargest);
  if (!copied) return std::unexpected(copied.error());
  out.size_ = *copied;
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(out.fd(), F_ADD_SEALS, kSeals) != 0) return system_error("cannot be sealed");
  return out;
}

bool SealedFile::has_same_content(const SealedFile& other) const {
  if (size_ != other.size_) return false;
  std::array<char, 16 * 1024> ours{};
  std::array<char, 16 * 1024> theirs{};
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t n = ::pread(fd(), ours.data(), ours.size(), static_cast<off_t>(at));
    if (n <= 0) return false;
    const auto size = static_cast<std::size_t>(n);
    if (::pread(other.fd(), theirs.data(), size, static_cast<off_t>(at)) != n) return false;
    if (std::memcmp(ours.data(), theirs.data(), size) != 0) return false;
    at += size;
  }
  return true;
}

}  // namespace penstock
