// The proxy authenticating itself to one server (RFC 9110 section 11).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/time.h"
#include "message/challenge.h"
#include "message/fields.h"
#include "upstream/credential.h"
#include "upstream/digest.h"

namespace penstock {

// What Digest credentials are bound to, as it is sent.
struct AuthRequest {
  std::string_view method;
  std::string_view uri;  // the request target: path and query, absolute URI, or host:port
};

// One credential towards one origin or parent proxy, with what that has said so far: which scheme
// it wants, the nonce and how often it was used. Belongs to one thread; any number of requests may
// be under way at once. How often a request is sent again is the caller's to bound: with a server
// that calls every nonce stale, challenged() is always true.
class Authenticator {
 public:
  explicit Authenticator(std::shared_ptr<Credential> credential);

  // The value of Authorization or Proxy-Authorization to send now, in `arena`. Empty when there is
  // none yet: before a challenge where one is needed, while the secret's file is missing. To be
  // called once for each request that is sent, since nonces are counted.
  [[nodiscard]] std::string_view authorization(const AuthRequest& request, Arena& arena,
                                               TimePoint now);

  // The answer was 401 or 407 with these fields; `sent` is the value that authorization() had given
  // for the request, or empty. True when the request may succeed if sent again with what
  // authorization() gives then: there is a challenge that the credential is for, and it is not the
  // refusal of the same credential. That it is not where nothing or another scheme was sent, the
  // challenge is for another realm, only the nonce was stale, or the secret has changed since.
  // A challenge is remembered for later requests in any case.
  [[nodiscard]] bool challenged(const FieldSection& fields, FieldId challenge_field,
                                std::string_view sent, TimePoint now);

  // The final answer to a request that credentials were sent with: takes the next nonce from
  // Authentication-Info or Proxy-Authentication-Info (RFC 7616 section 3.5). Its other contents,
  // with which a server proves that it knows the password, are not looked at.
  void informed(const FieldSection& fields, FieldId info_field);

 private:
  enum class Answer : std::uint8_t { nothing, basic, bearer, digest };
  // From a Digest challenge to the next one.
  struct Session {
    DigestChallenge challenge;  // with the nonce to use now
    std::uint32_t count = 0;    // how often it was used
    std::string first_nonce;    // of the first answer, for algorithms with session; empty before
    std::string first_cnonce;
    std::uint64_t secret_version = 0;  // of the last answer
  };

  [[nodiscard]] bool may_answer(Answer answer) const;
  [[nodiscard]] bool offers(const std::vector<Challenge>& challenges,
                            std::string_view scheme) const;
  [[nodiscard]] std::string basic_value(TimePoint now);
  [[nodiscard]] std::string bearer_value(TimePoint now);
  [[nodiscard]] std::string digest_value(const AuthRequest& request, TimePoint now);
  [[nodiscard]] bool accept_plain(Answer answer, std::string_view sent, TimePoint now);
  [[nodiscard]] bool accept_digest(DigestChallenge challenge, std::string_view sent, TimePoint now);

  std::shared_ptr<Credential> credential_;
  Answer answer_ = Answer::nothing;
  std::optional<Session> session_;  // there when the answer is digest
};

}  // namespace penstock
