// One stream of an HTTP/2 connection: a message in each direction, or a tunnel (RFC 9113 sections 5
// and 8).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "async/stream.h"
#include "async/task.h"
#include "base/frame_pool.h"
#include "base/intrusive_list.h"
#include "http2/error_code.h"
#include "http2/field_block.h"
#include "http2/receive_queue.h"
#include "http2/signal.h"
#include "message/body.h"
#include "message/framing.h"

namespace penstock::http2 {

class Connection;
class StreamBytes;

// Told when a stream breaks: the peer reset it, or the connection ended. Called in the middle of
// the connection's work: post, cancel or mark only.
class StreamWatcher {
 public:
  virtual void on_broken(const Error& why) = 0;

 protected:
  ~StreamWatcher() = default;
};

// What the field sections that a thread's streams have got take. A few bytes may bring a large one
// (HPACK), and a connection has many streams, so they are to count as buffers do.
class HeldSections {
 public:
  HeldSections() = default;
  ~HeldSections() { total_ -= bytes_; }
  HeldSections(const HeldSections&) = delete;
  HeldSections& operator=(const HeldSections&) = delete;
  void add(const FieldBlock& section) {
    bytes_ += section.size();
    total_ += section.size();
  }
  // Bytes, of all on the calling thread.
  [[nodiscard]] static std::size_t total() { return total_; }

 private:
  inline static thread_local std::size_t total_ = 0;
  std::size_t bytes_ = 0;
};

// How a request is to be sent, beside its head.
struct RequestPseudo {
  std::string_view scheme = "https";
  std::string_view authority = {};  // empty: the value of Host; of CONNECT, the target
  std::string_view path = {};       // empty: that of the target
  // RFC 8441: the head, an upgrade of HTTP/1.1, is sent as an extended CONNECT for this protocol;
  // allowed where Connection::peer_takes_extended_connect().
  std::string_view protocol = {};
};

// Belongs to whoever uses it, and may outlive its connection: then all it does fails. Destroying it
// ends the stream: if it is not over it is reset, with CANCEL, or with NO_ERROR where the response
// to a client is complete and only the rest of its request is missing (RFC 9113 section 8.1).
//
// As a BodySource it is the content of the message received. Its errors have the side of the
// connection's peer: `reset` (the peer reset the stream, or the connection broke; retryable where
// the peer did nothing with the request: REFUSED_STREAM, or a stream above the last one of its
// GOAWAY), `protocol` (malformed, cause is a Refusal; the stream was reset with PROTOCOL_ERROR),
// `timed_out` (no byte for the connection's stall time), `closed` (the connection ended). What came
// before an error can be taken. One task may wait for input and one for output at a time.
class Stream final : public BodySource, public ListNode {
 public:
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] std::int32_t id() const { return id_; }  // 0: not begun
  // Null takes it away. Must outlive the stream, or be taken away.
  void watch(StreamWatcher* watcher) { watcher_ = watcher; }
  // Why it broke, if it did.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  // The code with which it was reset, by the peer or by us.
  [[nodiscard]] std::optional<ErrorCode> reset_code() const { return reset_code_; }
  // Ends it at once with RST_STREAM; nothing happens where it is over. Waiting tasks get `reset`.
  void reset(ErrorCode code);

  // --- What the peer sends.

  // Server role: the request's field section, complete when the stream is handed over.
  [[nodiscard]] FieldBlock& head() { return head_; }
  // The peer's message was over with its header section.
  [[nodiscard]] bool head_was_all() const { return head_was_all_; }
  // Client role: the next response head, 1xx or the final one; framing() is set with the final one.
  // Waits no longer than until `deadline`.
  Task<Result<void>> receive_response(ResponseHead& head, TimePoint deadline);
  // Server role: the framing of the request, so that the content is checked against it (section
  // 8.1.1).
  void expect(const Framing& framing);
  [[nodiscard]] const Framing& framing() const { return framing_; }
  // Content bytes that came so far.
  [[nodiscard]] std::uint64_t received() const { return received_; }

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override;
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  [[nodiscard]] FieldSection* trailers() override;

  // --- What is sent.

