// What a server learns of a client in the TLS handshake.
#pragma once

#include <string>
#include <string_view>

#include "tls/settings.h"

namespace penstock {

// As logs and header fields name it.
[[nodiscard]] constexpr std::string_view to_string(TlsVersion version) {
  return version == TlsVersion::v1_2 ? "TLSv1.2" : "TLSv1.3";
}

struct TlsClientFacts {
  TlsVersion version = TlsVersion::v1_3;
  std::string_view cipher;  // OpenSSL's name; static text
  std::string server_name;  // the name asked for (SNI), lower case; may be empty
  std::string alpn;         // the protocol agreed on; may be empty
  bool resumed = false;     // a session of before went on
  // Of the client's certificate, which has been verified; all empty where none was shown.
  std::string subject;  // distinguished names as RFC 2253 writes them
  std::string issuer;
  std::string serial;       // upper-case hex digits
  std::string fingerprint;  // SHA-256 of the certificate, lower-case hex digits
  std::string certificate;  // in base64 (DER inside), one line

  [[nodiscard]] bool has_certificate() const { return !fingerprint.empty(); }
};

}  // namespace penstock
