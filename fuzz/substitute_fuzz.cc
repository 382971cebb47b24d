// Any rules on any text: what comes out is what the plainest way gives for the whole text, however
// it is cut.
//
// Lines are rules, a first byte of each choosing its flags; then an empty line and the text.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/pull_body_test.h"
#include "adapt/substitute_body.h"
#include "adapt/substitution_reference_test.h"
#include "base/check.h"

namespace {

using namespace penstock;

constexpr std::size_t kMostRules = 4;
constexpr std::size_t kLongestPattern = 60;
constexpr std::size_t kLongestText = 300;

struct Input {
  std::vector<SubstitutionRule> rules;
  std::size_t longest = 1;
  std::string_view text;
};

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

Input read(std::string_view rest) {
  Input input;
  if (!rest.empty()) input.longest = 1 + static_cast<unsigned char>(rest.front()) % 64U;
  if (input.longest > 48) input.longest = 1000;
  take_line(rest);
  while (input.rules.size() < kMostRules) {
    const std::string_view line = take_line(rest);
    if (line.empty()) break;
    const auto flags = static_cast<unsigned char>(line.front());
    SubstitutionRule rule;
    rule.pattern = line.substr(1, kLongestPattern);
    rule.regex = (flags & 1U) == 0;
    rule.ignore_case = (flags & 2U) != 0;
    rule.once = (flags & 4U) != 0;
    rule.replacement = rule.regex ? "[\\0]" : "<" + std::to_string(input.rules.size()) + ">";
    input.rules.push_back(rule);
  }
  input.text = rest.substr(0, kLongestText);
  return input;
}

// One that repeats very much makes every search slow.
bool repeats_much(const std::vector<SubstitutionRule>& rules) {
  for (const SubstitutionRule& rule : rules) {
    std::size_t digits = 0;
    for (const char c : rule.pattern) {
      digits = c >= '0' && c <= '9' ? digits + 1 : 0;
      if (digits > 1) return true;
    }
  }
  return false;
}

std::string substituted(std::vector<BodyPiece> pieces,
                        const std::shared_ptr<const SubstitutionRules>& rules) {
  TimedBody source(std::move(pieces));
  SubstituteBody body(source, rules);
  const PulledBody pulled = pull_all(body);
  PENSTOCK_CHECK(pulled.ended && body.at_end());
  return pulled.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input = read({reinterpret_cast<const char*>(data), size});
  if (repeats_much(input.rules)) return 0;
  const auto rules = SubstitutionRules::compile(input.rules, input.longest);
  if (!rules) return 0;
  const std::string expected = SubstitutionReference(input.rules, input.longest).apply(input.text);
  PENSTOCK_CHECK(substituted({{.text = std::string(input.text)}}, *rules) == expected);
  for (const std::size_t piece : {1U, 2U, 5U, 23U}) {
    PENSTOCK_CHECK(substituted(in_pieces(input.text, piece), *rules) == expected);
  }
  std::minstd_rand random(static_cast<unsigned>(size));
  PENSTOCK_CHECK(substituted(in_random_pieces(input.text, 40, random), *rules) == expected);
  return 0;
}
