// Moving bytes from stream to stream without waking a task for each piece of them.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "base/slab.h"

namespace penstock {

// co_await relay_op: moves what one stream gives to another, through a buffer. The reads and writes
// it is made of go on from one to the next as the streams complete them; the task that awaits it is
// woken for the end, an error or a timeout only, and when the others on this thread should have a
// turn: then the result is success, and relayed.source_ended not set. Lives in the frame of the
// coroutine that awaits it, which may start it again.
class RelayOp : public CancelHook {
 public:
  // All must outlive it. `stall`: how long a stream may go without giving, or taking, a byte.
  RelayOp(Executor& executor, ByteStream& from, ByteStream& to, Duration stall, Relayed& relayed)
      : reading_(*this, from, buffer_),
        writing_(*this, to),
        executor_(&executor),
        stall_(stall),
        relayed_(&relayed) {}

  bool await_ready() { return run(begin()); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return suspend(caller, caller.promise().context());
  }
  Result<void> await_resume() const { return result_; }

 protected:
  ~RelayOp() override = default;

  // What is to be done next. `over`: the result is known.
  enum class Next : std::uint8_t { read, write, over };
  // What begins it, and what a read and a write that are done lead to. A write that failed may have
  // moved bytes all the same.
  virtual Next begin() { return ask_for_bytes(); }
  virtual Next on_read(Result<std::size_t> got);
  virtual Next on_written(Result<std::size_t> put);

  // Their results: a read into the buffer, or of nothing but readiness; and a write of nothing,
  // which waits for room.
  Next ask_for_bytes();
  Next ask_for_readiness();
  Next ask_for_room();
  Next end(Result<void> result);
  // One more piece was moved: `next`, unless it is the others' turn.
  Next after_piece(Next next);

  [[nodiscard]] Relayed& relayed() { return *relayed_; }
  [[nodiscard]] ByteStream& from() { return reading_.stream(); }
  [[nodiscard]] ByteStream& to() { return writing_.stream(); }

 private:
  class Reading final : public ReadOp {
   public:
    Reading(RelayOp& relay, ByteStream& from, InputBuffer& into)
        : ReadOp(from, into, kNever), relay_(&relay) {}
    using ReadOp::renew;
    [[nodiscard]] ByteStream& stream() { return *stream_; }

   private:
    void on_complete() override { relay_->on_operation_done(); }
    RelayOp* relay_;
  };
  class Writing final : public WriteOp {
   public:
    Writing(RelayOp& relay, ByteStream& to)
        : WriteOp(to, {}, kNever, Duration::zero()), relay_(&relay) {}
    using WriteOp::renew;
    [[nodiscard]] ByteStream& stream() { return *stream_; }

   private:
    void on_complete() override { relay_->on_operation_done(); }
    RelayOp* relay_;
  };

  bool run(Next next);
  void on_operation_done();
  bool suspend(std::coroutine_handle<> waiter, TaskContext& context);
  Next give_up();
  void on_cancel() override;

  // The largest read: more is asked for only where reads came back full.
  static constexpr std::uint32_t kLeastRead = kMediumSlab - sizeof(Slab);
  static constexpr std::uint32_t kMostRead = kLargeSlab - sizeof(Slab);

  InputBuffer buffer_;  // what was read stays here until it is written
  Reading reading_;
  Writing writing_;
  iovec part_{};  // of it, what is still to be written
  Executor* executor_;
  Duration stall_;
  Relayed* relayed_;
  std::coroutine_handle<> waiter_;
  Result<void> result_{};
  std::uint32_t read_size_ = kLeastRead;
  std::uint16_t pieces_ = 0;    // since it last had to wait
  Next waiting_ = Next::over;   // what for
  bool done_in_place_ = false;  // completed within the call that started it
  bool running_ = false;
};

}  // namespace penstock
