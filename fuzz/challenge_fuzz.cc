// Any lines as challenges and as authentication info: nothing in the result that could not be
// written into a field again, and written plainly it is understood as the same. Digest challenges
// are answered.
#include "message/challenge.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "message/characters.h"
#include "message/fields.h"
#include "upstream/digest.h"

namespace {

using namespace penstock;

bool has_no_control_bytes(std::string_view text) {
  return find_control(text.data(), text.data() + text.size()) == text.data() + text.size();
}

bool lies_inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_parameters(const AuthParameters& parameters, std::string_view input) {
  PENSTOCK_CHECK(parameters.size() <= kMaxAuthParameters);
  for (const AuthParameter& parameter : parameters) {
    PENSTOCK_CHECK(is_token(parameter.name) && lies_inside(parameter.name, input));
    PENSTOCK_CHECK(has_no_control_bytes(parameter.value));
    // Text is copied only to take escapes out.
    PENSTOCK_CHECK(lies_inside(parameter.value, input) || input.contains('\\'));
    PENSTOCK_CHECK(find_parameter(parameters, parameter.name) == &parameter);
  }
}

void append_parameters(std::string& out, const AuthParameters& parameters) {
  for (const AuthParameter& parameter : parameters) {
    if (&parameter != &parameters.front()) out += ", ";
    out.append(parameter.name).append("=");
    append_quoted(out, parameter.value);
  }
}

std::string written(const std::vector<Challenge>& challenges) {
  std::string text;
  for (const Challenge& challenge : challenges) {
    if (!text.empty()) text += ", ";
    text.append(challenge.scheme).append(" ").append(challenge.token68);
    append_parameters(text, challenge.parameters);
  }
  return text;
}

void check_same(const AuthParameters& a, const AuthParameters& b) {
  PENSTOCK_CHECK(std::ranges::equal(a, b, [](const AuthParameter& x, const AuthParameter& y) {
    return x.name == y.name && x.value == y.value;
  }));
}

void check_same(const std::vector<Challenge>& a, const std::vector<Challenge>& b) {
  PENSTOCK_CHECK(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    PENSTOCK_CHECK(a[i].scheme == b[i].scheme && a[i].token68 == b[i].token68);
    check_same(a[i].parameters, b[i].parameters);
  }
}

void check_answer(const std::vector<Challenge>& challenges) {
  const auto challenge = choose_digest_challenge(challenges, {});
  if (!challenge) return;
  const std::string answer = digest_credentials(
      *challenge,
      {.user = "a\"\xff", .password = "b", .method = "GET", .uri = "/\\\"?a=b, c", .cnonce = "c"});
  PENSTOCK_CHECK(!answer.empty() && is_field_value(answer));
  Arena text;
  const auto read = parse_challenges(answer, text);
  PENSTOCK_CHECK(read.size() == 1 && read.front().is("Digest"));
  PENSTOCK_CHECK(read.front().find("realm")->value == challenge->realm);
  PENSTOCK_CHECK(read.front().find("nonce")->value == challenge->nonce);
  PENSTOCK_CHECK(read.front().find("uri")->value == "/\\\"?a=b, c");
  const AuthParameter* const opaque = read.front().find("opaque");
  PENSTOCK_CHECK((opaque != nullptr) == challenge->opaque.has_value());
  PENSTOCK_CHECK(opaque == nullptr || opaque->value == *challenge->opaque);
}

void check_challenges(const FieldSection& fields, std::string_view input) {
  Arena text;
  const auto challenges = parse_challenges(fields, FieldId::www_authenticate, text);
  PENSTOCK_CHECK(challenges.size() <= kMaxChallenges);
  for (const Challenge& challenge : challenges) {
    PENSTOCK_CHECK(is_token(challenge.scheme) && lies_inside(challenge.scheme, input));
    PENSTOCK_CHECK(lies_inside(challenge.token68, input));
    PENSTOCK_CHECK(challenge.token68.empty() || challenge.parameters.empty());
    PENSTOCK_CHECK(scheme_of(challenge.scheme) == challenge.scheme);
    check_parameters(challenge.parameters, input);
  }
  check_answer(challenges);
  // Written plainly, it may become longer than the limit.
  const std::string plain = written(challenges);
  if (plain.size() <= kMaxChallengeText) check_same(parse_challenges(plain, text), challenges);
  // Several lines are one list, unless a quoted string is cut.
  if (input.contains('"') || input.size() > kMaxChallengeText) return;
  std::string joined(input);
  std::ranges::replace(joined, '\n', ',');
  check_same(parse_challenges(joined, text), challenges);
}

void check_info(const FieldSection& fields, std::string_view input) {
  Arena text;
  const AuthParameters info = parse_auth_info(fields, FieldId::www_authenticate, text);
  check_parameters(info, input);
  std::string plain;
  append_parameters(plain, info);
  if (plain.size() > kMaxChallengeText) return;
  FieldSection again;
  again.add(FieldId::authentication_info, plain);
  check_same(parse_auth_info(again, FieldId::authentication_info, text), info);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  FieldSection fields;
  for (std::size_t start = 0; start <= input.size();) {
    const std::size_t end = std::min(input.find('\n', start), input.size());
    fields.add(FieldId::www_authenticate, input.substr(start, end - start));
    start = end + 1;
  }
  check_challenges(fields, input);
  check_info(fields, input);
  const std::string_view scheme = scheme_of(input);
  PENSTOCK_CHECK(scheme.empty() || (is_token(scheme) && input.starts_with(scheme)));
  return 0;
}
