#include "async/relay.h"

#include <algorithm>
#include <limits>

#include "async/sleep.h"
#include "base/check.h"

namespace penstock {
namespace {

// After so many pieces the others on this thread have their turn.
constexpr std::uint16_t kPiecesATurn = 8;

}  // namespace

// Ends where something has to be waited for, or all is over: then true.
bool RelayOp::run(Next next) {
  running_ = true;
  while (next != Next::over) {
    waiting_ = next;
    done_in_place_ = false;
    const bool reads = next == Next::read;
    const bool done = reads ? from().start(reading_) : to().start(writing_);
    if (!done && !done_in_place_) {
      pieces_ = 0;
      break;
    }
    next = reads ? on_read(reading_.await_resume()) : on_written(writing_.await_resume());
  }
  running_ = false;
  if (next == Next::over) waiting_ = Next::over;
  return next == Next::over;
}

void RelayOp::on_operation_done() {
  done_in_place_ = true;
  if (running_) return;  // run() is above, and goes on
  const Next next = waiting_ == Next::read ? on_read(reading_.await_resume())
                                           : on_written(writing_.await_resume());
  if (!run(next)) return;
  unlink();
  executor_->post(waiter_);
}

bool RelayOp::suspend(std::coroutine_handle<> waiter, TaskContext& context) {
  if (context.cancelled()) {
    give_up();
    return false;
  }
  waiter_ = waiter;
  context.add(*this);
  return true;
}

// Ends what is suspended.
RelayOp::Next RelayOp::give_up() {
  const bool reads = waiting_ == Next::read;
  if (reads) {
    from().forget(reading_);
  } else {
    to().forget(writing_);
  }
  waiting_ = Next::over;
  const auto cancelled = fail(ErrorKind::cancelled);
  return reads ? on_read(cancelled) : on_written(cancelled);
}

void RelayOp::on_cancel() {
  const Next next = give_up();
  PENSTOCK_CHECK(next == Next::over);
  executor_->post(waiter_);
}

RelayOp::Next RelayOp::ask_for_bytes() {
  buffer_.expect(read_size_);
  reading_.renew(&buffer_, deadline_after(executor_->now(), stall_));
  return Next::read;
}

RelayOp::Next RelayOp::ask_for_readiness() {
  reading_.renew(nullptr, deadline_after(executor_->now(), stall_));
  return Next::read;
}

RelayOp::Next RelayOp::ask_for_room() {
  writing_.renew({}, deadline_after(executor_->now(), stall_), stall_);
  return Next::write;
}

RelayOp::Next RelayOp::end(Result<void> result) {
  result_ = result;
  return Next::over;
}

RelayOp::Next RelayOp::after_piece(Next next) {
  if (++pieces_ < kPiecesATurn) return next;
  pieces_ = 0;
  return end({});
}

RelayOp::Next RelayOp::on_read(Result<std::size_t> got) {
  relayed_->source_failed = !got;
  if (!got) return end(fail(got.error()));
  relayed_->source_ended = *got == 0;
  if (*got == 0) return end({});
  if (*got >= read_size_) {
    read_size_ = std::min(read_size_ * 4, kMostRead);
  } else if (*got < kLeastRead) {
    read_size_ = kLeastRead;
  }
  part_ = to_iovec(buffer_.unread());
  writing_.renew({&part_, 1}, deadline_after(executor_->now(), stall_), stall_);
  return Next::write;
}

RelayOp::Next RelayOp::on_written(Result<std::size_t> put) {
  relayed_->add(writing_.written());
  buffer_.consume(buffer_.size());
  if (!put) return end(fail(put.error()));
  return after_piece(ask_for_bytes());
}

namespace {

class Copying final : public RelayOp {
 public:
  using RelayOp::RelayOp;
};

}  // namespace

Task<Result<void>> ByteStream::relay(ByteStream& to, std::uint64_t limit, Duration stall,
                                     Relayed& relayed) {
  // A read takes what there is: with a limit it could take what belongs to the next message.
  PENSTOCK_CHECK(limit == std::numeric_limits<std::uint64_t>::max());
  Copying copying((co_await this_context()).executor(), *this, to, stall, relayed);
  while (true) {
    const auto done = co_await copying;
    if (!done || relayed.source_ended) co_return done;
    co_await yield_turn();
  }
}

}  // namespace penstock
