// A stream of HTTP/2 as a byte stream: the way through a CONNECT tunnel (RFC 9113 section 8.5).
#pragma once

#include <cstddef>

#include "async/stream.h"
#include "async/timer.h"
#include "base/frame_pool.h"
#include "http2/output.h"
#include "http2/stream.h"

namespace penstock::http2 {

// Each direction ends with END_STREAM, alone. An abortive close is RST_STREAM with CONNECT_ERROR,
// and a reset by the peer an error, as it is with TCP. What a write gives is copied as the peer's
// window and the socket take it; it is complete when all of it is in frames. Part of its Stream.
class StreamBytes final : public ByteStream, private Timer {
 public:
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }
  explicit StreamBytes(Stream& stream) : stream_(&stream) {}
  ~StreamBytes() override = default;

  bool start(ReadOp& op) override;
  bool start(WriteOp& op) override;
  void forget(ReadOp& op) override;
  void forget(WriteOp& op) override;
  void shutdown_write() override;
  void set_abortive() override;
  void observe(StreamObserver* observer) override { observer_ = observer; }
  [[nodiscard]] bool has_pending_input() override;

 private:
  friend class Stream;

  // For the stream: bytes came, an end, or a failure.
  void on_change();
  [[nodiscard]] Stream::Portion prepare(std::size_t limit);
  void put(std::size_t size, Output& output);

  void on_timer() override;
  [[nodiscard]] bool try_read(ReadOp& op);
  void arm_for(TimePoint deadline);

  Stream* stream_;
  ReadOp* read_ = nullptr;
  WriteOp* write_ = nullptr;
  StreamObserver* observer_ = nullptr;
  TimePoint armed_for_ = kNever;
  bool we_ended_ = false;
};

}  // namespace penstock::http2
