// What configuration sets in this room: how TLS is spoken to servers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

}  // namespace penstock
