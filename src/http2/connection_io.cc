// The two loops of a connection: what comes in goes through nghttp2 to the streams, and what they
// have to say goes out.
#include <utility>

#include <nghttp2/nghttp2.h>

#include "async/sleep.h"
#include "http2/connection.h"

namespace penstock::http2 {
namespace {

// Frames that wait to be sent (answers to PING and SETTINGS, resets, heads) while the peer takes
// none: beyond that it is not listened to.
constexpr std::size_t kFramesWaiting = 512;
// After so many reads without having to wait, the others on this thread have their turn.
constexpr unsigned kReadsATurn = 16;
// A read that brought so much is followed by more, likely.
constexpr std::size_t kLargeRead = 4 * 1000;
// How long a peer that is being left may go without taking our last bytes.
constexpr Duration kLastWords = std::chrono::seconds(5);

Error error_of_codec(int code) {
  switch (code) {
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
    case NGHTTP2_ERR_NOMEM:
      return {.kind = ErrorKind::limit};
    default:
      return {.kind = ErrorKind::protocol};
  }
}

std::string_view reason_of_codec(int code) {
  switch (code) {
    case NGHTTP2_ERR_FLOODED:
      return "too many frames to be answered";
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
      return "too many CONTINUATION frames";
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
      return "no HTTP/2 preface";
    default:
      return "not understood";
  }
}

}  // namespace

// --- In.

void Connection::stop_reading() {
  reader_.wake();
  if (reading_ == nullptr) return;
  ReadOp& read = *std::exchange(reading_, nullptr);
  if (!read.linked()) return;  // complete already: its task goes on in this turn
  stream_->forget(read);
  read.complete(fail(ErrorKind::cancelled));
}

bool Connection::too_much_to_say() const {
  return nghttp2_session_get_outbound_queue_size(session_.get()) > kFramesWaiting;
}

void Connection::receive(const Slice& bytes) {
  receiving_ = bytes;
  const ssize_t used = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  receiving_ = Slice();
  if (used < 0 && !over_) {
    const auto code = static_cast<int>(used);
    const Error error = error_of_codec(code);
    end_with(
        error.kind == ErrorKind::limit ? ErrorCode::enhance_your_calm : ErrorCode::protocol_error,
        reason_of_codec(code), error);
  }
}

// Requests begin when nghttp2 is through: their tasks may do anything.
void Connection::hand_over() {
  if (arrived_.empty()) return;
  // Nothing arrives while they begin: that takes another read.
  for (std::unique_ptr<Stream>& stream : arrived_) {
    if (!over_) user_->on_request(std::move(stream));
  }
  arrived_.clear();
}

Task<Result<void>> Connection::read_loop() {
  std::size_t last_read = 0;
  for (unsigned reads = 1; !over_ && !write_failed_ && !finished(); ++reads) {
    if (too_much_to_say()) {
      const auto waited = co_await reader_.wait();
      if (!waited) co_return waited;
      continue;
    }
    if (input_->empty()) {
      if (reads % kReadsATurn == 0) co_await yield_turn();
      input_->expect(last_read >= kLargeRead ? kLargeSlab : 0);
      ReadOp read = read_some(*stream_, *input_, kNever);
      reading_ = &read;
      const auto got = co_await read;
      reading_ = nullptr;
      if (over_ || write_failed_ || finished()) break;
      if (!got) co_return fail(got.error());
      if (*got == 0) break;
      last_read = *got;
      heard_at_ = executor_->now();
    }
    receive(input_->take(input_->size()));
    hand_over();
    wake_writer();
  }
  co_return Result<void>{};
}

// --- Out.

// Nothing more can be said.
void Connection::fail_at_once(const Error& error) {
  if (!over_) {
    over_ = true;
    failure_ = fail(error);
    break_streams(error);
  }
  stop_reading();
}

void Connection::fill_output() {
  while (output_.size() < kOutputBytes) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
    if (size < 0) return fail_at_once(error_of_codec(static_cast<int>(size)));
    if (size == 0) break;
    output_.put(
        std::string_view(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)));
  }
}

void Connection::on_output_written() {
  output_.clear();
  while (!in_output_.empty()) in_output_.pop_front().stream->on_written();
  if (!too_much_to_say()) reader_.wake();
}

Task<void> Connection::write_loop(Connection& self) {
  while (true) {
    self.fill_output();
    if (self.output_.empty()) {
      if (self.read_ended_) co_return;
      const auto woken = co_await self.writer_.wait();
      if (!woken) co_return;
      continue;
    }
    const Duration stall = self.over_ || self.read_ended_
                               ? std::min<Duration>(self.settings_->stall, kLastWords)
                               : self.settings_->stall;
    const auto written =
        co_await write_all(*self.stream_, self.output_.parts(), self.executor_->now(), stall);
    if (!written) {
      self.write_failed_ = true;
      self.fail_at_once(written.error());
      co_return;
    }
    self.on_output_written();
    self.settle();
  }
}

}  // namespace penstock::http2
