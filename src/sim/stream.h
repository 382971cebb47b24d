// One end of a simulated connection.
#pragma once

#include <memory>

#include "async/stream.h"
#include "async/timer.h"
#include "sim/connection.h"

namespace penstock {

// Behaves as a SocketStream does, on a SimConnection. Destroying it closes its end.
class SimStream final : public ByteStream, private Timer {
 public:
  SimStream(std::shared_ptr<SimConnection> connection, SimConnection::End end);
  ~SimStream() override;

  bool start(ReadOp& op) override;
  bool start(WriteOp& op) override;
  void forget(ReadOp& op) override;
  void forget(WriteOp& op) override;
  void shutdown_write() override;
  void set_abortive() override { abortive_ = true; }
  void observe(StreamObserver* observer) override { observer_ = observer; }
  [[nodiscard]] bool has_pending_input() override { return connection_->readable(end_); }

  // For the connection, in the delivery phase: bytes, the end of the stream or a reset arrived.
  void on_input(bool broken);
  // For the connection, in the delivery phase: suspended operations may go on.
  void retry();
  [[nodiscard]] bool wants_to_write() const { return write_ != nullptr; }

 private:
  void on_timer() override;
  bool try_read(ReadOp& op);
  bool try_write(WriteOp& op);
  void finish_read();
  void finish_write();
  void end_read();
  void end_write();
  void arm_for(TimePoint deadline);

  std::shared_ptr<SimConnection> connection_;
  SimConnection::End end_;
  ReadOp* read_ = nullptr;
  WriteOp* write_ = nullptr;
  StreamObserver* observer_ = nullptr;
  TimePoint armed_for_ = kNever;
  bool we_ended_ = false;
  bool abortive_ = false;
};

// Two ends of a connection that is made already, without a listener.
struct StreamPair {
  std::unique_ptr<ByteStream> connecting;
  std::unique_ptr<ByteStream> accepting;
};
[[nodiscard]] StreamPair make_stream_pair(SimWorld& world, const Faults& faults, const Fate& fate);
// With the faults of the world.
[[nodiscard]] StreamPair make_stream_pair(SimWorld& world);

}  // namespace penstock
