// TLS (RFC 8446, RFC 5246) as a byte stream over a byte stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "async/executor.h"
#include "async/stream.h"
#include "tls/client_context.h"
#include "tls/engine.h"
#include "tls/record_batch.h"

namespace penstock {

// The end of the stream is read where the peer sent close_notify. If the stream below ends without,
// a read fails with `reset`: anybody on the way could have cut it, and what is framed by the end of
// the connection must not look complete then (RFC 9112 section 9.8, RFC 8446 section 6.1).
//
// A failure of TLS, of kind tls_protocol, tls_alert or (in the handshake) tls_certificate, is for
// good and in both directions. Errors of the stream below are passed on.
//
// Has no coroutine: what happens below is handled at once, in place. Records that carry no
// application data (session tickets, key updates) are dealt with and told to nobody. A read below
// is suspended only while one is here or there is an observer, so a stream that is not read from
// takes no more than one buffer from below; it holds none while idle.
//
// A write is done when all its records were taken below. The bytes of one that is given up or times
// out count as written if they were encrypted: these records still go out, as what is in a socket's
// buffer does. Where the stream below fails, only whole records that were taken count.
class TlsStream final : public ByteStream, private StreamObserver {
 public:
  // `ssl` knows which side it is, and is ready for its handshake(), which comes before all else.
  // `input` was read from `below` before.
  TlsStream(std::unique_ptr<ByteStream> below, SslPtr ssl, Executor& executor,
            InputBuffer input = {});
  // Sends close_notify, if that goes at once and is true: not after set_abortive(), a failure, or a
  // write that was not completed.
  ~TlsStream() override;

  // Makes the handshake. `closed` when the peer ends the stream meanwhile.
  Task<Result<void>> handshake(TimePoint deadline);

  bool start(ReadOp& op) override;
  bool start(WriteOp& op) override;
  void forget(ReadOp& op) override;
  void forget(WriteOp& op) override;
  // Sends close_notify, then ends the direction below. A write that is suspended fails.
  void shutdown_write() override;
  void set_abortive() override;
  // It hears of application data, the end, and errors.
  void observe(StreamObserver* observer) override;
  [[nodiscard]] bool has_pending_input() override;
  [[nodiscard]] bool ask_pending_input() override;

  // After the handshake. The protocol agreed on (ALPN), empty if none was.
  [[nodiscard]] std::string_view alpn() const;
  [[nodiscard]] TlsVersion version() const;
  // OpenSSL's name of the cipher suite. Static text.
  [[nodiscard]] std::string_view cipher() const;
  // The session of an earlier connection went on.
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] SSL* ssl() const { return engine_.ssl(); }

 private:
  struct LowerRead final : ReadOp {
    explicit LowerRead(TlsStream& of)
        : ReadOp(*of.below_, of.engine_.incoming(), kNever), owner(&of) {}
    using ReadOp::renew;
    void on_complete() override { owner->on_lower_read(); }
    TlsStream* owner;
  };
  struct LowerWrite final : WriteOp {
    explicit LowerWrite(TlsStream& of)
        : WriteOp(*of.below_, {}, kNever, Duration::zero()), owner(&of) {}
    using WriteOp::renew;
    void on_complete() override { owner->on_lower_write(); }
    TlsStream* owner;
  };

  Task<Result<void>> exchange_flights();
  void send_at_once();

  // Reading.
  bool try_read(ReadOp& op);
  bool pull(TimePoint deadline);
  void note_input(Result<std::size_t> got);
  void on_lower_read();
  void stop_lower_read();
  [[nodiscard]] bool input_pending();
  [[nodiscard]] bool look();
  [[nodiscard]] bool look_again();
  bool watch();
  void on_stream_event(bool broken) override;

  // Writing.
  bool try_write(WriteOp& op);
  Result<void> encrypt(const WriteOp& op);
  bool push(TimePoint deadline, Duration stall);
  void account_sent();
  Error note_write_error(Error error);
  void on_lower_write();
  void settle_write();
  void stop_lower_write();
  void disown_records();
  void send_own_records();
  [[nodiscard]] std::optional<Error> why_not_write() const;

  std::unique_ptr<ByteStream> below_;
  Executor* executor_;
  TlsEngine engine_;
  LowerRead lower_read_{*this};
  LowerWrite lower_write_{*this};
  ReadOp* read_ = nullptr;
  WriteOp* write_ = nullptr;
  StreamObserver* observer_ = nullptr;
  iovec lower_part_{};              // what lower_write_ has still to write
  std::size_t handed_ = 0;          // how much it was given
  RecordBatch batch_;               // of write_
  std::optional<Error> read_end_;   // there is nothing more to come from below
  std::optional<Error> write_end_;  // there is nothing more to be sent
  std::uint32_t next_read_ = 0;     // how many bytes are expected to come from below
  std::uint32_t silent_ = 0;        // bytes that came since the last application data
  bool established_ = false;
  bool reading_below_ = false;  // lower_read_ is suspended
  bool writing_below_ = false;  // lower_write_ is suspended
  bool broken_ = false;         // read_end_ is not only an end without close_notify
  bool abortive_ = false;
  bool we_ended_ = false;     // shutdown_write() was called
  bool ended_below_ = false;  // and has been passed on
};

// Makes a TLS connection to a server over `below`. Errors are of the server's side and retryable,
// as nothing of a request was sent: those of TlsStream, of the stream below, timed_out at the
// deadline. The views in `server` are used only until this first suspends.
Task<Result<std::unique_ptr<TlsStream>>> connect_tls(std::unique_ptr<ByteStream> below,
                                                     const TlsClientContext& context,
                                                     TlsServer server, TimePoint deadline);

}  // namespace penstock
