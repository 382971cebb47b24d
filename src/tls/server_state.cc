#include "tls/server_state.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>

#include "tls/files.h"

namespace penstock {
namespace {

using Checked = std::expected<void, std::string>;

// Those of Mozilla's intermediate profile with an elliptic curve: key exchange with plain
// Diffie-Hellman costs a server far more than the client that asks for it, and no browser does.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";
// A ticket's lifetime is at most a week (RFC 8446 section 4.6.1).
constexpr Duration kMaxLifetime = std::chrono::hours(7 * 24);

Checked set_rules(SSL_CTX* context, const TlsServerSettings& settings) {
  const int min_version =
      settings.min_version == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context, min_version) != 1 ||
      SSL_CTX_set_cipher_list(context, kCiphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    return std::unexpected("OpenSSL lacks the versions, ciphers or groups wanted" +
                           openssl_reason());
  }
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Buffers of OpenSSL's own are only held while there is something in them. What a client gets of
  // a chain is what is in the file.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(context, 0);
  // None is accepted. What a client sends all the same, with another server's ticket, is skipped.
  SSL_CTX_set_max_early_data(context, 0);
  return {};
}

Checked set_alpn(TlsServerState& state, const std::vector<std::string>& protocols) {
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return std::unexpected("The name of an ALPN protocol has 1 to 255 bytes");
    }
    state.alpn += static_cast<char>(protocol.size());
    state.alpn += protocol;
  }
  return {};
}

void set_sessions(TlsServerState& state, Duration lifetime) {
  SSL_CTX* const context = state.context.get();
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  state.session_lifetime = std::min(lifetime, kMaxLifetime);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(state.session_lifetime).count();
  if (seconds <= 0) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return;
  }
  SSL_CTX_set_timeout(context, seconds);
  SSL_CTX_set_num_tickets(context, TlsServerContext::kTickets);
}

struct StoreFree {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
struct NamesFree {
  void operator()(STACK_OF(X509_NAME) * names) const {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
  }
};

// The names of the authorities are told to the clients; `digests` says which they are.
Checked set_client_trust(SSL_CTX* context, const TlsServerSettings& settings,
                         std::string& digests) {
  if (settings.client_certificates == ClientCertificates::off) return {};
  if (settings.client_ca.empty()) {
    return std::unexpected("Client certificates can't be verified without a client CA file");
  }
  auto trusted = load_certificates("client CA file", settings.client_ca);
  if (!trusted) return std::unexpected(std::move(trusted.error()));
  const std::unique_ptr<X509_STORE, StoreFree> store(X509_STORE_new());
  std::unique_ptr<STACK_OF(X509_NAME), NamesFree> names(sk_X509_NAME_new_null());
  bool done = store && names;
  for (int i = 0; done && i < sk_X509_num(trusted->get()); ++i) {
    X509* const one = sk_X509_value(trusted->get(), i);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    done = X509_STORE_add_cert(store.get(), one) == 1 &&
           sk_X509_NAME_push(names.get(), X509_NAME_dup(X509_get_subject_name(one))) > 0 &&
           X509_digest(one, EVP_sha256(), digest.data(), &size) == 1;
    digests.append(reinterpret_cast<const char*>(digest.data()), size);
  }
  if (!done || SSL_CTX_set1_verify_cert_store(context, store.get()) != 1) {
    return std::unexpected(
        fmt::format("The client CA file {} can't be used{}", settings.client_ca, openssl_reason()));
  }
  // One that is not at the root will do, too: it was named to be trusted.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_client_CA_list(context, names.release());  // owns it
  const bool required = settings.client_certificates == ClientCertificates::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return {};
}

// OpenSSL has rules of its own for what is too weak.
Checked check_usable(SSL_CTX* context, const std::shared_ptr<const TlsIdentity>& identity) {
  const SslPtr trial(SSL_new(context));
  if (trial && use_certificates(trial.get(), {identity})) return {};
  return std::unexpected(fmt::format("The certificate {} can't be used{}",
                                     identity->files.certificate, openssl_reason()));
}

void note_times(TlsServerState& state, const TlsIdentity& identity, std::time_t now) {
  const std::string& file = identity.files.certificate;
  if (identity.valid.from > now) {
    state.warnings.push_back(fmt::format("The certificate {} is not valid yet", file));
  }
  state.expiries.push_back(
      {identity.valid.to, fmt::format("The certificate {} has expired", file)});
  if (identity.staple.empty()) return;
  const ValidTime& valid = identity.staple.front().valid;
  const std::string& response = identity.files.ocsp;
  if (valid.from > now) {
    state.warnings.push_back(
        fmt::format("The OCSP response {} is not valid yet: it is not shown", response));
  }
  state.expiries.push_back(
      {valid.to, fmt::format("The OCSP response {} is out of date: it is not shown", response)});
}

Checked load_identities(TlsServerState& state, const TlsServerSettings& settings) {
  if (settings.certificates.empty()) return std::unexpected("There is no certificate");
  const std::time_t now = state.clock();
  std::vector<std::shared_ptr<const TlsIdentity>> identities;
  for (const TlsCertificateSettings& files : settings.certificates) {
    auto identity = TlsIdentity::load(files);
    if (!identity) return std::unexpected(std::move(identity.error()));
    if (Checked usable = check_usable(state.context.get(), *identity); !usable) return usable;
    state.warnings.insert(state.warnings.end(), (*identity)->warnings.begin(),
                          (*identity)->warnings.end());
    if ((*identity)->names.empty() && (settings.strict_names || !identities.empty())) {
      state.warnings.push_back(
          fmt::format("The certificate {} has no DNS names, so nobody gets it", files.certificate));
    }
    note_times(state, **identity, now);
    identities.push_back(std::move(*identity));
  }
  for (const TlsServerState::Expiry& expiry : state.expiries) {
    if (expiry.when < now) state.warnings.push_back(expiry.sentence);
  }
  state.names = TlsServerNames(identities);
  return {};
}

}  // namespace

std::expected<std::shared_ptr<const TlsServerState>, std::string> TlsServerState::build(
    const TlsServerSettings& settings, std::shared_ptr<TlsTicketKeys> keys, WallClock clock) {
  ERR_clear_error();
  auto state = std::make_shared<TlsServerState>();
  state->clock = clock;
  state->strict_names = settings.strict_names;
  state->keys = std::move(keys);
  state->context.reset(SSL_CTX_new(TLS_server_method()));
  if (!state->context) return std::unexpected("OpenSSL can't be used" + openssl_reason());
  SSL_CTX* const context = state->context.get();
  std::string trust(1, static_cast<char>(settings.client_certificates));
  Checked done = set_rules(context, settings);
  if (done) done = set_alpn(*state, settings.alpn);
  if (done) done = set_client_trust(context, settings, trust);
  if (done) done = load_identities(*state, settings);
  if (!done) return std::unexpected(std::move(done.error()));
  set_sessions(*state, settings.session_lifetime);
  set_server_callbacks(context, *state);
  const HashKey& secret = state->keys->secret();
  state->session_scope = {.low = keyed_hash(secret, trust + "low"),
                          .high = keyed_hash(secret, trust + "high")};
  return state;
}

}  // namespace penstock
