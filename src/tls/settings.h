// What configuration sets in this room: how TLS is spoken to servers, and to clients.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace penstock {

enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

struct TlsClientSettings {
  // Takes any certificate: whoever is on the way can read and change everything.
  bool insecure = false;
  // Certificates that are trusted, a PEM file of one or more; empty: the system's.
  std::string ca_file;
  // The name sent to the server (SNI) and looked for in its certificate, or an IP address, which is
  // only looked for; empty: the host connected to.
  std::string server_name;
  // A client certificate with its chain, and its key: PEM files. Empty: none.
  std::string certificate;
  std::string key;
  // Protocols offered (ALPN, RFC 7301), the preferred one first; empty: the extension is not sent.
  std::vector<std::string> alpn;
  TlsVersion min_version = TlsVersion::v1_2;

  friend bool operator==(const TlsClientSettings&, const TlsClientSettings&) = default;
};

// A certificate that a server shows.
struct TlsCertificateSettings {
  std::string certificate;  // with its chain, its own first: a PEM file
  std::string key;          // a PEM file
  std::string ocsp;  // a response for it to be stapled (RFC 6066 section 8), DER; may be empty

  friend bool operator==(const TlsCertificateSettings&, const TlsCertificateSettings&) = default;
};

// Whether clients are asked for a certificate. One that is shown has to be good in any case.
enum class ClientCertificates : std::uint8_t { off, optional, required };

struct TlsServerSettings {
  // At least one. Which one a client gets is decided by the name it asks for (SNI) and the
  // signatures it knows; the first is for those who ask for none of the names.
  std::vector<TlsCertificateSettings> certificates;
  bool strict_names = false;  // no certificate for those who ask for none of the names
  ClientCertificates client_certificates = ClientCertificates::off;
  std::string client_ca;  // who signs the clients' certificates, a PEM file of one or more
  // Protocols agreed on (ALPN), the preferred one first; empty: those of the listener.
  std::vector<std::string> alpn;
  TlsVersion min_version = TlsVersion::v1_2;
  // How long a session can be resumed; zero: not at all. Tickets' keys last as long.
  Duration session_lifetime = std::chrono::hours(12);

  friend bool operator==(const TlsServerSettings&, const TlsServerSettings&) = default;
};

}  // namespace penstock
