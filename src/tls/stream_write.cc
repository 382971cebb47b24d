// TlsStream: the way out.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tls/stream.h"

namespace penstock {
namespace {

// What a record needs besides its bytes, at most, with the ciphers we take.
constexpr std::size_t kOverhead = 64;

// Takes the bytes of a write in pieces that fit into one record each.
class Pieces {
 public:
  explicit Pieces(std::span<const iovec> parts) : parts_(parts) {}

  [[nodiscard]] std::size_t left() const {
    std::size_t bytes = 0;
    for (const iovec& part : parts_) bytes += part.iov_len;
    return bytes - used_;
  }
  // The next piece; empty at the end. Lies in one part, or was gathered in `scratch`; valid until
  // the next call.
  [[nodiscard]] std::string_view next(SlabRef& scratch) {
    std::string_view piece = rest_of_front();
    if (piece.size() >= kTlsRecord || parts_.size() <= 1) {
      piece = piece.substr(0, kTlsRecord);
      used_ += piece.size();
      return piece;
    }
    if (!scratch) scratch = SlabPool::take(SlabSize::medium);
    const std::size_t room = std::min(kTlsRecord, scratch->capacity());
    std::size_t gathered = 0;
    while (gathered < room && !parts_.empty()) {
      const std::string_view more = rest_of_front().substr(0, room - gathered);
      if (!more.empty()) std::memcpy(scratch->data() + gathered, more.data(), more.size());
      gathered += more.size();
      used_ += more.size();
      if (used_ == parts_.front().iov_len) drop_front();
    }
    return {scratch->data(), gathered};
  }

 private:
  [[nodiscard]] std::string_view rest_of_front() const {
    if (parts_.empty()) return {};
    const iovec& front = parts_.front();
    return std::string_view(static_cast<const char*>(front.iov_base), front.iov_len).substr(used_);
  }
  void drop_front() {
    parts_ = parts_.subspan(1);
    used_ = 0;
  }

