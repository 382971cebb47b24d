#include "upstream/authenticator.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/check.h"
#include "message/base64.h"

namespace penstock {
namespace {

using Scheme = CredentialSettings::Scheme;

// Empty when there is no randomness.
std::string make_cnonce() {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
  return std::string(HexText(bytes.data(), bytes.size()).view());
}

// True when these are Digest credentials of ours for that realm. They may be longer than what is
// parsed; inside of quoted strings this text can't stand, since there quotes are escaped.
bool answers_realm(std::string_view sent, std::string_view realm) {
  std::string named = ", realm=";
  append_quoted(named, realm);
  return sent.starts_with("Digest ") && sent.contains(named + ", nonce=\"");
}

}  // namespace

Authenticator::Authenticator(std::shared_ptr<Credential> credential)
    : credential_(std::move(credential)) {
  PENSTOCK_CHECK(credential_ != nullptr);
  const CredentialSettings& settings = credential_->settings();
  if (!settings.preemptive || !settings.realm.empty()) return;
  if (settings.scheme == Scheme::basic) answer_ = Answer::basic;
  if (settings.scheme == Scheme::bearer) answer_ = Answer::bearer;
}

std::string_view Authenticator::authorization(const AuthRequest& request, Arena& arena,
                                              TimePoint now) {
  switch (answer_) {
    case Answer::nothing:
      return {};
    case Answer::basic:
      return arena.copy(basic_value(now));
    case Answer::bearer:
      return arena.copy(bearer_value(now));
    case Answer::digest:
      return arena.copy(digest_value(request, now));
  }
  return {};
}

bool Authenticator::challenged(const FieldSection& fields, FieldId challenge_field,
                               std::string_view sent, TimePoint now) {
  Arena text;
  const std::vector<Challenge> challenges = parse_challenges(fields, challenge_field, text);
  if (may_answer(Answer::digest)) {
    std::optional<DigestChallenge> digest =
        choose_digest_challenge(challenges, credential_->settings().realm);
    if (digest) return accept_digest(std::move(*digest), sent, now);
  }
  if (may_answer(Answer::basic) && offers(challenges, "Basic")) {
    return accept_plain(Answer::basic, sent, now);
  }
  if (may_answer(Answer::bearer) && offers(challenges, "Bearer")) {
    return accept_plain(Answer::bearer, sent, now);
  }
  return false;
}

void Authenticator::informed(const FieldSection& fields, FieldId info_field) {
  if (answer_ != Answer::digest || !fields.has(info_field)) return;
  Arena text;
  const AuthParameters info = parse_auth_info(fields, info_field, text);
  const AuthParameter* const next = find_parameter(info, "nextnonce");
  if (next == nullptr || next->value.size() > DigestChallenge::kMaxText) return;
  if (next->value == session_->challenge.nonce) return;
  session_->challenge.nonce = next->value;
  session_->count = 0;
}

bool Authenticator::may_answer(Answer answer) const {
  switch (credential_->settings().scheme) {
    case Scheme::automatic:
      return answer == Answer::digest || answer == Answer::basic;
    case Scheme::basic:
      return answer == Answer::basic;
    case Scheme::digest:
      return answer == Answer::digest;
    case Scheme::bearer:
      return answer == Answer::bearer;
  }
  return false;
}

bool Authenticator::offers(const std::vector<Challenge>& challenges,
                           std::string_view scheme) const {
  const std::string& wanted = credential_->settings().realm;
  return std::ranges::any_of(challenges, [&](const Challenge& challenge) {
    if (!challenge.is(scheme)) return false;
    const AuthParameter* const realm = challenge.find("realm");
    return wanted.empty() || (realm != nullptr && realm->value == wanted);
  });
}

// RFC 7617 section 2.
std::string Authenticator::basic_value(TimePoint now) {
  const std::string& user = credential_->settings().user;
  const std::optional<std::string_view> password = credential_->secret(now);
  if (!password || user.contains(':')) return {};
  std::string both;
  both.reserve(user.size() + 1 + password->size());
  both.append(user).append(":").append(*password);
  std::string value = "Basic " + to_base64(both);
  OPENSSL_cleanse(both.data(), both.size());
  return value;
}

// RFC 6750 section 2.1.
std::string Authenticator::bearer_value(TimePoint now) {
  const std::optional<std::string_view> token = credential_->secret(now);
  return token ? std::string("Bearer ").append(*token) : std::string{};
}

std::string Authenticator::digest_value(const AuthRequest& request, TimePoint now) {
  Session& session = *session_;
  const std::optional<std::string_view> password = credential_->secret(now);
  // With a session: its first one throughout. Servers differ in whether the key is made of that, or
  // of the cnonce at hand.
  const bool keep = session.challenge.session && !session.first_cnonce.empty();
  const std::string cnonce = keep ? session.first_cnonce : make_cnonce();
  if (!password || cnonce.empty()) return {};
  if (session.count == std::numeric_limits<std::uint32_t>::max()) {
    // Used up: the next challenge brings another nonce.
    answer_ = Answer::nothing;
    session_.reset();
    return {};
  }
  if (session.first_cnonce.empty()) {
    session.first_nonce = session.challenge.nonce;
    session.first_cnonce = cnonce;
  }
  ++session.count;
  session.secret_version = credential_->version();
  return digest_credentials(session.challenge, {.user = credential_->settings().user,
                                                .password = *password,
                                                .method = request.method,
                                                .uri = request.uri,
                                                .cnonce = cnonce,
                                                .count = session.count,
                                                .session_nonce = session.first_nonce,
                                                .session_cnonce = session.first_cnonce});
}

bool Authenticator::accept_plain(Answer answer, std::string_view sent, TimePoint now) {
  answer_ = answer;
  session_.reset();
  const std::string value = answer == Answer::basic ? basic_value(now) : bearer_value(now);
  return !value.empty() && value != sent;
}

bool Authenticator::accept_digest(DigestChallenge challenge, std::string_view sent, TimePoint now) {
  const bool has_secret = credential_->secret(now).has_value();
  const bool new_secret = session_ && session_->secret_version != credential_->version();
  const bool refused = answers_realm(sent, challenge.realm) && !challenge.stale && !new_secret;

  Session next;
  next.secret_version = credential_->version();
  // A server may say the same nonce again, and still count.
  if (session_ && session_->challenge.nonce == challenge.nonce) next.count = session_->count;
  next.challenge = std::move(challenge);
  session_ = std::move(next);
  answer_ = Answer::digest;
  return has_secret && !refused;
}

}  // namespace penstock
