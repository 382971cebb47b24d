#include "http2/session_callbacks.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "http2/connection.h"
#include "http2/name_values.h"
#include "http2/output.h"
#include "http2/priority.h"
#include "http2/stream.h"

namespace penstock::http2 {
namespace {

// CONTINUATION frames of one section, each of up to 16 KiB: at least so many, and twice as many as
// the largest section needs.
constexpr std::size_t kContinuations = 8;
constexpr std::size_t kBytesForContinuation = std::size_t{8} * 1024;
// Entries in one SETTINGS frame.
constexpr std::size_t kSettingsEntries = 32;

Connection& connection_of(void* user) { return *static_cast<Connection*>(user); }

Stream* stream_of(nghttp2_session* session, std::int32_t id) {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

struct OptionDeleter {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
using Options = std::unique_ptr<nghttp2_option, OptionDeleter>;

struct CallbacksDeleter {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};
using Callbacks = std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter>;

Options make_options(const FieldLimits& limits) {
  nghttp2_option* made = nullptr;
  PENSTOCK_CHECK(nghttp2_option_new(&made) == 0);
  Options options(made);
  nghttp2_option_set_no_auto_window_update(made, 1);
  // What a message has to be is looked at here (field_block.cc, Stream), where a request that is
  // malformed can be answered and logged.
  nghttp2_option_set_no_http_messaging(made, 1);
  nghttp2_option_set_no_closed_streams(made, 1);
  nghttp2_option_set_max_continuations(
      made, std::max(kContinuations, limits.bytes / kBytesForContinuation));
  nghttp2_option_set_max_send_header_block_length(made, kLargestHead);
  nghttp2_option_set_max_settings(made, kSettingsEntries);
  // FloodGuard counts resets; this is only not to be in its way.
  nghttp2_option_set_stream_reset_rate_limit(made, 2 * FloodGuard::kFrames, FloodGuard::kFrames);
  nghttp2_option_set_builtin_recv_extension_type(made, NGHTTP2_PRIORITY_UPDATE);
  return options;
}

Callbacks make_callbacks() {
  nghttp2_session_callbacks* made = nullptr;
  PENSTOCK_CHECK(nghttp2_session_callbacks_new(&made) == 0);
  Callbacks callbacks(made);
  nghttp2_session_callbacks_set_on_begin_frame_callback(made, SessionCallbacks::on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(made, SessionCallbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(made, SessionCallbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, SessionCallbacks::on_data_chunk);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, SessionCallbacks::on_frame_recv);
  nghttp2_session_callbacks_set_on_frame_send_callback(made, SessionCallbacks::on_frame_send);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(made,
                                                           SessionCallbacks::on_frame_not_send);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, SessionCallbacks::on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(made, SessionCallbacks::send_data);
  return callbacks;
}

bool is_peers_fault(std::uint32_t code) {
  switch (code) {
    case NGHTTP2_PROTOCOL_ERROR:
    case NGHTTP2_FLOW_CONTROL_ERROR:
    case NGHTTP2_STREAM_CLOSED:
    case NGHTTP2_FRAME_SIZE_ERROR:
    case NGHTTP2_REFUSED_STREAM:
      return true;
    default:
      return false;
  }
}

bool is_idle_talk(const nghttp2_frame_hd& head) {
  switch (head.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:  // bounded in number and size
    case NGHTTP2_DATA:          // looked at when it is complete
      return false;
    default:
      return true;
  }
}

}  // namespace

nghttp2_session* SessionCallbacks::make_session(Connection& connection) {
  const Options options = make_options(connection.settings_->head);
  const Callbacks callbacks = make_callbacks();
  nghttp2_session* session = nullptr;
  const auto make =
      connection.role() == Role::server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  nghttp2_mem memory = connection.memory_.functions();
  PENSTOCK_CHECK(make(&session, callbacks.get(), &connection, options.get(), &memory) == 0);
  connection.memory_.close_slot();
  return session;
}

// The stream may be gone when it is asked: it is looked up by its number.
nghttp2_data_provider SessionCallbacks::provider() {
  return {.source = {.ptr = nullptr}, .read_callback = read_data};
}

// --- Received.

int SessionCallbacks::flooded(Connection& connection) {
  connection.end_with(ErrorCode::enhance_your_calm, "too many frames without content",
                      {.kind = ErrorKind::limit});
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int SessionCallbacks::on_begin_frame(nghttp2_session* session, const nghttp2_frame_hd* head,
                                     void* user) {
  Connection& connection = connection_of(user);
  const TimePoint now = connection.executor_->now();
  connection.frame_content_ = 0;
  // Whatever became of the section before, it is over.
  if (head->type != NGHTTP2_CONTINUATION) connection.head_due_ = kNever;
  // Never allowed by our SETTINGS, which come before any request that could be answered with it
  // (RFC 9113 section 6.6); a server need not have said that it has seen them.
  if (head->type == NGHTTP2_PUSH_PROMISE) {
    connection.end_with(ErrorCode::protocol_error, "PUSH_PROMISE", {.kind = ErrorKind::protocol});
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  if (is_idle_talk(*head) && !connection.guard_.on_idle_frame(now)) return flooded(connection);
  if (head->type == NGHTTP2_RST_STREAM && connection.role() == Role::server &&
      nghttp2_session_find_stream(session, head->stream_id) != nullptr &&
      !connection.guard_.on_reset(now)) {
    connection.end_with(ErrorCode::enhance_your_calm, "too many streams reset",
                        {.kind = ErrorKind::limit});
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  return check_number(connection, *head);
}

// What nghttp2 skips without a word, so that a client would wait for ever.
int SessionCallbacks::check_number(Connection& connection, const nghttp2_frame_hd& head) {
  const auto id = static_cast<std::uint32_t>(head.stream_id);
  std::string_view problem;
  if (head.type == NGHTTP2_PRIORITY && id == 0) {
    problem = "PRIORITY of no stream";
  } else if (head.type == NGHTTP2_HEADERS && connection.role() == Role::server && id % 2 == 1 &&
             !connection.numbers_.on_headers(id)) {
    problem = "a stream with a lower number than one before";
  }
  if (problem.empty()) return 0;
  connection.end_with(ErrorCode::protocol_error, problem, {.kind = ErrorKind::protocol});
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int SessionCallbacks::on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame,
                                       void* user) {
  Connection& connection = connection_of(user);
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  connection.head_due_ =
      deadline_after(connection.executor_->now(), connection.settings_->head_time);
  connection.arm_timer();
  Stream* stream = stream_of(session, frame->hd.stream_id);
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    connection.on_stream_begun();
    std::unique_ptr<Stream> made(new Stream(connection, *connection.executor_));
    stream = made.get();
    stream->id_ = frame->hd.stream_id;
    stream->head_ = FieldBlock(FieldBlock::Kind::request);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    connection.decoding_request_ = std::move(made);
  }
  if (stream == nullptr) return 0;
  stream->decoding_ = true;
  if (connection.role() == Role::client && !stream->final_head_) {
    stream->head_ = FieldBlock(FieldBlock::Kind::response);
  } else if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
    stream->trailers_ = FieldBlock(FieldBlock::Kind::trailers);
  }
  return 0;
}

int SessionCallbacks::on_header(nghttp2_session* session, const nghttp2_frame* frame,
                                const std::uint8_t* name, std::size_t name_size,
                                const std::uint8_t* value, std::size_t value_size,
                                std::uint8_t /*flags*/, void* user) {
  Connection& connection = connection_of(user);
  Stream* const stream = stream_of(session, frame->hd.stream_id);
  if (stream == nullptr) return 0;
  const bool head = connection.role() == Role::client ? !stream->final_head_
                                                      : frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  FieldBlock& block = head ? stream->head_ : stream->trailers_;
  if (block.add(text_of(name, name_size), text_of(value, value_size), connection.settings_->head)) {
    return 0;
  }
  connection.end_with(ErrorCode::enhance_your_calm, "a field section is far too large",
                      {.kind = ErrorKind::limit});
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int SessionCallbacks::on_data_chunk(nghttp2_session* session, std::uint8_t /*flags*/,
                                    std::int32_t id, const std::uint8_t* data, std::size_t size,
                                    void* user) {
  Connection& connection = connection_of(user);
  connection.frame_content_ += size;
  Stream* const stream = stream_of(session, id);
  const bool wanted = stream != nullptr && !stream->failure_;
  if (!wanted || connection.role() == Role::client) {
    nghttp2_session_consume_connection(session, size);
  }
  if (wanted) stream->on_data(Slice(connection.receiving_.owner(), text_of(data, size)));
  return 0;
}

void SessionCallbacks::set_priority(Connection& connection, Stream& stream) {
  const std::string_view field = stream.head_.priority();
  const bool updated = std::ranges::find(connection.early_priorities_, stream.id_) !=
                       connection.early_priorities_.end();
  if (updated) return;
  // Who says nothing gets its share of the connection, frame by frame.
  const Priority priority = field.empty() ? Priority{.incremental = true} : parse_priority(field);
  const nghttp2_extpri wanted{.urgency = priority.urgency, .inc = priority.incremental ? 1 : 0};
  nghttp2_session_change_extpri_stream_priority(connection.session_.get(), stream.id_, &wanted, 0);
}

void SessionCallbacks::on_request_complete(Connection& connection, Stream& stream) {
  set_priority(connection, stream);
  if (connection.decoding_request_.get() != &stream) return;
  // It came before our GOAWAY went out, which says that nothing was done with it: the client may
  // send it again elsewhere. nghttp2 closes it then.
  if (stream.id_ > connection.last_taken_) return stream.break_off({.kind = ErrorKind::closed});
  connection.arrived_.push_back(std::move(connection.decoding_request_));
}

void SessionCallbacks::on_headers_complete(Connection& connection, const nghttp2_frame& frame) {
  connection.head_due_ = kNever;
  connection.guard_.on_useful_frame();
  Stream* const stream = stream_of(connection.session_.get(), frame.hd.stream_id);
  if (stream == nullptr) return;
  const bool ended = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  stream->decoding_ = false;
  const bool request = connection.role() == Role::server;
  const bool head = request ? frame.headers.cat == NGHTTP2_HCAT_REQUEST : !stream->final_head_;
  stream->held_.add(head ? stream->head_ : stream->trailers_);
  if (head && request) {
    stream->head_was_all_ = ended;
    on_request_complete(connection, *stream);
  } else if (head) {
    stream->on_head(ended);
  } else if (!ended) {
    return stream->refuse(Refusal::trailer_malformed);  // RFC 9113 section 8.1
  } else {
    stream->on_trailers();
  }
  if (ended && !stream->failure_) stream->on_end();
}

void SessionCallbacks::on_settings(Connection& connection, const nghttp2_frame& frame) {
  if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) {
    connection.settings_due_ = kNever;
    return;
  }
  connection.settings_received_ = true;
  if (connection.role() == Role::client) connection.user_->on_change();
}

void SessionCallbacks::on_goaway(Connection& connection, const nghttp2_frame& frame) {
  connection.goaway_received_ = true;
  connection.ending_.received = static_cast<ErrorCode>(frame.goaway.error_code);
  if (connection.role() == Role::client) connection.user_->on_change();
}

void SessionCallbacks::note_priority_update(Connection& connection, const nghttp2_frame& frame) {
  const auto* const update = static_cast<nghttp2_ext_priority_update*>(frame.ext.payload);
  if (stream_of(connection.session_.get(), update->stream_id) != nullptr) return;
  connection.early_priorities_[connection.early_priority_] = update->stream_id;
  connection.early_priority_ =
      (connection.early_priority_ + 1) % connection.early_priorities_.size();
}

int SessionCallbacks::on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame,
                                    void* user) {
  Connection& connection = connection_of(user);
  const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      on_headers_complete(connection, *frame);
      break;
    case NGHTTP2_DATA:
      if (connection.frame_content_ > 0) {
        connection.guard_.on_useful_frame();
      } else if (!ended && !connection.guard_.on_idle_frame(connection.executor_->now())) {
        return flooded(connection);
      }
      if (ended) {
        Stream* const stream = stream_of(session, frame->hd.stream_id);
        if (stream != nullptr && !stream->failure_) stream->on_end();
      }
      break;
    case NGHTTP2_SETTINGS:
      on_settings(connection, *frame);
      break;
    case NGHTTP2_PING:
      // Ours is the one that measures how far a GOAWAY has come.
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && connection.shutting_down_) {
        connection.submit_final_goaway();
      }
      break;
    case NGHTTP2_GOAWAY:
      on_goaway(connection, *frame);
      break;
    case NGHTTP2_PRIORITY_UPDATE:
      note_priority_update(connection, *frame);
      break;
    default:
      break;
  }
  return 0;
}

// --- Sent.

int SessionCallbacks::on_frame_send(nghttp2_session* session, const nghttp2_frame* frame,
                                    void* user) {
  Connection& connection = connection_of(user);
  if (frame->hd.type == NGHTTP2_HEADERS) {
    Stream* const stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    --stream->heads_queued_;
    stream->sent_ += frame->hd.length + kFrameHead;
    if (!stream->link_.linked()) connection.in_output_.push_back(stream->link_);
  } else if (frame->hd.type == NGHTTP2_RST_STREAM && connection.role() == Role::server) {
    // Work may have begun for it, and ended for a fault of the client's: as bad as its own reset.
    if (is_peers_fault(frame->rst_stream.error_code) &&
        !connection.guard_.on_reset(connection.executor_->now())) {
      connection.end_with(ErrorCode::enhance_your_calm, "too many streams reset",
                          {.kind = ErrorKind::limit});
    }
  } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
    // Mostly the codec's own: the peer broke the rules of framing.
    const auto code = static_cast<ErrorCode>(frame->goaway.error_code);
    connection.end_with(code, to_string(code), {.kind = ErrorKind::protocol});
  }
  return 0;
}

int SessionCallbacks::on_frame_not_send(nghttp2_session* session, const nghttp2_frame* frame,
                                        int error, void* /*user*/) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  Stream* const stream = stream_of(session, frame->hd.stream_id);
  if (stream == nullptr) return 0;
  --stream->heads_queued_;
  // Other errors are of streams that are over.
  if (error == NGHTTP2_ERR_FRAME_SIZE_ERROR) stream->on_unsendable();
  return 0;
}

