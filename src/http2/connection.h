// One HTTP/2 connection over a byte stream, in either role (RFC 9113). nghttp2 is the codec; this
// drives it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "async/input_buffer.h"
#include "async/scope.h"
#include "async/stream.h"
#include "async/task.h"
#include "async/timer.h"
#include "base/error.h"
#include "http2/error_code.h"
#include "http2/flood_guard.h"
#include "http2/output.h"
#include "http2/session_memory.h"
#include "http2/settings.h"
#include "http2/signal.h"
#include "http2/stream.h"
#include "http2/stream_numbers.h"

struct nghttp2_session;

namespace penstock::http2 {

// The bytes every client begins with (RFC 9113 section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class Role : std::uint8_t { server, client };

struct ConnectionSettings {
  Role role = Role::server;
  Settings http2;
  FieldLimits head;  // of received heads; trailers have the same
  // Without a stream; also how long a peer's preface and SETTINGS may take. Zero: no limit.
  Duration idle = std::chrono::seconds(120);
  Duration head_time = std::chrono::seconds(30);  // from the first byte of a head to its end
  Duration stall = std::chrono::seconds(60);      // without a byte moving that should
  // A peer that has not acknowledged SETTINGS, and says nothing for so long, is ended with
  // SETTINGS_TIMEOUT. On a slow way the acknowledgement may come behind much content.
  Duration settings_ack = std::chrono::seconds(10);
  bool extended_connect = true;  // server role: WebSockets may be opened here (RFC 8441)
};

// Whom a connection tells. Called in the middle of tasks: may spawn tasks, must not destroy the
// connection.
class ConnectionUser {
 public:
  // Server role: a request's head is complete (it may be malformed: see FieldBlock::refusal()).
  virtual void on_request(std::unique_ptr<Stream> stream) = 0;
  // Client role: how many streams can be opened may have changed.
  virtual void on_change() {}

 protected:
  ~ConnectionUser() = default;
};

// How a connection ended, or is ending.
struct Ending {
  ErrorCode sent = ErrorCode::no_error;      // of our GOAWAY
  ErrorCode received = ErrorCode::no_error;  // of the peer's
  std::string_view reason;                   // a static text for logs; empty: nothing was wrong
};

// Reading: DATA goes uncopied, as slices of what was read, into its stream's queue. Each stream has
// a window of its own, which is given back as the stream's user takes bytes. So a stream that
// nobody takes from stops at its window, and the connection goes on.
//
// The window of the whole connection:
// - server role: given back as bytes are taken, so `connection_window` bounds what waits here for
//   one client. One stalled stream takes at most stream_window of it (the connection's window is at
//   least twice that); a client that stalls several of its streams holds back only itself.
// - client role: given back as bytes come, since streams of several users share the connection, and
//   no number of slow ones may hold back another. What waits is bounded by stream_window for each
//   stream, and their number is ours to choose.
//
// Writing: what is queued in one turn of the executor goes out in one gathered write. Content is
// asked for only when the socket is about to take it, up to about 64 KiB at a time, in frames of at
// most 16 KiB. Streams of equal urgency take turns, frame by frame; a client that says so in a
// `priority` field or PRIORITY_UPDATE frame gets another order (RFC 9218).
//
// Floods (FloodGuard), sections without end and peers that break the rules end the connection with
// GOAWAY; see ending().
class Connection final : private Timer {
 public:
  // All must outlive it. Bytes may wait in the buffer already, the client's preface among them.
  Connection(ByteStream& stream, InputBuffer& input, const ConnectionSettings& settings,
             Executor& executor, ConnectionUser& user);
  // run() must have ended, or never begun. Streams that are left fail.
  ~Connection() override;

  // Until its end; then the byte stream is to be closed by the owner. Success when it ended in
  // order: shut down, idle, or ended by the peer without a stream being cut; else why it failed
  // (all its streams did, too). Cancelled: all is broken off; what can be said at once still is.
  Task<Result<void>> run();

  // Takes no new streams from now on, and ends when the last one has (section 6.8).
  void shut_down();
  // The same, if no stream is there.
  void end_if_idle();

