#include "sim/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace penstock {

SimStream::SimStream(std::shared_ptr<SimConnection> connection, SimConnection::End end)
    : connection_(std::move(connection)), end_(end) {
  connection_->attach(end_, *this);
  ++connection_->world().open_streams_;
}

SimStream::~SimStream() {
  PENSTOCK_CHECK(read_ == nullptr && write_ == nullptr);
  connection_->detach(end_, abortive_);
  --connection_->world().open_streams_;
}

bool SimStream::start(ReadOp& op) {
  PENSTOCK_CHECK(read_ == nullptr);
  const bool ready = connection_->readable(end_);
  const bool hesitates = ready && connection_->random().chance(connection_->faults().hesitate);
  if (ready && !hesitates && try_read(op)) return true;
  read_ = &op;
  ++connection_->world().pending_ops_;
  if (hesitates) connection_->retry_later(end_);
  arm_for(op.deadline());
  return false;
}

bool SimStream::start(WriteOp& op) {
  PENSTOCK_CHECK(write_ == nullptr);
  const bool hesitates = connection_->random().chance(connection_->faults().hesitate);
  if (!hesitates && try_write(op)) return true;
  write_ = &op;
  ++connection_->world().pending_ops_;
  if (hesitates) connection_->retry_later(end_);
  arm_for(op.deadline());
  return false;
}

void SimStream::end_read() {
  read_ = nullptr;
  --connection_->world().pending_ops_;
}

void SimStream::end_write() {
  write_ = nullptr;
  --connection_->world().pending_ops_;
}

void SimStream::forget(ReadOp& op) {
  PENSTOCK_CHECK(read_ == &op);
  end_read();
}

void SimStream::forget(WriteOp& op) {
  PENSTOCK_CHECK(write_ == &op);
  end_write();
}

// True when done (result set), false when there is nothing to read.
bool SimStream::try_read(ReadOp& op) {
  const std::string_view arrived = connection_->arrived(end_);
  if (!arrived.empty()) {
    const std::span<char> room = op.into().writable();
    std::size_t n = std::min(room.size(), arrived.size());
    if (n > 1 && connection_->random().chance(connection_->faults().short_read)) {
      n = connection_->random().skewed(1, n);
    }
    std::memcpy(room.data(), arrived.data(), n);
    op.into().commit(n);
    connection_->consume(end_, n);
    op.set_result(n);
    return true;
  }
  if (connection_->fin_arrived(end_)) {
    op.set_result(0);
    return true;
  }
  if (connection_->broken(end_)) {
    op.set_result(fail(error_from_errno(ECONNRESET)));
    return true;
  }
  return false;
}

// True when done (result set), false when there is no room for now.
bool SimStream::try_write(WriteOp& op) {
  const bool shortened = connection_->random().chance(connection_->faults().short_write);
  while (true) {
    if (connection_->broken(end_) || we_ended_) {
      op.set_result(fail(error_from_errno(connection_->broken(end_) ? ECONNRESET : EPIPE)));
      return true;
    }
    std::string_view part;
    for (const iovec& remaining : op.remaining()) {
      part = {static_cast<const char*>(remaining.iov_base), remaining.iov_len};
      if (!part.empty()) break;
    }
    if (shortened && part.size() > 1) {
      part = part.substr(0, connection_->random().skewed(1, part.size() - 1));
    }
    const std::size_t taken = connection_->send(end_, part);
    if (op.advance(taken, connection_->world().now())) {
      op.set_result(op.written());
      return true;
    }
    if (taken < part.size()) return false;
    if (shortened) {
      connection_->retry_later(end_);
      return false;
    }
  }
}

void SimStream::finish_read() {
  if (read_ == nullptr || !try_read(*read_)) return;
  ReadOp& op = *read_;
  end_read();
  op.complete(op.await_resume());
}

void SimStream::finish_write() {
  if (write_ == nullptr) return;
  if (!try_write(*write_)) return arm_for(write_->deadline());
  WriteOp& op = *write_;
  end_write();
  op.complete(op.await_resume());
}

void SimStream::on_input(bool broken) {
  if (read_ != nullptr) {
    finish_read();
  } else if (observer_ != nullptr) {
    observer_->on_stream_event(broken);
  }
  if (broken) finish_write();
}

void SimStream::retry() {
  finish_read();
  finish_write();
}

// As SocketStream: the timer fires at the earliest deadline it was armed for, and is then armed for
// what is due next.
void SimStream::arm_for(TimePoint deadline) {
  if (deadline == kNever || (armed() && armed_for_ <= deadline)) return;
  armed_for_ = deadline;
  connection_->world().executor().timers().arm(*this, deadline);
}

void SimStream::on_timer() {
  const TimePoint now = connection_->world().now();
  if (read_ != nullptr && read_->deadline() <= now) {
    ReadOp& op = *read_;
    end_read();
    op.complete(fail(ErrorKind::timed_out));
  }
  if (write_ != nullptr && write_->deadline() <= now) {
    WriteOp& op = *write_;
    end_write();
    op.complete(fail(ErrorKind::timed_out));
  }
  if (read_ != nullptr) arm_for(read_->deadline());
  if (write_ != nullptr) arm_for(write_->deadline());
}

void SimStream::shutdown_write() {
  we_ended_ = true;
  connection_->send_fin(end_);
}

StreamPair make_stream_pair(SimWorld& world, const Faults& faults, const Fate& fate) {
  const auto connection = SimConnection::create(world, faults, fate);
  return {std::make_unique<SimStream>(connection, SimConnection::kConnecting),
          std::make_unique<SimStream>(connection, SimConnection::kAccepting)};
}

StreamPair make_stream_pair(SimWorld& world) {
  return make_stream_pair(world, world.faults(), Fate::draw(world.faults(), world.random()));
}

}  // namespace penstock
