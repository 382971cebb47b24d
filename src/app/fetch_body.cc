#include "app/fetch_body.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/text_body.h"

namespace penstock {
namespace {

std::unexpected<Error> reading_failed(int errno_value) {
  return fail({.kind = ErrorKind::io, .side = Side::client, .cause = errno_value});
}

// One read of at most `most` bytes; empty at the end.
Result<Slice> read_piece(int fd, std::uint64_t most) {
  SlabRef slab = SlabPool::take(SlabSize::medium);
  const std::size_t room = std::min<std::uint64_t>(most, slab->capacity());
  ssize_t n = 0;
  do {
    n = ::read(fd, slab->data(), room);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return reading_failed(errno);
  const std::string_view bytes(slab->data(), static_cast<std::size_t>(n));
  return Slice(std::move(slab), bytes);
}

}  // namespace

Task<Result<Slice>> FileBody::next() {
  if (rest_ == 0) co_return Slice();
  auto piece = read_piece(file_.get(), rest_);
  if (piece && piece->empty()) co_return fail({.kind = ErrorKind::closed, .side = Side::client});
  if (piece) rest_ -= piece->size();
  co_return piece;
}

PipeBody::PipeBody(EventLoop& loop, int fd, Fd owned)
    : loop_(&loop), fd_(fd), owned_(std::move(owned)) {
  // What can't be watched, a regular file or /dev/null, never has to be waited for.
  watched_ = loop.add(fd, EPOLLIN | EPOLLONESHOT, *this) == 0;
}

PipeBody::~PipeBody() {
  if (watched_) loop_->remove(fd_);
}

void PipeBody::on_events(std::uint32_t /*events*/) { readable_.set(); }

Task<Result<Slice>> PipeBody::next() {
  while (!ended_) {
    if (watched_ && !co_await readable_.wait()) {
      co_return fail({.kind = ErrorKind::cancelled, .side = Side::client});
    }
    auto piece = read_piece(fd_, SIZE_MAX);
    const bool nothing = !piece && (piece.error().cause == EAGAIN);
    if (piece || nothing) {
      readable_.reset();
      if (watched_) loop_->modify(fd_, EPOLLIN | EPOLLONESHOT, *this);
    }
    if (nothing) continue;
    ended_ = piece && piece->empty();
    co_return piece;
  }
  co_return Slice();
}

std::expected<FetchBody, std::string> open_fetch_body(const FetchCommand& command,
                                                      EventLoop& loop) {
  if (command.data) {
    return FetchBody{.source = std::make_unique<TextBody>(*command.data),
                     .framing = {.kind = BodyKind::length, .length = command.data->size()}};
  }
  if (command.data_file.empty()) {
    return FetchBody{.source = std::make_unique<TextBody>(), .framing = {}};
  }
  const auto pipe = [&loop](int fd, Fd owned) {
    return FetchBody{.source = std::make_unique<PipeBody>(loop, fd, std::move(owned)),
                     .framing = {.kind = BodyKind::chunked}};
  };
  if (command.data_file == "-") return pipe(STDIN_FILENO, Fd());
  const auto failed = [&command] {
    return std::unexpected(
        fmt::format("can't read {}: {}", command.data_file, std::strerror(errno)));
  };
  Fd file(::open(command.data_file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return failed();
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    return failed();
  }
  const int fd = file.get();
  if (!S_ISREG(status.st_mode)) return pipe(fd, std::move(file));
  const auto length = static_cast<std::uint64_t>(status.st_size);
  return FetchBody{.source = std::make_unique<FileBody>(std::move(file), length),
                   .framing = {.kind = BodyKind::length, .length = length}};
}

}  // namespace penstock
