#include "upstream/passage.h"

#include <utility>

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "base/arena.h"
#include "tls/stream.h"
#include "upstream/connect_tunnel.h"
#include "upstream/happy_eyeballs.h"
#include "upstream/peer.h"
#include "upstream/peer_failure.h"
#include "upstream/socks5.h"

namespace penstock {
namespace {

// `http2`: the protocol agreed on.
Task<Result<void>> add_tls(std::unique_ptr<ByteStream>& stream, const TlsClientContext& context,
                           std::string_view host, const std::string& address, TimePoint deadline,
                           bool& http2) {
  const TlsServer server{.host = host, .address = address};
  auto tls = co_await connect_tls(std::move(stream), context, server, deadline);
  if (!tls) co_return fail(tls.error());
  http2 = (*tls)->alpn() == "h2";
  stream = std::move(*tls);
  co_return Result<void>{};
}

// The server's TLS says nothing of HTTP/2, though nothing else is offered.
Error no_http2() {
  return {.kind = ErrorKind::tls_protocol,
          .side = Side::server,
          .retryable = true,
          .cause = static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_APPLICATION_PROTOCOL))};
}

Task<Result<void>> send_preamble(ByteStream& stream, const std::string& preamble,
                                 TimePoint deadline) {
  const TimePoint now = (co_await this_context()).executor().now();
  iovec part = to_iovec(preamble);
  const auto written = co_await write_all(stream, {&part, 1}, now, deadline - now);
  if (written) co_return Result<void>{};
  Error error = written.error().at(Side::server);
  error.retryable = true;
  co_return fail(error);
}

// What comes before the first byte of HTTP, or of a tunnel through a peer.
Task<Result<void>> begin(OpenedPassage& opened, const Passage& passage, const Address& to,
                         const PassageLimits& limits) {
  if (!passage.preamble.empty()) {
    const auto sent = co_await send_preamble(*opened.stream, passage.preamble, limits.deadline);
    if (!sent) co_return fail(sent.error());
  }
  const bool http2_only = passage.http == HttpChoice::http2 && !limits.http1;
  if (!passage.tls) {
    opened.http2 = http2_only;
    co_return Result<void>{};
  }
  const bool http1_only = limits.http1 && passage.tls_http1 != nullptr;
  const std::string address = to.to_string();
  bool http2 = false;
  const auto done = co_await add_tls(opened.stream, http1_only ? *passage.tls_http1 : *passage.tls,
                                     passage.tls_name, address, limits.deadline, http2);
  if (!done) co_return fail(done.error());
  opened.http2 = http2 && passage.http != HttpChoice::http1 && !limits.http1;
  if (http2_only && !opened.http2) co_return fail(no_http2());
  co_return Result<void>{};
}

// Asks once, and once more where the peer's challenge can be met: then on a new connection, and
// `again` is set.
Task<Result<void>> ask_http_peer(OpenedPassage& opened, const Passage& passage,
                                 const PassageLimits& limits, bool& again) {
  Executor& executor = (co_await this_context()).executor();
  const TunnelTarget target{.host = passage.tunnel_host, .port = passage.tunnel_port};
  const auto authority = authority_of(target);
  if (!authority) co_return fail(authority.error());
  Arena arena;
  Authenticator* const ours =
      passage.refusal == nullptr ? passage.tunnel_peer->authenticator() : nullptr;
  const AuthRequest request{.method = "CONNECT", .uri = *authority};
  std::string_view login = passage.client_login;
  if (ours != nullptr) login = ours->authorization(request, arena, executor.now());
  ResponseHead unseen;
  ResponseHead& response = passage.refusal != nullptr ? *passage.refusal : unseen;
  const auto status = co_await http_connect(*opened.stream, opened.input, target, login,
                                            limits.head, limits.deadline, response);
  if (!status) co_return fail(status.error());
  if (*status >= 200 && *status < 300) co_return Result<void>{};
  again = *status == 407 && ours != nullptr &&
          ours->challenged(response.fields, FieldId::proxy_authenticate, login, executor.now());
  co_return fail(connect_refusal(*status));
}

Task<Result<void>> ask_socks_peer(OpenedPassage& opened, const Passage& passage,
                                  const PassageLimits& limits) {
  Executor& executor = (co_await this_context()).executor();
  const TunnelTarget target{.host = passage.tunnel_host, .port = passage.tunnel_port};
  ProxyLogin login;
  std::string password;  // a copy: its file may be read again meanwhile
  Credential* const credential = passage.tunnel_peer->credential();
  if (credential != nullptr) {
    const auto secret = credential->secret(executor.now());
    if (!secret) co_return fail(peer_error(PeerFailure::login_unusable));
    password = *secret;
    login = {.user = credential->settings().user, .password = password};
  }
  const ProxyLogin* const given = credential != nullptr ? &login : nullptr;
  co_return co_await socks5_connect(*opened.stream, opened.input, target, given, limits.deadline);
}

Task<Result<OpenedPassage>> open_once(Network& network, std::span<const Address> addresses,
                                      const Passage& passage, const PassageLimits& limits,
                                      bool& again) {
  const ConnectLimits connect_limits{.deadline = limits.deadline};
  auto connected = co_await connect_first(network, addresses, connect_limits);
  if (!connected) co_return fail(connected.error());
  OpenedPassage opened{
      .stream = std::move(connected->stream), .input = {}, .index = connected->index};
  const auto begun = co_await begin(opened, passage, addresses[opened.index], limits);
  if (!begun) co_return fail(begun.error());
  if (passage.tunnel_peer == nullptr) co_return std::move(opened);
  const Result<void> asked = passage.tunnel_peer->takes_requests()
                                 ? co_await ask_http_peer(opened, passage, limits, again)
                                 : co_await ask_socks_peer(opened, passage, limits);
  if (!asked) co_return fail(asked.error());
  if (!passage.tunnel_tls) co_return std::move(opened);
  // A server of TLS waits for our first word.
  if (!opened.input.empty()) {
    co_return fail({.kind = ErrorKind::tls_protocol, .side = Side::server, .retryable = true});
  }
  const std::string address = passage.tunnel_host + ':' + std::to_string(passage.tunnel_port);
  bool unused = false;
  const auto done = co_await add_tls(opened.stream, *passage.tunnel_tls, passage.tunnel_host,
                                     address, limits.deadline, unused);
  if (!done) co_return fail(done.error());
  co_return std::move(opened);
}

}  // namespace

Task<Result<OpenedPassage>> open_passage(Network& network, std::span<const Address> addresses,
                                         const Passage& passage, const PassageLimits& limits) {
  constexpr int kMaxAnswers = 2;  // to a peer's challenges; a nonce may be stale at once
  for (int answers = 0;; ++answers) {
    bool again = false;
    auto opened = co_await open_once(network, addresses, passage, limits, again);
    if (opened || !again || answers == kMaxAnswers) co_return opened;
  }
}

}  // namespace penstock
