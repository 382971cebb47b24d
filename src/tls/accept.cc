#include "tls/accept.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <openssl/err.h>

namespace penstock {
namespace {

constexpr std::size_t kFirstRead = 4 * 1024;
// For a client to read the alert that says why it is refused: a connection that is closed while its
// bytes are unread takes the alert with it.
constexpr Duration kFarewell = std::chrono::milliseconds(500);
constexpr std::size_t kMaxFarewell = 64 * 1024;
constexpr char kHandshakeRecord = 22;
// For people who have the scheme wrong.
constexpr std::string_view kSpeakTls =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 35\r\n"
    "Connection: close\r\n"
    "\r\n"
    "This port speaks TLS: use https://\n";

// Requests begin with a method, of capital letters, and a space: HTTP/2's preface too.
bool looks_like_http(std::string_view bytes) {
  const std::size_t letters =
      std::min(bytes.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-"), bytes.size());
  return letters > 0 && (letters == bytes.size() || bytes[letters] == ' ');
}

Result<void> check_first_bytes(std::string_view bytes) {
  if (bytes.front() == kHandshakeRecord) return {};
  const int reason = looks_like_http(bytes) ? SSL_R_HTTP_REQUEST : SSL_R_WRONG_VERSION_NUMBER;
  return fail(ErrorKind::tls_protocol, static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, reason)));
}

void fill_facts(const TlsStream& stream, TlsClientFacts& facts) {
  facts.version = stream.version();
  facts.cipher = stream.cipher();
  facts.alpn = stream.alpn();
  facts.resumed = stream.resumed();
  fill_certificate_facts(SSL_get0_peer_certificate(stream.ssl()), facts);
}

Task<void> say_farewell(ByteStream& below) {
  below.shutdown_write();
  const TimePoint end = (co_await this_context()).executor().now() + kFarewell;
  std::size_t heard = 0;
  while (heard < kMaxFarewell) {
    InputBuffer unread;
    const auto got = co_await read_some(below, unread, end);
    if (!got || *got == 0) break;
    heard += *got;
    unread.consume(unread.size());
  }
}

Task<void> answer_in_clear_text(ByteStream& below) {
  const TimePoint now = (co_await this_context()).executor().now();
  iovec part = to_iovec(kSpeakTls);
  const auto sent = co_await write_all(below, {&part, 1}, now, kFarewell);
  if (sent) co_await say_farewell(below);
}

Error of_client(const Error& error) { return {error.kind, Side::client, false, error.cause}; }

}  // namespace

Task<Result<std::unique_ptr<TlsStream>>> accept_tls(std::unique_ptr<ByteStream> below,
                                                    InputBuffer input,
                                                    std::shared_ptr<const TlsServerContext> context,
                                                    TimePoint deadline, TlsClientFacts& facts) {
  if (input.empty()) {
    input.expect(kFirstRead);
    const auto got = co_await read_some(*below, input, deadline);
    if (!got) co_return fail(of_client(got.error()));
    if (*got == 0) co_return fail(of_client({.kind = ErrorKind::closed}));
  }
  if (const auto begins = check_first_bytes(input.unread()); !begins) {
    if (looks_like_http(input.unread())) co_await answer_in_clear_text(*below);
    co_return fail(of_client(begins.error()));
  }
  Result<SslPtr> ssl = context->open();
  if (!ssl) co_return fail(of_client(ssl.error()));
  set_tls_facts(ssl->get(), &facts);
  ByteStream& lower = *below;
  Executor& executor = (co_await this_context()).executor();
  auto stream =
      std::make_unique<TlsStream>(std::move(below), std::move(*ssl), executor, std::move(input));
  const Result<void> shaken = co_await stream->handshake(deadline);
  if (!shaken) {
    const ErrorKind kind = shaken.error().kind;
    if (kind == ErrorKind::tls_protocol || kind == ErrorKind::tls_certificate) {
      co_await say_farewell(lower);
    }
    set_tls_facts(stream->ssl(), nullptr);
    co_return fail(of_client(shaken.error()));
  }
  end_tls_accept(stream->ssl());
  fill_facts(*stream, facts);
  co_return stream;
}

}  // namespace penstock
