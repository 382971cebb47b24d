// What OpenSSL asks in a handshake of the server's side.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <openssl/err.h>

#include "base/check.h"
#include "tls/client_hello.h"
#include "tls/server_state.h"

namespace penstock {
namespace {

void free_accepting(void* /*ssl*/, void* accepting, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                    long /*number*/, void* /*pointer*/) {
  const std::unique_ptr<TlsAccepting> owned(static_cast<TlsAccepting*>(accepting));
}

int accepting_index() {
  static const int made = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_accepting);
  PENSTOCK_CHECK(made >= 0);
  return made;
}

std::string asked_name(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1) return {};
  // OpenSSL itself refuses what is malformed, later.
  return read_server_name({reinterpret_cast<const char*>(bytes), size}).value_or("");
}

// Comes first, before any session is looked at.
int on_client_hello(SSL* ssl, int* alert, void* /*pointer*/) {
  TlsAccepting* const accepting = TlsAccepting::of(ssl);
  if (accepting == nullptr) return SSL_CLIENT_HELLO_ERROR;
  const TlsServerState& state = *accepting->state;
  const std::string name = asked_name(ssl);
  if (accepting->facts != nullptr) accepting->facts->server_name = name;
  accepting->choice = name.empty() ? nullptr : state.names.find(name);
  if (accepting->choice == nullptr) {
    if (state.strict_names) {
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    accepting->choice = &state.names.fallback();
  }
  // 128 bits that nobody can aim at: two keyed hashes with keys that are secret.
  const HashKey other{.low = state.session_scope.high, .high = state.session_scope.low};
  const std::array<std::uint64_t, 2> scope{keyed_hash(state.session_scope, name),
                                           keyed_hash(other, name)};
  const bool set =
      SSL_set_session_id_context(ssl, reinterpret_cast<const unsigned char*>(scope.data()),
                                 sizeof scope) == 1;
  return set ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

// Only in handshakes that don't resume a session.
int on_certificate(SSL* ssl, void* /*pointer*/) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  return accepting != nullptr && accepting->choice != nullptr &&
                 use_certificates(ssl, *accepting->choice)
             ? 1
             : 0;
}

// That the name was understood is told in the ServerHello only if somebody says so here.
int on_server_name(SSL* ssl, int* /*alert*/, void* /*pointer*/) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  const bool known =
      accepting != nullptr && accepting->choice != &accepting->state->names.fallback();
  return known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                 const unsigned char* offered, unsigned offered_size, void* /*pointer*/) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  if (accepting == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  const std::string& ours = accepting->state->alpn;
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(
      &found, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned>(ours.size()), offered, offered_size);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int on_status_request(SSL* ssl, void* /*pointer*/) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  if (accepting == nullptr || accepting->choice == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const X509* const shown = SSL_get_certificate(ssl);
  for (const auto& identity : *accepting->choice) {
    if (identity->certificate.get() != shown || identity->staple.empty()) continue;
    const OcspStaple& staple = identity->staple.front();
    if (!staple.valid.contains(accepting->state->clock())) return SSL_TLSEXT_ERR_NOACK;
    void* const copy = OPENSSL_memdup(staple.der.data(), staple.der.size());
    if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.der.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, int make) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  if (accepting == nullptr) return 0;
  return accepting->state->keys->serve(ssl, name, iv, cipher, mac, make != 0);
}

// ---- Tickets carry the time of the full handshake, which those that follow pass on.

int on_new_ticket(SSL* ssl, void* /*pointer*/) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  if (accepting == nullptr) return 0;
  SSL_SESSION* const session = SSL_get_session(ssl);
  void* data = nullptr;
  std::size_t size = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) == 1 && size > 0) return 1;
  const std::time_t now = accepting->state->clock();
  return SSL_SESSION_set1_ticket_appdata(session, &now, sizeof now);
}

bool may_resume(SSL_SESSION* session, const TlsServerState& state) {
  std::time_t now = state.clock();
  const X509* const certificate = SSL_SESSION_get0_peer(session);
  if (certificate != nullptr && X509_cmp_time(X509_get0_notAfter(certificate), &now) <= 0) {
    return false;
  }
  void* data = nullptr;
  std::size_t size = 0;
  std::time_t begun = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || size != sizeof begun) {
    return false;
  }
  std::memcpy(&begun, data, sizeof begun);
  return begun <= now && std::chrono::seconds(now - begun) < state.session_lifetime;
}

SSL_TICKET_RETURN on_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char* /*name*/,
                            std::size_t /*size*/, SSL_TICKET_STATUS status, void* /*pointer*/) {
  const TlsAccepting* const accepting = TlsAccepting::of(ssl);
  if (accepting == nullptr) return SSL_TICKET_RETURN_IGNORE;
  const bool good = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!good || !may_resume(session, *accepting->state)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace

void TlsAccepting::attach(SSL* ssl, std::unique_ptr<TlsAccepting> accepting) {
  TlsAccepting* const kept = accepting.release();  // free_accepting() has it from now on
  PENSTOCK_CHECK(SSL_set_ex_data(ssl, accepting_index(), kept) == 1);
}

void TlsAccepting::drop(SSL* ssl) {
  const std::unique_ptr<TlsAccepting> owned(of(ssl));
  SSL_set_ex_data(ssl, accepting_index(), nullptr);
}

TlsAccepting* TlsAccepting::of(const SSL* ssl) {
  return static_cast<TlsAccepting*>(SSL_get_ex_data(ssl, accepting_index()));
}

bool use_certificates(SSL* ssl, const TlsServerNames::Choice& choice) {
  SSL_certs_clear(ssl);
  return std::ranges::all_of(choice, [ssl](const auto& identity) {
    return SSL_use_cert_and_key(ssl, identity->certificate.get(), identity->key.get(),
                                identity->chain.get(), 1) == 1;
  });
}

void set_server_callbacks(SSL_CTX* context, const TlsServerState& state) {
  SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
  SSL_CTX_set_cert_cb(context, on_certificate, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
  SSL_CTX_set_tlsext_status_cb(context, on_status_request);
  if (!state.alpn.empty()) SSL_CTX_set_alpn_select_cb(context, on_protocols, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key);
  SSL_CTX_set_session_ticket_cb(context, on_new_ticket, on_ticket, nullptr);
}

}  // namespace penstock
