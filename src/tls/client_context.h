// What all TLS connections to servers of one kind share: trust, identity, limits, sessions.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tls/openssl.h"
#include "tls/session_cache.h"
#include "tls/settings.h"

namespace penstock {

// Whom a connection goes to.
struct TlsServer {
  // A host name, or an IP address (IPv6 with or without brackets).
  std::string_view host;
  // Tells apart servers of that name, such as "192.0.2.1:443": sessions of one are not offered to
  // the other. May be empty.
  std::string_view address;
};

// Made once, then used by all threads. A connection made from it keeps it alive.
//
// TLS 1.2 with forward secrecy and AEAD ciphers only (Mozilla's "intermediate" list), and TLS 1.3;
// no compression, no renegotiation. Certificates are checked for the name as RFC 9525 says: a name
// in the subject only does not count. Revocation is not checked.
class TlsClientContext final : public std::enable_shared_from_this<TlsClientContext> {
 public:
  // Reads the files. The error is a sentence that names what is wrong and in which file.
  static std::expected<std::shared_ptr<const TlsClientContext>, std::string> create(
      TlsClientSettings settings);

  [[nodiscard]] const TlsClientSettings& settings() const { return settings_; }
  // How many sessions could be resumed.
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

  // A connection to that server that is ready for its handshake; offers to resume a session. Fails
  // with tls_certificate where there is no name that a certificate could be for.
  [[nodiscard]] Result<SslPtr> open(const TlsServer& server) const;
  // To be told of each handshake that succeeded.
  void note_handshake(SSL* ssl) const;

 private:
  struct Origin;
  explicit TlsClientContext(TlsClientSettings settings) : settings_(std::move(settings)) {}
  std::expected<void, std::string> build();
  [[nodiscard]] bool expect_name(SSL* ssl, const std::string& name) const;

  TlsClientSettings settings_;
  SslContextPtr context_;
  mutable TlsSessionCache sessions_;
};

}  // namespace penstock
