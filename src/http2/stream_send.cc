// What a stream sends.
#include <algorithm>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "http2/connection.h"
#include "http2/name_values.h"
#include "http2/session_callbacks.h"
#include "http2/stream.h"
#include "http2/stream_bytes.h"

namespace penstock::http2 {
namespace {
Side opposite(Side side) { return side == Side::client ? Side::server : Side::client; }
}  // namespace

struct Stream::Sending {
  explicit Sending(Stream& of) : stream(&of) {}
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  ~Sending() {
    stream->source_ = nullptr;
    stream->output_.clear();
  }
  Stream* stream;
};

// --- Heads.

Result<void> Stream::send_request(const RequestHead& head, const RequestPseudo& pseudo, bool end) {
  if (failure_ || connection_ == nullptr || connection_->over_) return fail(lost());
  head_request_ = head.method == Method::head;
  connect_request_ = head.method == Method::connect || !pseudo.protocol.empty();
  const NameValues lines(head, pseudo);
  nghttp2_session* const session = connection_->session_.get();
  // A peer that gets more than it said it takes may end the connection, with all of its streams.
  const std::size_t most = std::min<std::size_t>(
      kLargestHead,
      nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE));
  if (lines.list_size() > most) {
    const auto cause = static_cast<int>(Refusal::head_too_large);
    return fail({ErrorKind::protocol, opposite(side_), false, cause});
  }
  const nghttp2_data_provider provider = SessionCallbacks::provider();
  const std::int32_t id = nghttp2_submit_request(session, nullptr, lines.data(), lines.size(),
                                                 end ? nullptr : &provider, this);
  if (counted_as_opened_) --connection_->opened_;
  counted_as_opened_ = false;
  if (id < 0) {
    Error error = broken(ErrorKind::unavailable);
    error.retryable = true;
    failure_ = error;
    return fail(error);
  }
  id_ = id;
  send_ended_ = end;
  ++heads_queued_;
  connection_->on_stream_begun();
  connection_->wake_writer();
  return {};
}

Result<void> Stream::send_response(const ResponseHead& head, bool end) {
  if (failure_ || closed_ || connection_ == nullptr) return fail(lost());
  const NameValues lines(head);
  if (lines.list_size() > kLargestHead) return fail({ErrorKind::limit, opposite(side_)});
  nghttp2_session* const session = connection_->session_.get();
  int submitted = 0;
  if (head.status < 200) {
    submitted = nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, id_, nullptr, lines.data(),
                                       lines.size(), nullptr);
  } else {
    const nghttp2_data_provider provider = SessionCallbacks::provider();
    submitted = nghttp2_submit_response(session, id_, lines.data(), lines.size(),
                                        end ? nullptr : &provider);
  }
  if (submitted != 0) return fail(broken(ErrorKind::overloaded));
  send_ended_ = end;
  ++heads_queued_;
  connection_->wake_writer();
  return {};
}

void Stream::send_trailers() {
  const NameValues lines = NameValues::of_trailers(*source_->trailers());
  if (nghttp2_submit_trailer(connection_->session_.get(), id_, lines.data(), lines.size()) == 0) {
    ++heads_queued_;
  }
}

// --- Content.

void Stream::resume_output() {
  if (connection_ == nullptr || !deferred_ || closed_) return;
  deferred_ = false;
  nghttp2_session_resume_data(connection_->session_.get(), id_);
  connection_->wake_writer();
}

Stream::Portion Stream::prepare(std::size_t limit) {
  if (failure_) return {.kind = Portion::Kind::failed};
  if (bytes_) return bytes_->prepare(limit);
  if (source_ == nullptr || source_wanted_) return {};
  return prepare_body(limit);
}