  // Client role: how many more streams can be opened now; 0 when the connection is ending, or has
  // no stream numbers left.
  [[nodiscard]] std::size_t room() const;
  // Client role: a new stream, for one request. Nothing is sent before its send_request().
  [[nodiscard]] std::unique_ptr<Stream> open();
  // The peer's first SETTINGS have come.
  [[nodiscard]] bool settings_known() const { return settings_received_; }
  // RFC 8441, in the client role.
  [[nodiscard]] bool peer_takes_extended_connect() const;

  // Streams that are not over.
  [[nodiscard]] std::size_t streams() const { return stream_count_; }
  // No new stream can begin here.
  [[nodiscard]] bool ending_soon() const {
    return shutting_down_ || goaway_received_ || over_ || ended_;
  }
  [[nodiscard]] const Ending& ending() const { return ending_; }
  [[nodiscard]] Role role() const { return settings_->role; }

 private:
  friend class Stream;
  friend class StreamBytes;
  friend struct SessionCallbacks;
  struct SessionDeleter {
    void operator()(nghttp2_session* session) const;
  };

  // connection.cc: from beginning to end.
  void submit_settings();
  Task<Result<void>> finish(Result<void> read, Scope& scope);
  Task<void> linger();
  void end_with(ErrorCode code, std::string_view reason, Error failure);
  void break_streams(const Error& why);
  void submit_final_goaway();
  [[nodiscard]] bool finished() const;
  void settle();  // something ended: maybe the connection is to end
  void arm_timer();
  void on_timer() override;
  [[nodiscard]] TimePoint idle_due() const;
  [[nodiscard]] TimePoint next_due() const;
  void on_stream_begun() { ++stream_count_; }
  void on_stream_over();
  void detach(Stream& stream);

  // connection_io.cc: the two loops.
  Task<Result<void>> read_loop();
  static Task<void> write_loop(Connection& self);
  void receive(const Slice& bytes);
  void hand_over();
  void fill_output();
  void fail_at_once(const Error& error);
  void on_output_written();
  [[nodiscard]] bool too_much_to_say() const;
  void stop_reading();
  void wake_writer() { writer_.wake(); }

  ByteStream* stream_;
  InputBuffer* input_;
  const ConnectionSettings* settings_;
  Executor* executor_;
  ConnectionUser* user_;
  SessionMemory memory_;
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  IntrusiveList<Stream> streams_;  // those that know of the connection
  std::size_t stream_count_ = 0;   // those that have begun and are not over
  std::size_t opened_ = 0;         // those of ours that have not begun
  std::unique_ptr<Stream> decoding_request_;
  std::vector<std::unique_ptr<Stream>> arrived_;  // requests to be handed over
  FloodGuard guard_;
  StreamNumbers numbers_;  // of the server's role only
  // The streams whose `priority` came before them, the last few (RFC 9218 section 7.1).
  std::array<std::int32_t, 8> early_priorities_{};
  std::size_t early_priority_ = 0;

  Slice receiving_;  // what nghttp2 is looking at
  std::size_t frame_content_ = 0;
  ReadOp* reading_ = nullptr;
  Signal reader_;  // waits until less is to be said

  TimePoint last_content_{};  // when content of any stream last went out
  Output output_;
  IntrusiveList<Stream::WriteLink> in_output_;
  Signal writer_;
  bool read_ended_ = false;

  bool settings_received_ = false;
  bool shutting_down_ = false;
  bool final_goaway_ = false;
  std::int32_t last_taken_ = 0x7fffffff;  // the last stream that our GOAWAY owns up to
  bool goaway_received_ = false;
  bool over_ = false;   // it failed: nothing is read or begun any more
  bool ended_ = false;  // run() is through
  bool write_failed_ = false;
  Result<void> failure_;
  Ending ending_;
  TimePoint settings_due_ = kNever;
  TimePoint head_due_ = kNever;
  TimePoint drain_due_ = kNever;
  TimePoint idle_since_{};
  TimePoint heard_at_{};  // when bytes came last
  TimePoint armed_for_ = kNever;
};

}  // namespace penstock::http2
