// A stream's life, and what it receives.
#include "http2/stream.h"

#include <limits>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "http2/connection.h"
#include "http2/stream_bytes.h"
#include "message/status.h"

namespace penstock::http2 {
namespace {
// Response heads that wait to be taken; all but one are informational.
constexpr std::size_t kHeadsWaiting = 16;
}  // namespace

Stream::Stream(Connection& connection, Executor& executor)
    : connection_(&connection),
      executor_(&executor),
      side_(connection.role() == Role::server ? Side::client : Side::server),
      head_(connection.role() == Role::server ? FieldBlock::Kind::request
                                              : FieldBlock::Kind::response) {
  connection.streams_.push_back(*this);
}

Stream::~Stream() {
  if (connection_ == nullptr) return;
  watcher_ = nullptr;
  const bool answered = side_ == Side::client && send_ended_ && written();
  reset(answered ? ErrorCode::no_error : ErrorCode::cancel);
  drop_input();
  connection_->detach(*this);
}

// What waited here is as good as taken.
void Stream::drop_input() {
  if (connection_ != nullptr && side_ == Side::client && !input_.empty()) {
    nghttp2_session_consume_connection(connection_->session_.get(), input_.size());
    connection_->wake_writer();
  }
  input_.clear();
}

void Stream::reset(ErrorCode code) {
  if (connection_ == nullptr || closed_ || reset_code_) return;
  reset_code_ = code;
  if (id_ != 0) {
    nghttp2_submit_rst_stream(connection_->session_.get(), NGHTTP2_FLAG_NONE, id_,
                              static_cast<std::uint32_t>(code));
    connection_->wake_writer();
  }
  if (!failure_) failure_ = broken(ErrorKind::reset);
  wake_all();
}

Error Stream::broken(ErrorKind kind) const { return {.kind = kind, .side = side_}; }

Error Stream::lost() const { return failure_.value_or(broken(ErrorKind::closed)); }

void Stream::wake_all() {
  readable_.wake();
  writable_.wake();
  if (bytes_) bytes_->on_change();
}

void Stream::break_off(Error error) {
  if (failure_) return;
  failure_ = error.at(side_);
  wake_all();
  if (watcher_ != nullptr) watcher_->on_broken(*failure_);
}

// RFC 9113 section 8.1.1.
void Stream::refuse(Refusal refusal) {
  receive_ended_ = false;
  drop_input();
  if (failure_) return;
  Error error = broken(ErrorKind::protocol);
  error.cause = static_cast<int>(refusal);
  failure_ = error;
  reset(ErrorCode::protocol_error);
  if (watcher_ != nullptr) watcher_->on_broken(error);
}

void Stream::on_closed(ErrorCode code) {
  const bool complete =
      code == ErrorCode::no_error && receive_ended_ && send_ended_ && heads_queued_ == 0;
  closed_ = true;
  heads_queued_ = 0;
  if (complete) return;
  if (!reset_code_) reset_code_ = code;
  Error error = broken(ErrorKind::reset);
  error.retryable = code == ErrorCode::refused_stream;
  break_off(error);
}

// --- The peer's message.

void Stream::on_head(bool ended) {
  const int status = head_.status();
  const bool informational = is_informational(status) && head_.refusal() == Refusal::none;
  if (informational && ended) return refuse(Refusal::pseudo_field_malformed);
  if (heads_.size() >= kHeadsWaiting) {
    reset(ErrorCode::enhance_your_calm);
    return;
  }
  if (!informational) {
    final_head_ = true;
    head_was_all_ = ended;
    const bool tunnel = connect_request_ && status >= 200 && status < 300;
    const bool empty = head_request_ || never_has_content(status);
    const auto framing = message_framing(head_.fields(), ended && !empty);
    if (!framing && head_.refusal() == Refusal::none) return refuse(framing.error());
    if (tunnel) {
      framing_ = {.kind = BodyKind::chunked};
    } else if (framing && !empty) {
      framing_ = *framing;
    }
    length_known_ = true;
  }
  heads_.push_back(std::move(head_));
  readable_.wake();
}

Task<Result<void>> Stream::receive_response(ResponseHead& head, TimePoint deadline) {
  while (heads_.empty()) {
    if (failure_ || connection_ == nullptr) co_return fail(lost());
    const auto waited = co_await readable_.wait(deadline);
    if (!waited) co_return fail(waited.error().at(side_));
  }
  FieldBlock block = std::move(heads_.front());
  heads_.erase(heads_.begin());
  const Refusal refusal = make_response(block, head);
  if (refusal == Refusal::none) co_return Result<void>{};
  refuse(refusal);
  Error error = broken(ErrorKind::protocol);
  error.cause = static_cast<int>(refusal);
  co_return fail(error);
}

void Stream::expect(const Framing& framing) {
  framing_ = framing;
  length_known_ = true;
  check_length();
}

void Stream::check_length() {
  if (!length_known_ || framing_.kind == BodyKind::chunked || failure_) return;
  const bool wrong =
      received_ > framing_.length ||
      (receive_ended_ && received_ != framing_.length && framing_.kind == BodyKind::length);
  if (wrong) refuse(Refusal::content_length_mismatch);
}

void Stream::on_data(Slice bytes) {
  // Content without a response to it.
  if (side_ == Side::server && !final_head_) return refuse(Refusal::pseudo_field_malformed);
  received_ += bytes.size();
  // Who waits for it takes it in this turn.
  if (readable_.waited_for()) {
    input_.push(std::move(bytes));
  } else {
    input_.push_compact(std::move(bytes));
  }
  check_length();
  readable_.wake();
  if (bytes_) bytes_->on_change();
}

void Stream::on_trailers() {
  if (trailers_.refusal() != Refusal::none) refuse(trailers_.refusal());
}

void Stream::on_end() {
  receive_ended_ = true;
  check_length();
  readable_.wake();
  if (bytes_) bytes_->on_change();
}

Slice Stream::take_ready() { return take_input(std::numeric_limits<std::size_t>::max()); }

Slice Stream::take_input(std::size_t limit) {
  Slice slice = input_.pop(limit);
  if (slice.empty() || connection_ == nullptr) return slice;
  nghttp2_session* const session = connection_->session_.get();
  if (side_ == Side::client) {
    nghttp2_session_consume(session, id_, slice.size());
  } else {
    nghttp2_session_consume_stream(session, id_, slice.size());
  }
  if (nghttp2_session_get_outbound_queue_size(session) > 0) connection_->wake_writer();
  return slice;
}

Task<Result<Slice>> Stream::next() {
  while (true) {
    Slice slice = take_ready();
    if (!slice.empty() || receive_ended_) co_return slice;
    if (failure_ || connection_ == nullptr) co_return fail(lost());
    const auto waited =
        co_await readable_.wait(deadline_after(executor_->now(), connection_->settings_->stall));
    if (!waited) co_return fail(waited.error().at(side_));
  }
}

bool Stream::at_end() const { return receive_ended_ && input_.empty(); }

std::optional<std::uint64_t> Stream::remaining() const {
  if (receive_ended_) return input_.size();
  if (framing_.kind == BodyKind::length) return framing_.length - received_ + input_.size();
  return std::nullopt;
}

FieldSection* Stream::trailers() {
  return trailers_.fields().empty() ? nullptr : &trailers_.fields();
}

}  // namespace penstock::http2
