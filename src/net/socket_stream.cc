#include "net/socket_stream.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <sys/socket.h>

namespace penstock {
namespace {
constexpr std::uint32_t kEvents = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::size_t kMaxParts = 64;  // of one sendmsg()

// One system call. The kernel has less to do for a single part.
ssize_t send_parts(int socket, std::span<iovec> parts) {
  if (parts.size() == 1) {
    return ::send(socket, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

}  // namespace

std::unique_ptr<SocketStream> SocketStream::create(EventLoop& loop, Fd socket, bool connecting) {
  std::unique_ptr<SocketStream> stream(new SocketStream(loop, std::move(socket), connecting));
  if (loop.add(stream->socket_.get(), kEvents, *stream) != 0) return nullptr;
  return stream;
}

SocketStream::SocketStream(EventLoop& loop, Fd socket, bool connecting)
    : loop_(&loop), socket_(std::move(socket)), writable_(!connecting), connecting_(connecting) {}

SocketStream::~SocketStream() { PENSTOCK_CHECK(read_ == nullptr && write_ == nullptr); }

bool SocketStream::start(ReadOp& op) {
  PENSTOCK_CHECK(read_ == nullptr);
  if (readable_ && try_read(op)) return true;
  read_ = &op;
  arm_for(op.deadline());
  return false;
}

bool SocketStream::start(WriteOp& op) {
  PENSTOCK_CHECK(write_ == nullptr);
  if (writable_ && try_write(op)) return true;
  write_ = &op;
  arm_for(op.deadline());
  return false;
}

void SocketStream::forget(ReadOp& op) {
  PENSTOCK_CHECK(read_ == &op);
  read_ = nullptr;
}

void SocketStream::forget(WriteOp& op) {
  PENSTOCK_CHECK(write_ == &op);
  write_ = nullptr;
}

bool SocketStream::try_read(ReadOp& op) {
  if (op.only_readiness()) {
    op.set_result(0);
    return true;
  }
  const std::span<char> room = op.into().writable();
  ssize_t n = 0;
  do {
    n = ::recv(socket_.get(), room.data(), room.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    const int error = errno;
    op.into().commit(0);
    if (error == EAGAIN) {
      readable_ = false;
      return false;
    }
    op.set_result(fail(error_from_errno(error)));
    return true;
  }
  op.into().commit(static_cast<std::size_t>(n));
  if (n == 0 && broken_ != 0) {
    op.set_result(fail(error_from_errno(broken_)));
    return true;
  }
  if (static_cast<std::size_t>(n) < room.size() && !peer_ended_ && !urgent_) readable_ = false;
  op.set_result(static_cast<std::size_t>(n));
  return true;
}

// The system tells once that the connection broke. Where a write hears of it, it is kept for the
// reads to come, which would take what follows for the end of the stream. EPIPE says no such thing:
// then the end may well have been read before.
Error SocketStream::write_failed(int error) {
  if (error != EPIPE) broken_ = error;
  return error_from_errno(error);
}

bool SocketStream::finish_connect(WriteOp& op) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  connecting_ = false;
  if (error != 0) {
    op.set_result(fail(error_from_errno(error)));
  } else {
    op.set_result(0);
  }
  return true;
}

bool SocketStream::try_write(WriteOp& op) {
  if (connecting_) return finish_connect(op);
  if (op.remaining().empty()) {
    op.set_result(0);
    return true;
  }
  while (true) {
    const std::span<iovec> parts = op.remaining().first(std::min(op.remaining().size(), kMaxParts));
    std::size_t wanted = 0;
    for (const iovec& part : parts) wanted += part.iov_len;
    const ssize_t n = send_parts(socket_.get(), parts);
    if (n < 0) {
      const int error = errno;
      if (error == EINTR) continue;
      if (error == EAGAIN) {
        writable_ = false;
        return false;
      }
      op.set_result(fail(write_failed(error)));
      return true;
    }
    if (op.advance(static_cast<std::size_t>(n), loop_->executor().now())) {
      op.set_result(op.written());
      return true;
    }
    if (static_cast<std::size_t>(n) < wanted) {
      writable_ = false;
      return false;
    }
  }
}

void SocketStream::on_events(std::uint32_t events) {
  const bool broken =
      (events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && !we_ended_ && !connecting_);
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer_ended_ = true;
  if ((events & EPOLLPRI) != 0) urgent_ = true;
  const bool input = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (input) readable_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;

  if (read_ != nullptr && readable_) {
    if (try_read(*read_)) {
      ReadOp& op = *std::exchange(read_, nullptr);
      op.complete(op.await_resume());
    }
  } else if (input && read_ == nullptr && observer_ != nullptr) {
    observer_->on_stream_event(broken);
  }
  if (write_ != nullptr && writable_) {
    if (try_write(*write_)) {
      WriteOp& op = *std::exchange(write_, nullptr);
      op.complete(op.await_resume());
    } else {
      arm_for(write_->deadline());
    }
  }
}

// The timer is not moved for each operation: it fires at the earliest deadline it was ever armed
// for, and is then armed for what is due next.
void SocketStream::arm_for(TimePoint deadline) {
  if (deadline == kNever || (armed() && armed_for_ <= deadline)) return;
  armed_for_ = deadline;
  loop_->executor().timers().arm(*this, deadline);
}

void SocketStream::on_timer() {
  const TimePoint now = loop_->executor().now();
  if (read_ != nullptr && read_->deadline() <= now) {
    std::exchange(read_, nullptr)->complete(fail(ErrorKind::timed_out));
  }
  if (write_ != nullptr && write_->deadline() <= now) {
    std::exchange(write_, nullptr)->complete(fail(ErrorKind::timed_out));
  }
  if (read_ != nullptr) arm_for(read_->deadline());
  if (write_ != nullptr) arm_for(write_->deadline());
}

// A read that filled its buffer, and any splice, leave open whether there is more: so `readable_`
// alone is no answer.
bool SocketStream::ask_pending_input() {
  char byte = 0;
  const ssize_t n = ::recv(socket_.get(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
  readable_ = n >= 0 || errno != EAGAIN;
  if (n < 0 && readable_) broken_ = errno;  // told once, see write_failed()
  return readable_;
}

void SocketStream::shutdown_write() {
  we_ended_ = true;
  ::shutdown(socket_.get(), SHUT_WR);
}

void SocketStream::set_abortive() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace penstock
