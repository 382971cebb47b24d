#include "http2/stream_bytes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "http2/connection.h"

namespace penstock::http2 {

// --- Reading.

bool StreamBytes::has_pending_input() {
  return !stream_->input_.empty() || stream_->receive_ended_ || stream_->failure_;
}

bool StreamBytes::try_read(ReadOp& op) {
  if (!has_pending_input()) return false;
  if (op.only_readiness()) {
    op.set_result(0);
    return true;
  }
  if (stream_->input_.empty()) {
    if (stream_->receive_ended_) {
      op.set_result(0);
    } else {
      op.set_result(fail(stream_->failure_->kind));
    }
    return true;
  }
  const std::span<char> room = op.into().writable();
  std::size_t size = 0;
  while (size < room.size()) {
    const Slice piece = stream_->take_input(room.size() - size);
    if (piece.empty()) break;
    std::memcpy(room.data() + size, piece.data(), piece.size());
    size += piece.size();
  }
  op.into().commit(size);
  op.set_result(size);
  return true;
}

bool StreamBytes::start(ReadOp& op) {
  PENSTOCK_CHECK(read_ == nullptr);
  if (try_read(op)) return true;
  read_ = &op;
  arm_for(op.deadline());
  return false;
}

void StreamBytes::forget(ReadOp& op) {
  PENSTOCK_CHECK(read_ == &op);
  read_ = nullptr;
}

// --- Writing.

bool StreamBytes::start(WriteOp& op) {
  PENSTOCK_CHECK(write_ == nullptr);
  if (stream_->failure_ || stream_->connection_ == nullptr || we_ended_) {
    op.set_result(fail(stream_->lost().kind));
    return true;
  }
  if (op.remaining().empty()) {
    op.set_result(0);
    return true;
  }
  write_ = &op;
  arm_for(op.deadline());
  stream_->resume_output();
  return false;
}

void StreamBytes::forget(WriteOp& op) {
  PENSTOCK_CHECK(write_ == &op);
  write_ = nullptr;
}

Stream::Portion StreamBytes::prepare(std::size_t limit) {
  std::size_t size = 0;
  if (write_ != nullptr) {
    for (const iovec& part : write_->remaining()) size += part.iov_len;
  }
  size = std::min(size, limit);
  const bool last = we_ended_ && write_ == nullptr;
  if (size == 0 && !last) return {};
  if (last) stream_->send_ended_ = true;
  return {.kind = Stream::Portion::Kind::bytes, .size = size, .last = last};
}

void StreamBytes::put(std::size_t size, Output& output) {
  if (size == 0) return;
  PENSTOCK_CHECK(write_ != nullptr);
  const std::size_t all = size;
  for (const iovec& part : write_->remaining()) {
    const std::size_t n = std::min(size, part.iov_len);
    output.put(std::string_view(static_cast<const char*>(part.iov_base), n));
    size -= n;
    if (size == 0) break;
  }
  stream_->content_sent_ += all;
  if (!write_->advance(all, stream_->executor_->now())) return;
  WriteOp& op = *std::exchange(write_, nullptr);
  op.complete(op.written());
}

void StreamBytes::shutdown_write() {
  we_ended_ = true;
  stream_->resume_output();
}

void StreamBytes::set_abortive() { stream_->reset(ErrorCode::connect_error); }

// --- What happens.

void StreamBytes::on_change() {
  if (read_ != nullptr) {
    if (try_read(*read_)) {
      ReadOp& op = *std::exchange(read_, nullptr);
      op.complete(op.await_resume());
    }
  } else if (observer_ != nullptr && has_pending_input()) {
    observer_->on_stream_event(stream_->failure_.has_value());
  }
  if (write_ != nullptr && stream_->failure_) {
    WriteOp& op = *std::exchange(write_, nullptr);
    op.complete(fail(stream_->failure_->kind));
  }
}

void StreamBytes::arm_for(TimePoint deadline) {
  if (deadline == kNever || (armed() && armed_for_ <= deadline)) return;
  armed_for_ = deadline;
  stream_->executor_->timers().arm(*this, deadline);
}

void StreamBytes::on_timer() {
  const TimePoint now = stream_->executor_->now();
  if (read_ != nullptr && read_->deadline() <= now) {
    ReadOp& op = *std::exchange(read_, nullptr);
    op.complete(fail(ErrorKind::timed_out));
  }
  if (write_ != nullptr && write_->deadline() <= now) {
    WriteOp& op = *std::exchange(write_, nullptr);
    op.complete(fail(ErrorKind::timed_out));
  }
  if (read_ != nullptr) arm_for(read_->deadline());
  if (write_ != nullptr) arm_for(write_->deadline());
}

}  // namespace penstock::http2
