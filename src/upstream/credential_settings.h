// What configuration sets in this room: how the proxy authenticates itself to servers.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

// Credentials of the proxy's own. Texts are sent as the octets they are: UTF-8, not normalised.
struct CredentialSettings {
  enum class Scheme : std::uint8_t {
    automatic,  // the strongest that a challenge offers: Digest before Basic
    basic,      // RFC 7617
    digest,     // RFC 7616; MD5 only where nothing better is offered
    bearer,     // RFC 6750
  };
  Scheme scheme = Scheme::automatic;
  std::string user;           // no control characters; for Basic no ":"
  std::string password;       // no control characters
  std::string password_file;  // the password is the first line of this file; if not empty
  std::string token_file;     // bearer: the token is the first line of this file
  // Basic and Bearer: sent without waiting for a challenge. Not where a realm is given (it is known
  // only from the challenge), and not for `automatic`.
  bool preemptive = true;
  std::string realm;  // only challenges for this realm are answered; empty: for any
};

// Credentials for the origins that a pattern names.
struct OriginCredentialSettings {
  // [scheme://]host[:port]. The scheme is "http" or "https", any if left out. The host is exact, or
  // "*.example.com" for all below it. The port is a number or "*", and the scheme's default if left
  // out: another port may be another user's server.
  std::string host;
  CredentialSettings credentials;
};

}  // namespace penstock
