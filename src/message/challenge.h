// Authentication challenges (RFC 9110 section 11): WWW-Authenticate, Proxy-Authenticate, and the
// fields that have their grammar.
//
// Servers write these fields carelessly, and a comma may separate two challenges or two parameters
// of one. All here are total functions: what can't be understood is left out, the rest stays.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "message/fields.h"

namespace penstock {

// What is read of one message; the rest is left out.
inline constexpr std::size_t kMaxChallenges = 16;
inline constexpr std::size_t kMaxAuthParameters = 32;          // of one challenge
inline constexpr std::size_t kMaxChallengeText = 16UL * 1024;  // bytes, all lines together

struct AuthParameter {
  std::string_view name;   // a token, as written
  std::string_view value;  // without quotes and escapes; no control bytes but HTAB
};

// In the order written, each name once.
using AuthParameters = std::vector<AuthParameter>;

// The parameter of that name in any case, or null.
[[nodiscard]] const AuthParameter* find_parameter(const AuthParameters& parameters,
                                                  std::string_view name);

// A scheme with either a token68, or parameters, or nothing.
struct Challenge {
  std::string_view scheme;  // a token, as written
  std::string_view token68;
  AuthParameters parameters;

  [[nodiscard]] bool is(std::string_view name) const { return equals_ignoring_case(scheme, name); }
  [[nodiscard]] const AuthParameter* find(std::string_view name) const {
    return find_parameter(parameters, name);
  }
};

// The challenges of all lines of the field `id`, in the order written; lines count as one list (RFC
// 9110 section 5.3). Views point into the lines, or into `text` where there were escapes.
//
// A token that "=" follows is a parameter of the challenge before it, any other begins a challenge.
// A challenge is left out when it has a parameter twice, a token68 and parameters, more than the
// limits allow, or a list element that is none of these (a comma in a quoted string ends nothing).
// A value that should have been quoted is taken up to the next comma or white space. So a line that
// nothing is wrong with gives all its challenges, and a mistake costs the challenge it is in.
[[nodiscard]] std::vector<Challenge> parse_challenges(const FieldSection& fields, FieldId id,
                                                      Arena& text);
// The same of one value: also of credentials (Authorization, Proxy-Authorization), which are
// written like one challenge.
[[nodiscard]] std::vector<Challenge> parse_challenges(std::string_view value, Arena& text);

// The parameters of Authentication-Info or Proxy-Authentication-Info (RFC 7615): the whole list, or
// none when any of it can't be understood, is there twice, or is more than the limits allow.
[[nodiscard]] AuthParameters parse_auth_info(const FieldSection& fields, FieldId id, Arena& text);

// The scheme of credentials, or of one challenge, as written; empty where there is none.
[[nodiscard]] std::string_view scheme_of(std::string_view credentials);

// True for schemes that authenticate a connection, not a request: NTLM, Negotiate (RFC 4559) and
// Kerberos. All that follows on the connection is then of that user, so it can't be shared.
[[nodiscard]] bool is_connection_bound(std::string_view scheme);

// Appends `text` as a quoted string (RFC 9110 section 5.6.4). It has no control bytes but HTAB.
void append_quoted(std::string& out, std::string_view text);

}  // namespace penstock
