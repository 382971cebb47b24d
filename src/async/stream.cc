#include "async/stream.h"

#include <utility>

namespace penstock {

void StreamOp::complete(Result<std::size_t> result) {
  unlink();
  result_ = result;
  on_complete();
}

void StreamOp::on_complete() { executor_->post(waiter_); }

bool StreamOp::suspend(std::coroutine_handle<> waiter, TaskContext& context) {
  if (context.cancelled()) {
    forget();
    result_ = fail(ErrorKind::cancelled);
    return false;
  }
  waiter_ = waiter;
  executor_ = &context.executor();
  context.add(*this);
  return true;
}

void StreamOp::on_cancel() {
  forget();
  complete(fail(ErrorKind::cancelled));
}

bool ReadOp::await_ready() { return stream_->start(*this); }

void ReadOp::forget() { stream_->forget(*this); }

bool WriteOp::advance(std::size_t n, TimePoint now) {
  written_ += n;
  if (counter_ != nullptr) *counter_ += n;
  if (n > 0) deadline_ = deadline_after(now, stall_);
  while (!parts_.empty() && n >= parts_.front().iov_len) {
    n -= parts_.front().iov_len;
    parts_ = parts_.subspan(1);
  }
  if (parts_.empty()) return true;
  iovec& front = parts_.front();
  front.iov_base = static_cast<char*>(front.iov_base) + n;
  front.iov_len -= n;
  return false;
}

void WriteOp::renew(std::span<iovec> parts, TimePoint deadline, Duration stall) {
  parts_ = parts;
  deadline_ = deadline;
  stall_ = stall;
  written_ = 0;
}

bool WriteOp::await_ready() { return stream_->start(*this); }

void WriteOp::forget() { stream_->forget(*this); }

}  // namespace penstock
