#include "upstream/secret_file.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include "message/characters.h"
#include "net/fd.h"

namespace penstock {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(1);

std::string reason(int error) { return std::generic_category().message(error); }

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

SecretFile::~SecretFile() { OPENSSL_cleanse(text_.data(), text_.size()); }

SecretFile::Stamp SecretFile::stamp_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .modified = status.st_mtim,
          .changed = status.st_ctim};
}

bool SecretFile::same(const Stamp& a, const Stamp& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size &&
         same_time(a.modified, b.modified) && same_time(a.changed, b.changed);
}

std::optional<std::string_view> SecretFile::text(TimePoint now) {
  if (!looked_ || now - *looked_ >= kLookEvery) {
    looked_ = now;
    look();
  }
  if (version_ == 0) return std::nullopt;
  return text_;
}

std::string SecretFile::take_problem() {
  return std::exchange(told_, true) ? std::string{} : problem_;
}

void SecretFile::look() {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) {
    stamp_.reset();
    complain(reason(errno));
  } else if (!stamp_ || !same(*stamp_, stamp_of(status))) {
    read();
  }
}

void SecretFile::read() {
  stamp_.reset();
  // Opening must not wait: the path may have become a pipe.
  const Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return complain(reason(errno));
  if (!S_ISREG(status.st_mode)) return complain("not a regular file");

  // One byte more than allowed, so that a file that is too large is seen.
  std::string content(kMaxSize + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = ::read(file.get(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return complain(reason(errno));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  stamp_ = stamp_of(status);
  take_content(std::string_view(content).substr(0, size));
  OPENSSL_cleanse(content.data(), content.size());
}

void SecretFile::take_content(std::string_view content) {
  if (content.size() > kMaxSize) return complain("larger than 64 KiB");
  std::string_view line = content.substr(0, content.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return complain("the first line is empty");
  if (line.contains('\t') || find_control(line.data(), line.data() + line.size()) != line.end()) {
    return complain("the first line contains a control character");
  }
  complain({});
  if (version_ != 0 && text_ == line) return;
  OPENSSL_cleanse(text_.data(), text_.size());
  text_ = line;
  ++version_;
}

void SecretFile::complain(std::string_view what) {
  std::string problem;
  if (!what.empty()) {
    problem = fmt::format("can't use the secret in {}: {}{}", path_, what,
                          version_ != 0 ? "; going on with the one read before" : "");
  }
  if (problem == problem_) return;
  problem_ = std::move(problem);
  told_ = problem_.empty();
}

}  // namespace penstock
