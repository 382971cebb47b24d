// SocketStream::relay: bytes from socket to socket, through a pipe where it is worth it: then they
// do not pass through our memory (splice(2)).
#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <memory>
#include <vector>

#include <fcntl.h>

#include "async/sleep.h"
#include "net/socket_stream.h"

namespace penstock {
namespace {

constexpr int kPipeBytes = 1024 * 1024;
constexpr std::size_t kMaxKept = 16;
// After so many pieces the others on this thread have their turn.
constexpr unsigned kPiecesATurn = 8;
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

// Empties the pipe into `to`.
Task<Result<void>> SocketStream::drain_pipe(SocketStream& to, int pipe, std::size_t& filled,
                                            Duration stall, Relayed& relayed) {
  Executor& executor = loop_->executor();
  while (filled > 0) {
    WriteOp writable = write_all(to, {}, executor.now(), stall);
    const auto ready = co_await writable;
    if (!ready) co_return fail(ready.error());
    const auto n = to.splice_out(pipe, filled);
    if (!n && !to.writable_) continue;
    if (!n) co_return fail(n.error());
    filled -= *n;
    relayed.add(*n);
  }
  co_return Result<void>{};
}

// Large amounts go through a pipe; small ones, of which a tunnel may carry many, are cheaper to
// copy: one call less, and no pipe.
Task<Result<void>> SocketStream::relay(ByteStream& to, std::uint64_t limit, Duration stall,
                                       Relayed& relayed) {
  auto* const target = dynamic_cast<SocketStream*>(&to);
  if (target == nullptr) co_return co_await ByteStream::relay(to, limit, stall, relayed);
  // A limit must not be passed, which a read into a buffer could do.
  const bool only_pipe = limit != kUnlimited;
  bool bulk = only_pipe;
  for (unsigned pieces = 1; limit > 0; ++pieces) {
    if (pieces % kPiecesATurn == 0) co_await yield_turn();
    const std::uint64_t before = relayed.bytes;
    const auto done = bulk ? co_await relay_piped(*target, limit, stall, relayed)
                           : co_await relay_piece(*target, kWorthPiping, stall, relayed);
    const std::uint64_t moved = relayed.bytes - before;
    if (!done || relayed.source_ended) co_return done;
    if (only_pipe && moved == 0) co_return done;  // there is no pipe to be had
    if (limit != kUnlimited) limit -= moved;
    bulk = only_pipe || moved >= kWorthPiping;
  }
  co_return Result<void>{};
}

// One filling of a pipe and what it takes to empty it.
Task<Result<void>> SocketStream::relay_piped(SocketStream& to, std::uint64_t limit, Duration stall,
                                             Relayed& relayed) {
  Executor& executor = loop_->executor();
  while (true) {
    // No pipe is held while nothing moves.
    const auto readable = co_await ReadOp(*this, deadline_after(executor.now(), stall));
    relayed.source_failed = !readable;
    if (!readable) co_return fail(readable.error());
    LentPipe pipe;
    // splice() does not get past urgent data.
    if (!pipe.usable() || urgent_) co_return Result<void>{};
    const auto got = splice_in(pipe.in(), std::min<std::uint64_t>(limit, kPipeBytes));
    if (!got && !readable_) continue;
    relayed.source_failed = !got;
    if (!got) co_return fail(got.error());
    relayed.source_ended = *got == 0;
    pipe.filled = *got;
    co_return co_await drain_pipe(to, pipe.out(), pipe.filled, stall, relayed);
  }
}

}  // namespace penstock
