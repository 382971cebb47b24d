// SocketStream::relay: bytes from socket to socket, through a pipe where it is worth it: then they
// do not pass through our memory (splice(2)).
#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include <fcntl.h>

#include "async/relay.h"
#include "async/sleep.h"
#include "net/socket_stream.h"

namespace penstock {
namespace {

constexpr int kPipeBytes = 1024 * 1024;
constexpr std::size_t kMaxKept = 16;
// A read that brings so much is likely to be followed by more.
constexpr std::size_t kWorthPiping = kMediumSlab - sizeof(Slab);
constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

struct Pipe {
  Fd out;
  Fd in;
};

// Empty pipes that wait for their next use.
thread_local std::vector<Pipe> kept_pipes;

// An empty pipe for as long as bytes are on their way; one that is not empty in the end (the
// receiver failed) is closed with them.
class LentPipe {
 public:
  LentPipe() {
    if (!kept_pipes.empty()) {
      pipe_ = std::move(kept_pipes.back());
      kept_pipes.pop_back();
      return;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return;
    pipe_ = Pipe{Fd(ends[0]), Fd(ends[1])};
    // As much as the system lets us have; the size it has already will do, too.
    ::fcntl(pipe_.in.get(), F_SETPIPE_SZ, kPipeBytes);
  }
  ~LentPipe() {
    if (filled == 0 && pipe_.in && kept_pipes.size() < kMaxKept) {
      kept_pipes.push_back(std::move(pipe_));
    }
  }
  LentPipe(const LentPipe&) = delete;
  LentPipe& operator=(const LentPipe&) = delete;

  [[nodiscard]] bool usable() const { return static_cast<bool>(pipe_.in); }
  [[nodiscard]] int out() const { return pipe_.out.get(); }
  [[nodiscard]] int in() const { return pipe_.in.get(); }

  std::size_t filled = 0;

 private:
  Pipe pipe_;
};

}  // namespace

// Fills the pipe as far as the socket gives; the number of bytes, 0 at the end of the stream.
Result<std::size_t> SocketStream::splice_in(int pipe, std::size_t limit) {
  const ssize_t n =
      ::splice(socket_.get(), nullptr, pipe, nullptr, limit, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n == 0 && broken_ != 0) return fail(error_from_errno(broken_));
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN) readable_ = false;
  return fail(error_from_errno(errno));
}

Result<std::size_t> SocketStream::splice_out(int pipe, std::size_t filled) {
  const ssize_t n =
      ::splice(pipe, nullptr, socket_.get(), nullptr, filled, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN) {
    writable_ = false;
    return fail(error_from_errno(EAGAIN));
  }
  return fail(write_failed(errno));
}

// Large amounts go through a pipe; small ones, of which a tunnel may carry many, are cheaper to
// copy: one call less, and no pipe.
class SocketRelay final : public RelayOp {
 public:
  // With a limit only a pipe will do: a read into a buffer could pass it.
  SocketRelay(SocketStream& from, SocketStream& to, std::uint64_t limit, Duration stall,
              Relayed& relayed)
      : RelayOp(from.loop_->executor(), from, to, stall, relayed),
        limit_(limit),
        piping_(limit != kUnlimited) {}

 private:
  Next begin() override { return next_piece(); }
  Next on_read(Result<std::size_t> got) override;
  Next on_written(Result<std::size_t> put) override;
  Next next_piece();
  Next pipe_is_empty();

  [[nodiscard]] SocketStream& source() { return static_cast<SocketStream&>(from()); }
  [[nodiscard]] SocketStream& target() { return static_cast<SocketStream&>(to()); }

  std::uint64_t limit_;
  std::optional<LentPipe> pipe_;  // only while bytes move
  std::size_t piped_ = 0;         // of the present filling
  bool piping_;
};

RelayOp::Next SocketRelay::next_piece() { return piping_ ? ask_for_readiness() : ask_for_bytes(); }

// Piping: there is something to be read, so the pipe is filled with what the socket has.
RelayOp::Next SocketRelay::on_read(Result<std::size_t> got) {
  if (!piping_) return RelayOp::on_read(got);
  relayed().source_failed = !got;
  if (!got) return end(fail(got.error()));
  if (!pipe_) pipe_.emplace();
  // splice() does not get past urgent data.
  if (!pipe_->usable() || source().urgent_) {
    pipe_.reset();
    if (limit_ != kUnlimited) return end({});
    piping_ = false;
    return ask_for_bytes();
  }
  const auto filled = source().splice_in(pipe_->in(), std::min<std::uint64_t>(limit_, kPipeBytes));
  if (!filled && !source().readable_) {
    pipe_.reset();
    return ask_for_readiness();
  }
  relayed().source_failed = !filled;
  if (!filled) return end(fail(filled.error()));
  relayed().source_ended = *filled == 0;
  if (*filled == 0) return end({});
  pipe_->filled = piped_ = *filled;
  return ask_for_room();
}

// Piping: there is room, so the pipe is emptied as far as the socket takes it.
RelayOp::Next SocketRelay::on_written(Result<std::size_t> put) {
  if (!piping_) {
    const std::uint64_t before = relayed().bytes;
    const Next next = RelayOp::on_written(put);
    piping_ = relayed().bytes - before >= kWorthPiping;
    return next == Next::over ? next : next_piece();
  }
  if (!put) return end(fail(put.error()));
  const auto taken = target().splice_out(pipe_->out(), pipe_->filled);
  if (!taken && !target().writable_) return ask_for_room();
  if (!taken) return end(fail(taken.error()));
  pipe_->filled -= *taken;
  relayed().add(*taken);
  return pipe_->filled > 0 ? ask_for_room() : pipe_is_empty();
}

RelayOp::Next SocketRelay::pipe_is_empty() {
  if (limit_ != kUnlimited) {
    limit_ -= piped_;
    if (limit_ == 0) return end({});
  } else if (piped_ < kWorthPiping) {
    piping_ = false;
    pipe_.reset();
  }
  const Next next = after_piece(next_piece());
  if (next == Next::over) pipe_.reset();
  return next;
}

Task<Result<void>> SocketStream::relay(ByteStream& to, std::uint64_t limit, Duration stall,
                                       Relayed& relayed) {
  auto* const target = dynamic_cast<SocketStream*>(&to);
  if (target == nullptr) co_return co_await ByteStream::relay(to, limit, stall, relayed);
  const std::uint64_t begun = relayed.bytes;
  std::uint64_t before = begun;
  SocketRelay moving(*this, *target, limit, stall, relayed);
  while (limit > 0) {
    const auto done = co_await moving;
    if (!done || relayed.source_ended) co_return done;
    if (limit != kUnlimited) {
      const bool all = relayed.bytes - begun == limit;
      if (all || relayed.bytes == before) break;  // or there is no pipe to be had
    }
    before = relayed.bytes;
    co_await yield_turn();
  }
  co_return Result<void>{};
}

}  // namespace penstock
