// A connected TCP or unix socket as a ByteStream on the event loop.
#pragma once

#include <cstdint>
#include <memory>

#include "async/stream.h"
#include "async/timer.h"
#include "net/event_loop.h"
#include "net/fd.h"

namespace penstock {

// Registered with epoll once, edge-triggered, for its whole life. What is known of the socket's
// readiness is remembered, so that no system call is made only to learn that it would block: a read
// that came back short has emptied the socket, a write that came back short has filled it.
class SocketStream final : public ByteStream, private EventSource, private Timer {
 public:
  // Takes the non-blocking socket and registers it; null when the loop can't take it (overloaded).
  // `connecting`: connect() is under way; connected() awaits its end.
  static std::unique_ptr<SocketStream> create(EventLoop& loop, Fd socket, bool connecting);
  ~SocketStream() override;

  // co_await stream.connected(deadline): for a connecting socket.
  [[nodiscard]] WriteOp connected(TimePoint deadline) {
    return {*this, {}, deadline, Duration::zero()};
  }

  bool start(ReadOp& op) override;
  bool start(WriteOp& op) override;
  void forget(ReadOp& op) override;
  void forget(WriteOp& op) override;
  void shutdown_write() override;
  void set_abortive() override;
  void observe(StreamObserver* observer) override { observer_ = observer; }
  [[nodiscard]] bool has_pending_input() override { return readable_ && ask_pending_input(); }
  [[nodiscard]] bool ask_pending_input() override;
  Task<Result<void>> relay(ByteStream& to, std::uint64_t limit, Duration stall,
                           Relayed& relayed) override;
  [[nodiscard]] int native_socket() const override { return socket_.get(); }

 private:
  friend class SocketRelay;
  SocketStream(EventLoop& loop, Fd socket, bool connecting);
  void on_events(std::uint32_t events) override;
  void on_timer() override;
  // True when done (result set), false when the socket would block.
  bool try_read(ReadOp& op);
  bool try_write(WriteOp& op);
  bool finish_connect(WriteOp& op);
  Error write_failed(int error);
  void arm_for(TimePoint deadline);
  Result<std::size_t> splice_in(int pipe, std::size_t limit);
  Result<std::size_t> splice_out(int pipe, std::size_t filled);

  EventLoop* loop_;
  ReadOp* read_ = nullptr;
  WriteOp* write_ = nullptr;
  StreamObserver* observer_ = nullptr;
  TimePoint armed_for_ = kNever;
  Fd socket_;
  int broken_ = 0;  // the errno a write failed with
  bool readable_ = false;
  bool writable_;
  bool urgent_ = false;      // urgent data came: reads come back short before it
  bool peer_ended_ = false;  // a FIN has arrived; there may be bytes before it
  bool we_ended_ = false;    // shutdown_write() was called
  bool connecting_;
};

}  // namespace penstock
