// Byte streams: what a connection looks like to everything above the sockets.
//
// Completion-shaped: one gives a buffer and awaits a result. The epoll loop, the simulated network
// and TLS each implement it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <sys/uio.h>

#include "async/context.h"
#include "async/input_buffer.h"
#include "async/task.h"
#include "base/error.h"
#include "base/time.h"

namespace penstock {

class ByteStream;

// One suspended operation on a stream. Lives in the frame of the coroutine that awaits it, or in a
// stream over this one, which is told in place (on_complete).
class StreamOp : public CancelHook {
 public:
  StreamOp(ByteStream& stream, TimePoint deadline) : stream_(&stream), deadline_(deadline) {}

  // When it ends with timed_out.
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  // For streams: ends the suspended operation; its coroutine goes on in the executor's next round.
  // The last thing to do with it: it may be started anew before this returns.
  void complete(Result<std::size_t> result);
  // For streams: sets the result of an operation that did not have to suspend.
  void set_result(Result<std::size_t> result) { result_ = result; }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return suspend(caller, caller.promise().context());
  }
  Result<std::size_t> await_resume() const { return result_; }

 protected:
  // Makes the stream forget the operation it keeps.
  virtual void forget() = 0;
  // What completing leads to: its coroutine is posted. A stream over a stream, which has no
  // coroutine of its own, does here what is next; it may start operations, but destroy nothing.
  virtual void on_complete();

  ByteStream* stream_;
  TimePoint deadline_;

 private:
  // Registers for cancellation; false when the context is cancelled already: then that is the
  // result.
  bool suspend(std::coroutine_handle<> waiter, TaskContext& context);
  void on_cancel() override;

  Result<std::size_t> result_ = 0;
  std::coroutine_handle<> waiter_;
  Executor* executor_ = nullptr;
};

// Reads once into an InputBuffer. The result is the number of bytes, 0 at the end of the stream.
class ReadOp : public StreamOp {
 public:
  ReadOp(ByteStream& stream, InputBuffer& into, TimePoint deadline)
      : StreamOp(stream, deadline), into_(&into) {}
  // Only waits until there is something to read: bytes, the end, or an error. The result is 0.
  ReadOp(ByteStream& stream, TimePoint deadline) : StreamOp(stream, deadline) {}
  [[nodiscard]] bool only_readiness() const { return into_ == nullptr; }
  [[nodiscard]] InputBuffer& into() const { return *into_; }

  bool await_ready();

 protected:
  // For one that is used again and again, while not started.
  void renew(TimePoint deadline) { deadline_ = deadline; }
  // `into`: null only waits until there is something to read.
  void renew(InputBuffer* into, TimePoint deadline) {
    into_ = into;
    deadline_ = deadline;
  }

 private:
  void forget() override;
  InputBuffer* into_ = nullptr;
};

// Writes all of some bytes, gathered. The result is their number. With no bytes it waits until the
// stream would take some. `stall` is how long the stream may go without taking a byte; the deadline
// moves on with each byte taken.
class WriteOp : public StreamOp {
 public:
  WriteOp(ByteStream& stream, std::span<iovec> parts, TimePoint deadline, Duration stall)
      : StreamOp(stream, deadline), parts_(parts), stall_(stall) {}

  // For streams: what is still to be written, empty when all is.
  [[nodiscard]] std::span<iovec> remaining() const { return parts_; }
  // For streams: n more bytes were taken. True when that was all.
  bool advance(std::size_t n, TimePoint now);
  [[nodiscard]] std::size_t written() const { return written_; }
  [[nodiscard]] Duration stall() const { return stall_; }
  // Adds the bytes to `counter` as the stream takes them, not only at the end.
  void count_into(std::uint64_t& counter) { counter_ = &counter; }

  bool await_ready();

 protected:
  // For one that is used again and again, while not started.
  void renew(std::span<iovec> parts, TimePoint deadline, Duration stall);

 private:
  void forget() override;
  std::span<iovec> parts_;
  Duration stall_;
  std::size_t written_ = 0;
  std::uint64_t* counter_ = nullptr;
};

// Told about what happens to a stream while nobody reads from it.
class StreamObserver {
 public:
  // Bytes or the end of the stream can be read, or the connection broke (`broken`). Called from
  // the loop outside any task; may destroy nothing: post or mark only.
  virtual void on_stream_event(bool broken) = 0;

 protected:
  ~StreamObserver() = default;
};

// How far a relay got. Lives in the caller, who may look at it meanwhile.
struct Relayed {
  std::uint64_t bytes = 0;           // taken by the receiving stream
  bool source_ended = false;         // the end of the source was read
  bool source_failed = false;        // the error, if any, was in reading
  std::uint64_t* counter = nullptr;  // if set, grows along with `bytes`

  void add(std::uint64_t n) {
    bytes += n;
    if (counter != nullptr) *counter += n;
  }
};

// A connected, ordered, reliable byte stream in both directions. One read and one write may be
// suspended at a time. Destroying it closes the connection in the ordinary way; no operation may be
// suspended then.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Does the operation if that is possible without waiting, and returns true with its result set;
  // else keeps it until it is complete()d or cancelled.
  virtual bool start(ReadOp& op) = 0;
  virtual bool start(WriteOp& op) = 0;
  // Forgets a suspended operation (the one given to start()).
  virtual void forget(ReadOp& op) = 0;
  virtual void forget(WriteOp& op) = 0;

  // Ends our direction; the peer reads the end of the stream. Reading goes on (RFC 9112
  // section 9.6).
  virtual void shutdown_write() = 0;
  // Makes the close an abortive one: the peer sees that the stream was cut, even where its end
  // would otherwise look like the end of a message.
  virtual void set_abortive() = 0;
  // While an observer is set (null takes it away) it hears of events that no suspended read takes.
  virtual void observe(StreamObserver* observer) = 0;
  // True when the peer has closed, or bytes are waiting to be read, as far as the loop has told.
  [[nodiscard]] virtual bool has_pending_input() = 0;
  // The same as of now: what the loop has not told yet counts too. Costs a system call.
  [[nodiscard]] virtual bool ask_pending_input() { return has_pending_input(); }
  // Moves bytes from here to `to`, by the shortest way the two allow (inside the kernel between
  // plain sockets), up to the end of this stream, or up to `limit` bytes exactly. A limit other
  // than "all" is only for two streams with a native_socket(); it may then return early, without an
  // error, when the system has nothing left to do it with. Times out after `stall` without a byte
  // moving. Bytes that wait in an InputBuffer of this stream are the caller's to write before.
  virtual Task<Result<void>> relay(ByteStream& to, std::uint64_t limit, Duration stall,
                                   Relayed& relayed);
  // The plain socket below, -1 if there is none.
  [[nodiscard]] virtual int native_socket() const { return -1; }
};

// co_await read_some(...): one read, 0 at the end of the stream.
[[nodiscard]] inline ReadOp read_some(ByteStream& stream, InputBuffer& into, TimePoint deadline) {
  return {stream, into, deadline};
}
// co_await write_all(...): everything or an error. The iovecs are used up.
[[nodiscard]] inline WriteOp write_all(ByteStream& stream, std::span<iovec> parts, TimePoint now,
                                       Duration stall) {
  return {stream, parts, deadline_after(now, stall), stall};
}

[[nodiscard]] inline iovec to_iovec(std::string_view bytes) {
  return {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace penstock
