#include "tls/stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace penstock {
namespace {

// Bytes a peer may send without application data among them. Session tickets and key updates are
// small and few; whoever sends more keeps us busy for nothing.
constexpr std::uint32_t kMaxSilent = 256 * 1024;

// A time limit of ours, not one of the system (which is an error of the connection).
bool is_deadline(const Result<std::size_t>& result) {
  return !result && result.error() == Error{.kind = ErrorKind::timed_out};
}

}  // namespace

TlsStream::TlsStream(std::unique_ptr<ByteStream> below, SslPtr ssl, Executor& executor,
                     InputBuffer input)
    : below_(std::move(below)), executor_(&executor), engine_(std::move(ssl), std::move(input)) {}

TlsStream::~TlsStream() {
  PENSTOCK_CHECK(read_ == nullptr && write_ == nullptr);
  below_->observe(nullptr);
  stop_lower_read();
  stop_lower_write();
  const bool whole = engine_.outgoing().empty() && !engine_.failure() && !write_end_ && !broken_;
  if (!established_ || abortive_ || we_ended_ || !whole) return;
  engine_.close();
  send_at_once();
}

// ---- Reading.

bool TlsStream::start(ReadOp& op) {
  PENSTOCK_CHECK(read_ == nullptr);
  stop_lower_read();  // it was watching only
  read_ = &op;
  const bool done = try_read(op);
  if (done) {
    read_ = nullptr;
    watch();
  }
  send_own_records();
  return done;
}

// True when done (result set), false when the read below is suspended.
bool TlsStream::try_read(ReadOp& op) {
  while (true) {
    const auto got = op.only_readiness() ? engine_.peek() : engine_.read(op.into());
    if (got) {
      if (*got && **got > 0) silent_ = 0;
      op.set_result(op.only_readiness() ? Result<std::size_t>(0) : *got);
      return true;
    }
    if (read_end_) {
      op.set_result(op.only_readiness() ? Result<std::size_t>(0) : fail(*read_end_));
      return true;
    }
    if (!pull(op.deadline())) return false;
  }
}

// Reads below. True when that was done at once, false when it is suspended.
bool TlsStream::pull(TimePoint deadline) {
  engine_.incoming().expect(next_read_);
  lower_read_.renew(deadline);
  reading_below_ = !below_->start(lower_read_);
  if (reading_below_) return false;
  note_input(lower_read_.await_resume());
  return true;
}

void TlsStream::note_input(Result<std::size_t> got) {
  if (!got) {
    read_end_ = got.error();
    broken_ = true;
  } else if (*got == 0) {
    read_end_ = Error{.kind = ErrorKind::reset};
  } else {
    next_read_ = static_cast<std::uint32_t>(std::min(*got * 2, kLargeSlab));
    silent_ += static_cast<std::uint32_t>(*got);
    if (silent_ <= kMaxSilent) return;
    read_end_ = Error{.kind = ErrorKind::tls_protocol};
    broken_ = true;
  }
}

void TlsStream::on_lower_read() {
  reading_below_ = false;
  const Result<std::size_t> got = lower_read_.await_resume();
  const bool late = is_deadline(got);
  if (!late) note_input(got);
  if (read_ == nullptr) {
    const bool news = watch();
    send_own_records();
    // The last thing, as it may lead back here.
    if (news) observer_->on_stream_event(broken_ || engine_.failure());
    return;
  }
  if (late) {
    read_->set_result(fail(got.error()));
  } else if (!try_read(*read_)) {
    send_own_records();
    return;
  }
  ReadOp& op = *std::exchange(read_, nullptr);
  watch();
  op.complete(op.await_resume());
  send_own_records();
}

void TlsStream::stop_lower_read() {
  if (!reading_below_) return;
  below_->forget(lower_read_);
  reading_below_ = false;
}

void TlsStream::forget(ReadOp& op) {
  PENSTOCK_CHECK(read_ == &op);
  read_ = nullptr;
  stop_lower_read();
  watch();
  send_own_records();
}

// ---- Being watched.

// Application data, the end or an error is there for the next read.
bool TlsStream::input_pending() {
  const auto got = engine_.peek();
  if (got && *got && **got > 0) silent_ = 0;
  return got || read_end_;
}

// While there is an observer and no read: takes what there is below, up to what is worth telling.
// True when that has come.
bool TlsStream::watch() {
  if (observer_ == nullptr || read_ != nullptr || reading_below_) return false;
  while (!input_pending()) {
    if (!pull(kNever)) return false;
  }
  return true;
}

void TlsStream::observe(StreamObserver* observer) {
  observer_ = observer;
  below_->observe(observer != nullptr ? this : nullptr);
  if (observer == nullptr && read_ == nullptr) stop_lower_read();
  watch();
  send_own_records();
}

// Comes when no read is suspended below: there is something for the next read here already. That
// the connection broke is news even so.
void TlsStream::on_stream_event(bool broken) {
  if (broken) observer_->on_stream_event(true);
}

bool TlsStream::has_pending_input() {
  const bool pending = look();
  send_own_records();
  return pending;
}

bool TlsStream::look() {
  if (read_ != nullptr) return false;  // it would be done
  if (input_pending()) return true;
  if (reading_below_ || !below_->has_pending_input()) return false;
  while (pull(kNever)) {
    if (input_pending()) return true;
  }
  if (observer_ == nullptr) stop_lower_read();
  return false;
}

bool TlsStream::ask_pending_input() {
  const bool pending = look_again();
  send_own_records();
  return pending;
}

bool TlsStream::look_again() {
  if (read_ == nullptr && input_pending()) return true;
  if (!below_->ask_pending_input()) return false;
  stop_lower_read();
  if (read_ == nullptr) return look();
  // The loop does not tell again of what is taken here.
  if (!try_read(*read_)) return false;
  ReadOp& op = *std::exchange(read_, nullptr);
  watch();
  op.complete(op.await_resume());
  return true;
}

// ---- What was agreed on.

std::string_view TlsStream::alpn() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

TlsVersion TlsStream::version() const {
  return SSL_version(ssl()) >= TLS1_3_VERSION ? TlsVersion::v1_3 : TlsVersion::v1_2;
}

std::string_view TlsStream::cipher() const { return SSL_get_cipher_name(ssl()); }

bool TlsStream::resumed() const { return SSL_session_reused(ssl()) == 1; }

}  // namespace penstock
