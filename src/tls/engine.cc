#include "tls/engine.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <utility>

#include <openssl/err.h>

#include "base/check.h"
#include "tls/error.h"

namespace penstock {

// OpenSSL's way to our two buffers.
struct EngineBio {
  static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    InputBuffer& incoming = engine(bio).incoming_;
    if (incoming.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t n = std::min(incoming.size(), static_cast<std::size_t>(size));
    std::memcpy(to, incoming.unread().data(), n);
    incoming.consume(n);
    return static_cast<int>(n);
  }

  static int write(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    InputBuffer& outgoing = engine(bio).outgoing_;
    std::string_view bytes(from, static_cast<std::size_t>(size));
    if (outgoing.size() + bytes.size() > kTlsMaxOutgoing) return -1;
    while (!bytes.empty()) {
      const std::span<char> room = outgoing.writable();
      const std::size_t n = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), n);
      outgoing.commit(n);
      bytes.remove_prefix(n);
    }
    return size;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BioMethodPtr make_method() {
    BioMethodPtr made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engine"));
    PENSTOCK_CHECK(made);
    BIO_meth_set_read(made.get(), read);
    BIO_meth_set_write(made.get(), write);
    BIO_meth_set_ctrl(made.get(), control);
    return made;
  }
  static const BIO_METHOD* method() {
    static const BioMethodPtr made = make_method();
    return made.get();
  }
};

namespace {

// What others have left in this thread's queue would be taken for what our call came to. Emptying
// it costs more than looking.
void clear_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

TlsEngine::TlsEngine(SslPtr ssl, InputBuffer incoming)
    : incoming_(std::move(incoming)), ssl_(std::move(ssl)) {
  BIO* const bio = BIO_new(EngineBio::method());
  PENSTOCK_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it
  if (SSL_is_server(ssl_.get()) == 1) SSL_set_info_callback(ssl_.get(), on_info);
}

// OpenSSL refuses to renegotiate by a warning, and would go on: this is how it can be known.
void TlsEngine::on_info(const SSL* ssl, int where, int value) {
  if (where != SSL_CB_WRITE_ALERT || (value & 0xff) != SSL_AD_NO_RENEGOTIATION) return;
  EngineBio::engine(SSL_get_rbio(ssl)).asked_again_ = true;
}

TlsEngine::~TlsEngine() = default;

std::optional<Result<std::size_t>> TlsEngine::outcome(int result) {
  if (result > 0) return static_cast<std::size_t>(result);
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      if (!asked_again_) return std::nullopt;
      failure_ = Error{.kind = ErrorKind::tls_protocol,
                       .cause = static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_RENEGOTIATION))};
      return fail(*failure_);
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      failure_ = take_tls_error(ssl_.get());
      return fail(*failure_);
  }
}

std::optional<Result<void>> TlsEngine::handshake() {
  if (failure_) return fail(*failure_);
  clear_errors();
  const auto done = outcome(SSL_do_handshake(ssl_.get()));
  if (!done) return std::nullopt;
  if (!*done) return fail(done->error());
  if (**done > 0) return Result<void>{};
  // A close_notify in place of a handshake.
  failure_ = Error{.kind = ErrorKind::closed};
  return fail(*failure_);
}

std::optional<Result<std::size_t>> TlsEngine::read_some(std::span<char> room, bool only_peek) {
  const int size = static_cast<int>(std::min<std::size_t>(room.size(), INT_MAX));
  clear_errors();
  return outcome(only_peek ? SSL_peek(ssl_.get(), room.data(), size)
                           : SSL_read(ssl_.get(), room.data(), size));
}

// OpenSSL takes one record at a time, so that there is nothing whole that it could keep to itself.
bool TlsEngine::has_input() const {
  return !incoming_.empty() || SSL_pending(ssl_.get()) > 0 ||
         (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::optional<Result<std::size_t>> TlsEngine::read(InputBuffer& into) {
  if (failure_) return fail(*failure_);
  if (!has_input()) return std::nullopt;
  const std::span<char> room = into.writable();
  std::size_t filled = 0;
  std::optional<Result<std::size_t>> last;
  while (filled < room.size()) {
    last = read_some(room.subspan(filled), false);
    if (!last || !*last || **last == 0) break;
    filled += **last;
    if (!has_input()) break;  // which the next call would find out at some expense
  }
  into.commit(filled);
  if (filled > 0) return filled;  // what ended it is told again to the next read
  return last;
}

std::optional<Result<std::size_t>> TlsEngine::peek() {
  if (failure_) return fail(*failure_);
  if (!has_input()) return std::nullopt;
  char byte = 0;
  return read_some({&byte, 1}, true);
}

Result<void> TlsEngine::write(std::string_view bytes) {
  PENSTOCK_CHECK(!bytes.empty() && bytes.size() <= kTlsRecord);
  if (failure_) return fail(*failure_);
  clear_errors();
  const int written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (written > 0) return {};
  failure_ = take_tls_error(ssl_.get());
  return fail(*failure_);
}

void TlsEngine::close() {
  clear_errors();
  SSL_shutdown(ssl_.get());
  clear_errors();
}

}  // namespace penstock