int SessionCallbacks::on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t code,
                                      void* user) {
  Connection& connection = connection_of(user);
  Stream* const stream = stream_of(session, id);
  if (stream != nullptr) stream->on_closed(static_cast<ErrorCode>(code));
  connection.on_stream_over();
  return 0;
}

ssize_t SessionCallbacks::read_data(nghttp2_session* session, std::int32_t id,
                                    std::uint8_t* /*buffer*/, std::size_t limit,
                                    std::uint32_t* flags, nghttp2_data_source* /*source*/,
                                    void* user) {
  Stream* const stream = stream_of(session, id);
  if (stream == nullptr) return NGHTTP2_ERR_DEFERRED;  // its reset is queued
  Connection& connection = connection_of(user);
  const std::size_t room = kOutputBytes - std::min(kOutputBytes, connection.output_.size());
  if (room == 0) return NGHTTP2_ERR_PAUSE;
  const Stream::Portion portion = stream->prepare(limit);
  switch (portion.kind) {
    case Stream::Portion::Kind::nothing:
      stream->deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    case Stream::Portion::Kind::failed:
      return NGHTTP2_ERR_DEFERRED;
    case Stream::Portion::Kind::bytes:
      break;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (portion.last) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->ends_later()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(portion.size);
}

int SessionCallbacks::send_data(nghttp2_session* /*session*/, nghttp2_frame* frame,
                                const std::uint8_t* head, std::size_t size,
                                nghttp2_data_source* /*source*/, void* user) {
  Connection& connection = connection_of(user);
  Stream* const stream = stream_of(connection.session_.get(), frame->hd.stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  connection.output_.put(text_of(head, kFrameHead));
  stream->put_data(size);
  connection.guard_.on_useful_frame();
  return connection.output_.size() >= kOutputBytes ? NGHTTP2_ERR_PAUSE : 0;
}

}  // namespace penstock::http2
