#include "tls/client_context.h"

#include <array>
#include <cstddef>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "tls/files.h"

namespace penstock {
namespace {

using Checked = std::expected<void, std::string>;

// Mozilla's intermediate profile, version 5.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

Checked load_trust(SSL_CTX* context, const TlsClientSettings& settings) {
  if (settings.insecure) return {};
  if (settings.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return std::unexpected("The system's trusted certificates can't be loaded" + openssl_reason());
  }
  const Checked readable = check_readable("CA file", settings.ca_file);
  if (!readable) return readable;
  // One that is not at the root will do, too: it was named to be trusted.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  if (SSL_CTX_load_verify_file(context, settings.ca_file.c_str()) == 1) return {};
  return std::unexpected(fmt::format("The CA file {} has no certificates in PEM form{}",
                                     settings.ca_file, openssl_reason()));
}

Checked load_identity(SSL_CTX* context, const TlsClientSettings& settings) {
  if (settings.certificate.empty() && settings.key.empty()) return {};
  if (settings.certificate.empty()) {
    return std::unexpected(fmt::format("The key {} has no certificate with it", settings.key));
  }
  if (settings.key.empty()) {
    return std::unexpected(
        fmt::format("The certificate {} has no key with it", settings.certificate));
  }
  Checked readable = check_readable("certificate", settings.certificate);
  if (readable) readable = check_readable("key", settings.key);
  if (!readable) return readable;
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context, settings.certificate.c_str()) != 1) {
    return std::unexpected(fmt::format("The file {} has no usable certificate in PEM form{}",
                                       settings.certificate, openssl_reason()));
  }
  const int loaded = SSL_CTX_use_PrivateKey_file(context, settings.key.c_str(), SSL_FILETYPE_PEM);
  const unsigned long code = ERR_peek_last_error();
  if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
    ERR_clear_error();
    return std::unexpected(fmt::format("The key {} does not belong to the certificate {}",
                                       settings.key, settings.certificate));
  }
  if (loaded != 1) {
    return std::unexpected(
        fmt::format("The file {} has no usable key in PEM form (without a passphrase){}",
                    settings.key, openssl_reason()));
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return std::unexpected(fmt::format("The key {} does not belong to the certificate {}",
                                       settings.key, settings.certificate));
  }
  return {};
}

Checked set_alpn(SSL_CTX* context, const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return std::unexpected("The name of an ALPN protocol has 1 to 255 bytes");
    }
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  if (wire.empty()) return {};
  // The only call here that gives 0 for success.
  if (SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(wire.data()),
                              static_cast<unsigned>(wire.size())) == 0) {
    return {};
  }
  return std::unexpected("The ALPN protocols can't be used" + openssl_reason());
}

bool is_ip(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

// Without the brackets of an IPv6 address and the dot at the end of an absolute name.
std::string_view bare_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

// Where a connection goes, for the sessions it brings; owned by its SSL.
struct TlsClientContext::Origin {
  std::shared_ptr<const TlsClientContext> context;
  std::string key;

  static void free(void* /*ssl*/, void* origin, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                   long /*number*/, void* /*pointer*/) {
    const std::unique_ptr<Origin> owned(static_cast<Origin*>(origin));
  }
  static int index() {
    static const int made = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free);
    PENSTOCK_CHECK(made >= 0);
    return made;
  }
  static const Origin* of(const SSL* ssl) {
    return static_cast<const Origin*>(SSL_get_ex_data(ssl, index()));
  }
  // A copy, as the connection goes on using its own.
  void remember(const SSL_SESSION* session) const {
    context->sessions_.put(key, SslSessionPtr(SSL_SESSION_dup(session)));
  }
  static int on_new_session(SSL* ssl, SSL_SESSION* session) {
    if (const Origin* const origin = of(ssl)) origin->remember(session);
    return 0;  // we keep no reference
  }
};

std::expected<std::shared_ptr<const TlsClientContext>, std::string> TlsClientContext::create(
    TlsClientSettings settings) {
  std::shared_ptr<TlsClientContext> context(new TlsClientContext(std::move(settings)));
  ERR_clear_error();
  auto built = context->build();
  if (!built) return std::unexpected(std::move(built.error()));
  return context;
}

Checked TlsClientContext::build() {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return std::unexpected("OpenSSL can't be used" + openssl_reason());
  SSL_CTX* const context = context_.get();
  const int min_version =
      settings_.min_version == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context, min_version) != 1 ||
      SSL_CTX_set_cipher_list(context, kCiphers) != 1) {
    return std::unexpected("OpenSSL lacks the versions or ciphers wanted" + openssl_reason());
  }
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Buffers of OpenSSL's own are only held while there is something in them.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 0);
  SSL_CTX_set_verify(context, settings_.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, Origin::on_new_session);

  Checked done = load_trust(context, settings_);
  if (done) done = load_identity(context, settings_);
  if (done) done = set_alpn(context, settings_.alpn);
  return done;
}

bool TlsClientContext::expect_name(SSL* ssl, const std::string& name) const {
  // C functions would see only a part of such a name.
  if (name.find('\0') != std::string::npos) return false;
  if (is_ip(name)) {
    return settings_.insecure ||
           X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1;
  }
  if (!name.empty() && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
  if (settings_.insecure) return true;
  SSL_set_hostflags(ssl,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return !name.empty() && SSL_set1_host(ssl, name.c_str()) == 1;
}

Result<SslPtr> TlsClientContext::open(const TlsServer& server) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) return fail(ErrorKind::overloaded);
  SSL_set_connect_state(ssl.get());
  const std::string_view host =
      settings_.server_name.empty() ? server.host : std::string_view(settings_.server_name);
  std::string name(bare_host(host));
  if (!expect_name(ssl.get(), name)) {
    ERR_clear_error();
    return fail(ErrorKind::tls_certificate, X509_V_ERR_HOSTNAME_MISMATCH);
  }
  auto origin = std::make_unique<Origin>();
  origin->context = shared_from_this();
  origin->key = fmt::format("{}\n{}", name, server.address);
  if (const SslSessionPtr session = sessions_.take(origin->key)) {
    SSL_set_session(ssl.get(), session.get());
  }
  Origin* const kept = origin.release();  // free() has it from now on
  PENSTOCK_CHECK(SSL_set_ex_data(ssl.get(), Origin::index(), kept) == 1);
  return ssl;
}

// A session that was resumed stays good in TLS 1.2, and nothing says so; in TLS 1.3 each ticket is
// for one connection, and new ones come.
void TlsClientContext::note_handshake(SSL* ssl) const {
  if (SSL_session_reused(ssl) == 0 || SSL_version(ssl) >= TLS1_3_VERSION) return;
  if (const Origin* const origin = Origin::of(ssl)) origin->remember(SSL_get0_session(ssl));
}

}  // namespace penstock
