// For tests: the peer's end of a TLS connection, written apart from TlsStream: OpenSSL over memory,
// and short tasks that move the bytes.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/err.h>

#include "async/event.h"
#include "async/stream.h"
#include "async/task.h"
#include "tls/certificates_test.h"

namespace penstock {

class TlsServerEnd {
 public:
  TlsServerEnd(SSL_CTX* context, ByteStream& below)
      : TlsServerEnd(SslPtr(SSL_new(context)), below) {
    SSL_set_accept_state(ssl_.get());
  }
  // Of either side, as set in there.
  TlsServerEnd(SslPtr ssl, ByteStream& below) : below_(&below), ssl_(std::move(ssl)) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
  }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  Task<Result<void>> handshake() {
    while (true) {
      ERR_clear_error();
      const int done = SSL_do_handshake(ssl());
      const auto sent = co_await flush();
      if (!sent || done == 1) co_return sent;
      if (SSL_get_error(ssl(), done) != SSL_ERROR_WANT_READ) {
        reason = ERR_GET_REASON(ERR_peek_error());
        co_return fail(ErrorKind::tls_protocol);
      }
      const auto got = co_await fill();
      if (!got) co_return got;
    }
  }

  // Appends what is there, at least a byte; 0 at close_notify.
  Task<Result<std::size_t>> read(std::string& into) {
    std::array<char, 20000> buffer;
    while (true) {
      ERR_clear_error();
      const int n = SSL_read(ssl(), buffer.data(), buffer.size());
      // A task that is sending already sends what this has added.
      if (!flushing_) {
        const auto sent = co_await flush();
        if (!sent) co_return fail(sent.error());
      }
      if (n > 0) {
        into.append(buffer.data(), static_cast<std::size_t>(n));
        co_return static_cast<std::size_t>(n);
      }
      const int why = SSL_get_error(ssl(), n);
      if (why == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
      if (why != SSL_ERROR_WANT_READ) {
        reason = ERR_GET_REASON(ERR_peek_error());
        co_return fail(ErrorKind::tls_protocol);
      }
      const auto got = co_await fill();
      if (!got) co_return fail(got.error());
    }
  }

  // Until there are `size` bytes in `into`.
  Task<Result<void>> read_up_to(std::string& into, std::size_t size) {
    while (into.size() < size) {
      const auto got = co_await read(into);
      if (!got) co_return fail(got.error());
      if (*got == 0) co_return fail(ErrorKind::closed);
    }
    co_return Result<void>{};
  }

  Task<Result<void>> write(std::string_view text) {
    if (SSL_write(ssl(), text.data(), static_cast<int>(text.size())) <= 0) {
      co_return fail(ErrorKind::tls_protocol);
    }
    co_return co_await flush();
  }

  // Sends the records made, after those that another task is sending.
  Task<Result<void>> flush() {
    while (flushing_) {
      flushed_.reset();
      if (!co_await flushed_.wait()) co_return fail(ErrorKind::cancelled);
    }
    flushing_ = true;
    Result<void> sent;
    while (sent && BIO_ctrl_pending(out_) > 0) {
      std::string records(BIO_ctrl_pending(out_), '\0');
      BIO_read(out_, records.data(), static_cast<int>(records.size()));
      iovec part = to_iovec(records);
      const auto written = co_await write_all(*below_, {&part, 1}, TimePoint{}, Duration::zero());
      if (!written) sent = fail(written.error());
    }
    flushing_ = false;
    flushed_.set();
    co_return sent;
  }

  int reason = 0;  // OpenSSL's, of what failed

 private:
  Task<Result<void>> fill() {
    InputBuffer buffer;
    const auto got = co_await read_some(*below_, buffer, kNever);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
    BIO_write(in_, buffer.unread().data(), static_cast<int>(buffer.size()));
    buffer.consume(buffer.size());
    co_return Result<void>{};
  }

  ByteStream* below_;
  SslPtr ssl_;
  BIO* in_ = nullptr;  // both owned by ssl_
  BIO* out_ = nullptr;
  bool flushing_ = false;
  Event flushed_;
};

}  // namespace penstock
