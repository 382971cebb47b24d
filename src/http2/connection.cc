#include "http2/connection.h"

#include <algorithm>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "http2/session_callbacks.h"

namespace penstock::http2 {
namespace {

// How long a client has that sent requests before our GOAWAY reached it, if it does not answer the
// PING that follows that.
constexpr Duration kDrainNotice = std::chrono::seconds(1);
// How long, and how far, a peer is listened to after our last byte, so that its system does not
// throw that away.
constexpr Duration kLinger = std::chrono::seconds(1);
constexpr std::size_t kLingerBytes = std::size_t{1024} * 1024;
// The last number of a stream (RFC 9113 section 5.1.1).
constexpr std::uint32_t kLastStream = 0x7fffffff;

}  // namespace

void Connection::SessionDeleter::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

Connection::Connection(ByteStream& stream, InputBuffer& input, const ConnectionSettings& settings,
                       Executor& executor, ConnectionUser& user)
    : stream_(&stream),
      input_(&input),
      settings_(&settings),
      executor_(&executor),
      user_(&user),
      session_(SessionCallbacks::make_session(*this)),
      guard_(executor.now()),
      idle_since_(executor.now()) {
  submit_settings();
}

Connection::~Connection() {
  arrived_.clear();
  decoding_request_.reset();
  break_streams({.kind = ErrorKind::closed});
  streams_.for_each([this](Stream& stream) { detach(stream); });
}

void Connection::submit_settings() {
  const Settings& http2 = settings_->http2;
  const bool server = role() == Role::server;
  std::array<nghttp2_settings_entry, 5> entries{};
  std::size_t count = 0;
  const auto set = [&](std::int32_t id, std::size_t value) {
    entries[count++] = {id, static_cast<std::uint32_t>(std::min<std::size_t>(value, 0x7fffffff))};
  };
  set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, http2.stream_window);
  set(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings_->head.bytes);
  if (server) {
    set(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, http2.max_streams);
    set(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
    if (settings_->extended_connect) set(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  } else {
    set(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, entries.data(), count);
  const std::uint64_t window =
      std::max<std::uint64_t>(http2.connection_window, std::uint64_t{2} * http2.stream_window);
  nghttp2_session_set_local_window_size(
      session_.get(), NGHTTP2_FLAG_NONE, 0,
      static_cast<std::int32_t>(std::min<std::uint64_t>(window, 0x7fffffff)));
}

Task<Result<void>> Connection::run() {
  TaskContext& context = co_await this_context();
  Scope scope(context);
  settings_due_ = deadline_after(executor_->now(), settings_->settings_ack);
  arm_timer();
  scope.spawn(write_loop(*this));
  Result<void> read = co_await read_loop();
  read = co_await finish(read, scope);
  disarm();
  ended_ = true;
  if (role() == Role::client) user_->on_change();
  co_return read;
}

// What is queued still goes out, a GOAWAY among it; then the streams that are left fail.
Task<Result<void>> Connection::finish(Result<void> read, Scope& scope) {
  if (over_) read = failure_;
  hand_over();
  const bool cancelled = scope.cancelled();
  if (!over_ && (!read || stream_count_ > 0)) {
    const Error why = read ? Error{.kind = ErrorKind::closed} : read.error();
    over_ = true;
    failure_ = fail(why);
    read = failure_;
    break_streams(why);
  }
  // A client that has said goodbye may still have sent requests: so it learns that they are not
  // looked at.
  if (goaway_received_ && role() == Role::server) submit_final_goaway();
  read_ended_ = true;
  wake_writer();
  co_await scope.join();
  if (!write_failed_ && !cancelled) co_await linger();
  const Error why = read ? Error{.kind = ErrorKind::closed} : read.error();
  over_ = true;
  break_streams(why);
  co_return read;
}

Task<void> Connection::linger() {
  const TimePoint deadline = executor_->now() + kLinger;
  stream_->shutdown_write();
  for (std::size_t seen = 0; seen < kLingerBytes;) {
    input_->consume(input_->size());
    const auto got = co_await read_some(*stream_, *input_, deadline);
    if (!got || *got == 0) break;
    seen += *got;
  }
  input_->consume(input_->size());
}

// --- Streams.

std::size_t Connection::room() const {
  if (role() != Role::client || ending_soon() || over_) return 0;
  const std::uint32_t allowed =
      nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  // What a peer allows that has not said yet, and what is enough for any (RFC 9113 section 6.5.2).
  const std::size_t most = std::min<std::size_t>(allowed, settings_->http2.max_streams);
  if (nghttp2_session_get_next_stream_id(session_.get()) > kLastStream - 2 * most) return 0;
  return most - std::min(most, stream_count_ + opened_);
}

std::unique_ptr<Stream> Connection::open() {
  ++opened_;
  std::unique_ptr<Stream> stream(new Stream(*this, *executor_));
  stream->counted_as_opened_ = true;
  return stream;
}

bool Connection::peer_takes_extended_connect() const {
  return nghttp2_session_get_remote_settings(session_.get(),
                                             NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

void Connection::on_stream_over() {
  --stream_count_;
  if (stream_count_ == 0) idle_since_ = executor_->now();
  if (stream_count_ == 0 && shutting_down_ && role() == Role::client) submit_final_goaway();
  settle();
  if (role() == Role::client) user_->on_change();
}

// The stream's user has destroyed it, or the connection goes.
void Connection::detach(Stream& stream) {
  stream.unlink();
  stream.link_.unlink();
  if (stream.counted_as_opened_) --opened_;
  stream.counted_as_opened_ = false;
  if (stream.id_ != 0) nghttp2_session_set_stream_user_data(session_.get(), stream.id_, nullptr);
  stream.connection_ = nullptr;
}

void Connection::break_streams(const Error& why) {
  streams_.for_each([&why](Stream& stream) {
    if (!stream.closed_ || !stream.written()) stream.break_off(why);
  });
}

// --- The end.

void Connection::end_with(ErrorCode code, std::string_view reason, Error failure) {
  if (over_) return;
  over_ = true;
  failure_ = fail(failure);
  ending_.sent = code;
  ending_.reason = reason;
  nghttp2_session_terminate_session(session_.get(), static_cast<std::uint32_t>(code));
  break_streams(failure);
  stop_reading();
  wake_writer();
}

void Connection::shut_down() {
  if (shutting_down_ || over_ || ended_) return;
  shutting_down_ = true;
  if (role() == Role::client) {
    // Else with the last stream: requests that wait to be written would come after it.
    if (stream_count_ == 0) submit_final_goaway();
  } else {
    // Requests that are on their way are still taken, for the time a PING takes.
    nghttp2_submit_shutdown_notice(session_.get());
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
    drain_due_ = executor_->now() + kDrainNotice;
    arm_timer();
  }
  wake_writer();
}

void Connection::end_if_idle() {
  if (stream_count_ == 0 && arrived_.empty()) shut_down();
}

void Connection::submit_final_goaway() {
  if (final_goaway_ || over_) return;
  final_goaway_ = true;
  drain_due_ = kNever;
  last_taken_ = nghttp2_session_get_last_proc_stream_id(session_.get());
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last_taken_, NGHTTP2_NO_ERROR, nullptr,
                        0);
  wake_writer();
  settle();
}

bool Connection::finished() const {
  return (final_goaway_ || goaway_received_) && stream_count_ == 0 && arrived_.empty();
}

void Connection::settle() {
  if (finished()) stop_reading();
  if (stream_count_ == 0) arm_timer();
}

// --- Time.

TimePoint Connection::idle_due() const {
  if (stream_count_ > 0 || shutting_down_) return kNever;
  return deadline_after(idle_since_, settings_->idle);
}

TimePoint Connection::next_due() const {
  return std::min({settings_due_, head_due_, drain_due_, idle_due()});
}

// The timer fires at the earliest time it was armed for, and looks what is due then.
void Connection::arm_timer() {
  const TimePoint due = next_due();
  if (due == kNever || (armed() && armed_for_ <= due)) return;
  armed_for_ = due;
  executor_->timers().arm(*this, due);
}

void Connection::on_timer() {
  const TimePoint now = executor_->now();
  if (settings_due_ <= now) {
    settings_due_ = deadline_after(heard_at_, settings_->settings_ack);
  }
  if (settings_due_ <= now) {
    settings_due_ = kNever;
    end_with(ErrorCode::settings_timeout, "no answer to SETTINGS", {.kind = ErrorKind::timed_out});
  }
  if (head_due_ <= now) {
    head_due_ = kNever;
    end_with(ErrorCode::enhance_your_calm, "a field section took too long",
             {.kind = ErrorKind::timed_out});
  }
  if (drain_due_ <= now) submit_final_goaway();
  if (idle_due() <= now) {
    ending_.reason = "idle";
    shut_down();
  }
  arm_timer();
}

}  // namespace penstock::http2