  std::span<const iovec> parts_;
  std::size_t used_ = 0;  // of the first part
};

}  // namespace

bool TlsStream::start(WriteOp& op) {
  PENSTOCK_CHECK(write_ == nullptr);
  if (const auto why = why_not_write()) {
    op.set_result(fail(*why));
    return true;
  }
  stop_lower_write();  // records of our own, or of a write that was given up
  write_ = &op;
  if (!try_write(op)) return false;
  write_ = nullptr;
  send_own_records();
  return true;
}

std::optional<Error> TlsStream::why_not_write() const {
  if (we_ended_) return error_from_errno(EPIPE);
  if (write_end_) return write_end_;
  return engine_.failure();
}

// True when done (result set), false when the write below is suspended.
bool TlsStream::try_write(WriteOp& op) {
  op.advance(0, executor_->now());  // no parts without bytes at the front
  while (true) {
    if (engine_.outgoing().empty()) {
      const Result<void> encrypted = encrypt(op);
      if (!encrypted) {
        op.set_result(fail(encrypted.error()));
        return true;
      }
    }
    if (!push(op.deadline(), op.stall())) return false;
    const Result<std::size_t> pushed = lower_write_.await_resume();
    if (!pushed) {
      op.set_result(fail(note_write_error(pushed.error())));
      return true;
    }
    if (op.remaining().empty()) {
      op.set_result(op.written());
      return true;
    }
  }
}

// Makes the next records of the write; only when all before are sent.
Result<void> TlsStream::encrypt(const WriteOp& op) {
  Pieces pieces(op.remaining());
  const std::size_t plain = std::min(pieces.left(), RecordBatch::kMaxRecords * kTlsRecord);
  InputBuffer& outgoing = engine_.outgoing();
  outgoing.expect(plain + (plain / kTlsRecord + 1) * kOverhead);
  batch_ = RecordBatch();
  SlabRef scratch;
  while (!batch_.full()) {
    const std::string_view piece = pieces.next(scratch);
    if (piece.empty()) break;
    const Result<void> written = engine_.write(piece);
    if (!written) return written;
    batch_.add(outgoing.size(), piece.size());
  }
  return {};
}

// Writes all that is outgoing. True when that was done at once (or failed), false when it is
// suspended.
bool TlsStream::push(TimePoint deadline, Duration stall) {
  lower_part_ = to_iovec(engine_.outgoing().unread());
  handed_ = engine_.outgoing().size();
  const std::span<iovec> parts(&lower_part_, handed_ == 0 ? 0 : 1);
  lower_write_.renew(parts, deadline, stall);
  writing_below_ = !below_->start(lower_write_);
  if (writing_below_) return false;
  account_sent();
  return true;
}

// What the write below has taken so far, and with it that of the write here.
void TlsStream::account_sent() {
  const std::size_t taken = lower_write_.written();
  engine_.outgoing().consume(taken);
  const std::size_t plain = batch_.take(taken);
  if (write_ != nullptr && plain > 0) write_->advance(plain, executor_->now());
}

// A limit of time leaves the stream as it is; every other error is there to stay.
Error TlsStream::note_write_error(Error error) {
  if (error == Error{.kind = ErrorKind::timed_out}) {
    disown_records();
  } else {
    write_end_ = error;
    engine_.outgoing().consume(engine_.outgoing().size());
  }
  return error;
}

// The write ends early, while its records go out all the same.
void TlsStream::disown_records() {
  const std::size_t plain = batch_.take_rest();
  if (write_ != nullptr && plain > 0) write_->advance(plain, executor_->now());
}

void TlsStream::on_lower_write() {
  writing_below_ = false;
  account_sent();
  settle_write();
}

// The write below has come to its end.
void TlsStream::settle_write() {
  const Result<std::size_t> pushed = lower_write_.await_resume();
  if (!pushed) {
    const Error error = note_write_error(pushed.error());
    if (write_ != nullptr) write_->set_result(fail(error));
  } else if (write_ != nullptr) {
    if (write_->remaining().empty()) {
      write_->set_result(write_->written());
    } else if (!try_write(*write_)) {
      return;
    }
  }
  if (write_ != nullptr) {
    WriteOp& op = *std::exchange(write_, nullptr);
    op.complete(op.await_resume());
  }
  send_own_records();
}

void TlsStream::stop_lower_write() {
  if (!writing_below_) return;
  below_->forget(lower_write_);
  writing_below_ = false;
  account_sent();
}

void TlsStream::forget(WriteOp& op) {
  PENSTOCK_CHECK(write_ == &op);
  stop_lower_write();
  disown_records();
  write_ = nullptr;
  send_own_records();
}

// Sends what is not of any write (any more), such as alerts and close_notify. To be called after
// whatever may have added some.
void TlsStream::send_own_records() {
  if (write_end_) return;
  TimePoint deadline = kNever;
  Duration stall = Duration::zero();
  if (writing_below_) {
    // It was given all there was then; the bytes may have moved since.
    if (engine_.outgoing().size() == handed_) return;
    deadline = lower_write_.deadline();
    stall = lower_write_.stall();
    stop_lower_write();
  }
  if (!engine_.outgoing().empty()) {
    if (!push(deadline, stall)) return;
    return settle_write();
  }
  if (we_ended_ && !std::exchange(ended_below_, true)) below_->shutdown_write();
}

void TlsStream::shutdown_write() {
  if (std::exchange(we_ended_, true)) return;
  if (write_ != nullptr) {
    stop_lower_write();
    disown_records();
    std::exchange(write_, nullptr)->complete(fail(error_from_errno(EPIPE)));
  }
  if (!engine_.failure()) engine_.close();
  send_own_records();
}

void TlsStream::set_abortive() {
  abortive_ = true;
  below_->set_abortive();
}

// At the end, when nobody waits any more.
void TlsStream::send_at_once() {
  lower_part_ = to_iovec(engine_.outgoing().unread());
  if (lower_part_.iov_len == 0) return;
  lower_write_.renew({&lower_part_, 1}, kNever, Duration::zero());
  if (!below_->start(lower_write_)) below_->forget(lower_write_);
}

}  // namespace penstock