Stream::Portion Stream::prepare_body(std::size_t limit) {
  while (output_.size() < limit) {
    Slice piece = source_->take_ready();
    if (piece.empty()) break;
    output_.push(std::move(piece));
  }
  const std::size_t size = std::min(output_.size(), limit);
  const bool last = size == output_.size() && source_->at_end();
  if (size == 0 && !last) {
    source_wanted_ = true;
    writable_.wake();
    return {};
  }
  const std::uint64_t so_far = content_sent_ + size;
  if (source_framing_.kind == BodyKind::length &&
      (so_far > source_framing_.length || (last && so_far != source_framing_.length))) {
    source_mismatch_ = true;
    writable_.wake();
    return {};
  }
  if (last) {
    source_ended_ = true;
    const FieldSection* const trailers = source_->trailers();
    trailers_follow_ = !keep_open_ && trailers != nullptr && !trailers->empty();
    if (trailers_follow_) send_trailers();
    send_ended_ = !keep_open_;
    // A body that ends with nothing more to send has no DATA frame to be told of.
    if (size == 0) writable_.wake();
  }
  return {.kind = Portion::Kind::bytes, .size = size, .last = last};
}

void Stream::put_data(std::size_t size) {
  sent_ += size + kFrameHead;
  last_progress_ = executor_->now();
  connection_->last_content_ = last_progress_;
  if (!link_.linked()) connection_->in_output_.push_back(link_);
  if (bytes_) return bytes_->put(size, connection_->output_);
  content_sent_ += size;
  while (size > 0) {
    Slice piece = output_.pop(size);
    size -= piece.size();
    connection_->output_.put(std::move(piece));
  }
}

bool Stream::written() const {
  const bool end_waits = bytes_ && bytes_->we_ended_ && !send_ended_;
  return heads_queued_ == 0 && !link_.linked() && !end_waits;
}

void Stream::on_written() {
  if (wants_flush()) writable_.wake();
}

// Without this the message would look as if it had been sent.
void Stream::on_unsendable() {
  source_mismatch_ = true;
  reset(ErrorCode::internal_error);
}

Task<Result<void>> Stream::send_body(BodySource& body, Framing framing) {
  const Sending sending(*this);
  source_ = &body;
  source_framing_ = framing;
  last_progress_ = executor_->now();
  resume_output();
  while (source_mismatch_ || !source_ended_ || !written()) {
    if (source_mismatch_) {
      reset(ErrorCode::internal_error);
      co_return fail({.kind = ErrorKind::protocol, .side = opposite(side_)});
    }
    if (failure_ || connection_ == nullptr) co_return fail(lost());
    if (source_wanted_) {
      auto piece = co_await body.next();
      source_wanted_ = false;
      last_progress_ = executor_->now();
      if (!piece) {
        if (piece.error().kind != ErrorKind::cancelled) reset(ErrorCode::internal_error);
        co_return fail(piece.error());
      }
      output_.push(std::move(*piece));
      resume_output();
    } else {
      const auto waited = co_await wait_to_send();
      if (!waited) co_return waited;
    }
  }
  co_return Result<void>{};
}

// When something last moved, for whoever waits to send. Where the peer would take more of this
// stream, it is only that others have their turn, as their priorities may say for long.
TimePoint Stream::last_moved() const {
  const bool open =
      nghttp2_session_get_stream_remote_window_size(connection_->session_.get(), id_) > 0;
  return open ? std::max(last_progress_, connection_->last_content_) : last_progress_;
}

// Until there is something to do for the one who sends. The peer's window or the socket may be why
// nothing moves: not for longer than the stall time.
Task<Result<void>> Stream::wait_to_send() {
  const Duration stall = connection_->settings_->stall;
  TimePoint deadline = deadline_after(last_progress_, stall);
  while (true) {
    const auto waited = co_await writable_.wait(deadline);
    if (waited) co_return waited;
    if (waited.error().kind == ErrorKind::cancelled) co_return fail(waited.error().at(side_));
    deadline = deadline_after(last_moved(), stall);
    if (deadline > executor_->now()) continue;
    reset(ErrorCode::cancel);
    co_return fail(broken(ErrorKind::timed_out));
  }
}

Task<Result<void>> Stream::flush() {
  flushing_ = true;
  last_progress_ = executor_->now();
  Result<void> result;
  while (result && !written()) {
    if (failure_ || connection_ == nullptr) {
      result = fail(lost());
    } else {
      result = co_await wait_to_send();
    }
  }
  flushing_ = false;
  co_return result;
}

ByteStream& Stream::bytes() {
  if (!bytes_) {
    bytes_ = std::make_unique<StreamBytes>(*this);
    resume_output();
  }
  return *bytes_;
}

}  // namespace penstock::http2
