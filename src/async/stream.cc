#include "async/stream.h"

#include <utility>

namespace penstock {

void StreamOp::complete(Result<std::size_t> result) {
  unlink();
  result_ = result;
  executor_->post(waiter_);
}

bool StreamOp::suspend(std::coroutine_handle<> waiter, TaskContext& context) {
  if (context.cancelled()) {
    result_ = fail(ErrorKind::cancelled);
    return false;
  }
  waiter_ = waiter;
  executor_ = &context.executor();
  context.add(*this);
  return true;
}

bool ReadOp::await_ready() { return stream_->start(*this); }

bool ReadOp::suspend_or_cancel(std::coroutine_handle<> caller, TaskContext& context) {
  if (suspend(caller, context)) return true;
  stream_->forget(*this);
  return false;
}

void ReadOp::on_cancel() {
  stream_->forget(*this);
  complete(fail(ErrorKind::cancelled));
}

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

bool WriteOp::await_ready() { return stream_->start(*this); }

bool WriteOp::suspend_or_cancel(std::coroutine_handle<> caller, TaskContext& context) {
  if (suspend(caller, context)) return true;
  stream_->forget(*this);
  return false;
}

void WriteOp::on_cancel() {
  stream_->forget(*this);
  complete(fail(ErrorKind::cancelled));
}

}  // namespace penstock
