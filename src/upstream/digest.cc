#include "upstream/digest.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "message/characters.h"
#include "message/fields.h"

namespace penstock {
namespace {

bool is_true(const AuthParameter* parameter) {
  return parameter != nullptr && equals_ignoring_case(parameter->value, "true");
}

bool read_algorithm(std::string_view name, DigestChallenge& challenge) {
  constexpr std::string_view kSession = "-sess";
  if (name.size() > kSession.size() &&
      equals_ignoring_case(name.substr(name.size() - kSession.size()), kSession)) {
    challenge.session = true;
    name.remove_suffix(kSession.size());
  }
  for (const DigestHash hash : {DigestHash::md5, DigestHash::sha512_256, DigestHash::sha256}) {
    if (!equals_ignoring_case(name, to_string(hash))) continue;
    challenge.hash = hash;
    return is_available(hash);
  }
  return false;
}

// What of "auth" and others is offered; false when nothing is that we do.
bool read_qop(const AuthParameter* parameter, DigestChallenge& challenge) {
  bool any = false;
  challenge.qop_auth = false;
  for_each_element(parameter != nullptr ? parameter->value : std::string_view{},
                   [&](std::string_view option) {
                     any = true;
                     if (equals_ignoring_case(option, "auth")) challenge.qop_auth = true;
                   });
  // RFC 2069 has neither qop nor other algorithms nor sessions.
  return challenge.qop_auth || (!any && challenge.hash == DigestHash::md5 && !challenge.session);
}

bool has_control(std::string_view text) {
  return text.contains('\t') ||
         find_control(text.data(), text.data() + text.size()) != text.data() + text.size();
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// ext-value of RFC 8187 section 3.2: attr-char as they are, the rest in percent-encoding.
std::string extended_value(std::string_view text) {
  using namespace characters;
  std::string out = "UTF-8''";
  for (const char c : text) {
    if (has_class(c, kAlpha | kDigit) || std::string_view("!#$&+-.^_`|~").contains(c)) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// H(A1), RFC 7616 section 3.4.2.
std::optional<HexText> hash_user(const DigestChallenge& challenge, const DigestInput& input) {
  const auto plain = hash_joined(challenge.hash, {input.user, challenge.realm, input.password});
  if (!plain || !challenge.session) return plain;
  return hash_joined(challenge.hash, {plain->view(), input.session_nonce, input.session_cnonce});
}

// RFC 7616 section 3.4.1.
std::optional<HexText> hash_response(const DigestChallenge& challenge, const DigestInput& input,
                                     std::string_view count) {
  const auto a1 = hash_user(challenge, input);
  const auto a2 = hash_joined(challenge.hash, {input.method, input.uri});
  if (!a1 || !a2) return std::nullopt;
  if (!challenge.qop_auth) {
    return hash_joined(challenge.hash, {a1->view(), challenge.nonce, a2->view()});
  }
  return hash_joined(challenge.hash,
                     {a1->view(), challenge.nonce, count, input.cnonce, "auth", a2->view()});
}

// Writes "name=value" pairs.
class Writer {
 public:
  void quoted(std::string_view name, std::string_view value) {
    begin(name);
    append_quoted(text_, value);
  }
  void plain(std::string_view name, std::string_view value) {
    begin(name);
    text_.append(value);
  }
  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name) {
    text_.append(text_.empty() ? "Digest " : ", ").append(name).push_back('=');
  }
  std::string text_;
};

// False when it can't be.
bool write_user(Writer& writer, const DigestChallenge& challenge, std::string_view user) {
  if (challenge.userhash) {
    const auto hashed = hash_joined(challenge.hash, {user, challenge.realm});
    if (hashed) writer.quoted("username", hashed->view());
    return hashed.has_value();
  }
  if (challenge.utf8 && !is_ascii(user)) {
    writer.plain("username*", extended_value(user));
  } else {
    writer.quoted("username", user);
  }
  return true;
}

}  // namespace

std::optional<DigestChallenge> read_digest_challenge(const Challenge& challenge) {
  const AuthParameter* const realm = challenge.find("realm");
  const AuthParameter* const nonce = challenge.find("nonce");
  const AuthParameter* const opaque = challenge.find("opaque");
  const AuthParameter* const algorithm = challenge.find("algorithm");
  if (!challenge.is("Digest") || realm == nullptr || nonce == nullptr) return std::nullopt;
  for (const AuthParameter* const text : {realm, nonce, opaque}) {
    if (text != nullptr && text->value.size() > DigestChallenge::kMaxText) return std::nullopt;
  }

  DigestChallenge result;
  result.names_algorithm = algorithm != nullptr;
  if (!read_algorithm(algorithm != nullptr ? algorithm->value : "MD5", result)) return std::nullopt;
  if (!read_qop(challenge.find("qop"), result)) return std::nullopt;
  result.realm = realm->value;
  result.nonce = nonce->value;
  if (opaque != nullptr) result.opaque = opaque->value;
  result.stale = is_true(challenge.find("stale"));
  result.userhash = is_true(challenge.find("userhash"));
  const AuthParameter* const charset = challenge.find("charset");
  result.utf8 = charset != nullptr && equals_ignoring_case(charset->value, "UTF-8");
  return result;
}

std::optional<DigestChallenge> choose_digest_challenge(const std::vector<Challenge>& challenges,
                                                       std::string_view realm) {
  const auto rank = [](const DigestChallenge& challenge) {
    return 2 * static_cast<int>(challenge.hash) + (challenge.session ? 0 : 1);
  };
  std::optional<DigestChallenge> best;
  for (const Challenge& challenge : challenges) {
    std::optional<DigestChallenge> next = read_digest_challenge(challenge);
    if (!next || (!realm.empty() && next->realm != realm)) continue;
    if (!best || rank(*next) > rank(*best)) best = std::move(next);
  }
  return best;
}

std::string digest_credentials(const DigestChallenge& challenge, const DigestInput& input) {
  if (has_control(input.user) || has_control(input.uri)) return {};
  const std::string count = fmt::format("{:08x}", input.count);
  const auto response = hash_response(challenge, input, count);
  Writer writer;
  if (!response || !write_user(writer, challenge, input.user)) return {};
  writer.quoted("realm", challenge.realm);
  writer.quoted("nonce", challenge.nonce);
  writer.quoted("uri", input.uri);
  if (challenge.names_algorithm) {
    std::string algorithm(to_string(challenge.hash));
    if (challenge.session) algorithm += "-sess";
    writer.plain("algorithm", algorithm);
  }
  if (challenge.qop_auth) {
    writer.plain("qop", "auth");
    writer.plain("nc", count);
    writer.quoted("cnonce", input.cnonce);
  }
  writer.quoted("response", response->view());
  if (challenge.opaque) writer.quoted("opaque", *challenge.opaque);
  if (challenge.userhash) writer.plain("userhash", "true");
  return writer.take();
}

}  // namespace penstock