  // These queue a head; it goes out in this turn, with all else that is queued in it. `end`: there
  // is nothing more to send. Fields that belong to a connection are left out, whatever the head
  // has (section 8.2.2). They fail when the stream or the connection is over.
  Result<void> send_request(const RequestHead& head, const RequestPseudo& pseudo, bool end);
  Result<void> send_response(const ResponseHead& head, bool end);  // 1xx too, with `end` false
  // Sends all of the body, as the peer's windows and the socket take it, then its trailers, and
  // waits until the last byte is written. A body of another length than `framing` says is an error
  // of the other side (`protocol`). When the body fails the stream is reset with INTERNAL_ERROR,
  // and the error is the body's; errors of the stream have the side of its peer.
  Task<Result<void>> send_body(BodySource& body, Framing framing);
  // Waits until what was queued is written.
  Task<Result<void>> flush();
  // Bytes given to the connection for this stream, with their framing; of them, content.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t content_sent() const { return content_sent_; }
  // When a part of the content last went out; the clock's zero before.
  [[nodiscard]] TimePoint last_progress() const { return last_progress_; }
  // What send_body() sends does not end the stream: reset() is to say how it ends (section 8.1.1: a
  // response to a malformed request). To be said before.
  void keep_open() { keep_open_ = true; }

  // --- As a tunnel (CONNECT): after the heads, in place of bodies. Lives as long as the stream.
  [[nodiscard]] ByteStream& bytes();

 private:
  friend class Connection;
  friend class StreamBytes;
  friend struct SessionCallbacks;

  // On the connection's list while bytes of the stream are in the write under way.
  struct WriteLink final : ListNode {
    explicit WriteLink(Stream& of) : stream(&of) {}
    Stream* stream;
  };
  // What a DATA frame can be made of.
  struct Portion {
    enum class Kind : std::uint8_t { nothing, bytes, failed } kind = Kind::nothing;
    std::size_t size = 0;
    bool last = false;
  };
  // Takes the body away from the stream when the task that sends it ends.
  struct Sending;

  Stream(Connection& connection, Executor& executor);

  // What the connection does with it, told by nghttp2.
  void on_head(bool ended);
  void on_trailers();
  void on_data(Slice bytes);
  void on_end();
  void on_closed(ErrorCode code);
  void on_written();
  void on_unsendable();  // a section of it is too large
  [[nodiscard]] Portion prepare(std::size_t limit);
  void put_data(std::size_t size);  // into the connection's output
  void break_off(Error error);

  [[nodiscard]] Portion prepare_body(std::size_t limit);
  void refuse(Refusal refusal);
  void check_length();
  void drop_input();
  void wake_all();
  [[nodiscard]] Slice take_input(std::size_t limit);
  void resume_output();
  [[nodiscard]] bool written() const;
  // What send_body() ends with is not the end of the stream.
  [[nodiscard]] bool ends_later() const { return keep_open_ || trailers_follow_; }
  [[nodiscard]] bool wants_flush() const { return source_ended_ || flushing_; }
  [[nodiscard]] Error broken(ErrorKind kind) const;
  [[nodiscard]] Error lost() const;
  void send_trailers();
  [[nodiscard]] TimePoint last_moved() const;
  Task<Result<void>> wait_to_send();

  Connection* connection_;  // null when that is gone
  Executor* executor_;
  StreamWatcher* watcher_ = nullptr;
  Side side_;  // the peer's
  std::int32_t id_ = 0;
  std::optional<ErrorCode> reset_code_;
  std::optional<Error> failure_;
  bool closed_ = false;  // over for nghttp2
  bool counted_as_opened_ = false;

  bool decoding_ = false;  // a head or trailers are coming in, into head_ or trailers_
  bool head_was_all_ = false;
  bool final_head_ = false;
  bool length_known_ = false;
  bool receive_ended_ = false;
  bool head_request_ = false;     // the response to it has no content, whatever its fields say
  bool connect_request_ = false;  // what follows a 2xx is the tunnel
  FieldBlock head_;
  std::vector<FieldBlock, PoolAllocator<FieldBlock>> heads_;  // responses, not taken yet
  FieldBlock trailers_;
  HeldSections held_;
  Framing framing_;
  ReceiveQueue input_;
  std::uint64_t received_ = 0;
  Signal readable_;

  bool keep_open_ = false;
  bool send_ended_ = false;       // nothing follows what is queued
  bool deferred_ = false;         // nghttp2 waits for resume_output()
  bool source_wanted_ = false;    // the body has nothing ready: its next bytes are to be waited for
  bool source_ended_ = false;     // its last byte is in a DATA frame
  bool source_mismatch_ = false;  // it can't be sent: it is not as long as it was said to be
  bool trailers_follow_ = false;
  bool flushing_ = false;
  std::uint32_t heads_queued_ = 0;
  BodySource* source_ = nullptr;
  Framing source_framing_;
  ReceiveQueue output_;
  std::uint64_t sent_ = 0;
  std::uint64_t content_sent_ = 0;
  TimePoint last_progress_{};
  Signal writable_;
  WriteLink link_{*this};
  std::unique_ptr<StreamBytes> bytes_;
};

}  // namespace penstock::http2
