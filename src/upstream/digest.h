// Digest authentication (RFC 7616, RFC 2617; RFC 2069 for servers without qop): a challenge, and
// the credentials that answer it. Nothing is remembered here; see upstream/authenticator.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message/challenge.h"
#include "upstream/digest_hash.h"

namespace penstock {

// A challenge that can be answered. Owns its text.
struct DigestChallenge {
  // Longer realms, nonces and opaque values are not accepted: they are kept for each origin.
  static constexpr std::size_t kMaxText = 2048;

  std::string realm;
  std::string nonce;
  std::optional<std::string> opaque;
  DigestHash hash = DigestHash::md5;
  bool session = false;         // an algorithm that ends in "-sess"
  bool names_algorithm = true;  // then the answer names it, too
  bool qop_auth = true;         // false: as RFC 2069 has it, without qop, cnonce and nc
  bool stale = false;           // only the nonce was not good (any more)
  bool utf8 = false;            // charset=UTF-8
  bool userhash = false;
};

// The challenge, if it is Digest and can be answered: it has a realm and a nonce, an algorithm of
// those above that is available, and offers qop=auth (qop=auth-int is not done) or, with MD5, none.
[[nodiscard]] std::optional<DigestChallenge> read_digest_challenge(const Challenge& challenge);

// The one with the best hash that can be answered, the first of these, without the session variant
// where there is the choice; only for `realm` unless that is empty. SHA-256 comes before
// SHA-512-256, which is no stronger, and which some servers take for another function.
[[nodiscard]] std::optional<DigestChallenge> choose_digest_challenge(
    const std::vector<Challenge>& challenges, std::string_view realm);

// What the answer is made of besides the challenge.
struct DigestInput {
  std::string_view user;
  std::string_view password;
  std::string_view method;
  std::string_view uri;     // the request target as it is sent
  std::string_view cnonce;  // visible ASCII without quotes and backslashes
  std::uint32_t count = 1;  // nc: how often this nonce was used, this time included
  // For algorithms with session: nonce and cnonce of the first answer to the challenge (RFC 7616
  // section 3.4.2).
  std::string_view session_nonce;
  std::string_view session_cnonce;
};

// The value of Authorization or Proxy-Authorization. Empty when it can't be made: the hash is not
// available, or the user or the uri have control characters. A user that is not ASCII is sent as
// `username*` where the server speaks UTF-8, else as it is.
[[nodiscard]] std::string digest_credentials(const DigestChallenge& challenge,
                                             const DigestInput& input);

}  // namespace penstock
