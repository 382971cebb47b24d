#include "adapt/substitution_rules.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <re2/re2.h>

#include "adapt/open_pattern.h"
#include "base/check.h"

namespace penstock {
namespace {

constexpr std::size_t kMostGroups = 10;
// A search that finds nothing goes over so much at a time, in matches of the longest kind, and at
// least over so much: what is more than one of them is not looked at twice.
constexpr std::size_t kSearchMatches = 4;
constexpr std::size_t kSearchLeast = 16 * 1024;
// How many matches at the end of a text are looked at one by one.
constexpr int kMostSettled = 8;

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

RE2::Options options(bool ignore_case, bool captures) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(!ignore_case);
  options.set_never_capture(!captures);
  return options;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

// The bytes at the end that may be the beginning of a character.
std::size_t incomplete_character(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (is_continuation(text[text.size() - back])) continue;
    const std::size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? back : 0;
  }
  return 0;
}

std::string doubled_backslashes(std::string_view text) {
  std::string result;
  for (const char c : text) result.append(c == '\\' ? 2 : 1, c);
  return result;
}

}  // namespace

CompiledRule::CompiledRule(const SubstitutionRule& rule, std::size_t longest)
    : longest_(longest), once_(rule.once) {}
CompiledRule::CompiledRule(CompiledRule&&) noexcept = default;
CompiledRule::~CompiledRule() = default;

// Empty, or what is wrong.
std::string CompiledRule::compile_expression(const SubstitutionRule& rule) {
  const std::string pattern = rule.regex ? rule.pattern : RE2::QuoteMeta(rule.pattern);
  replacement_ = rule.regex ? rule.replacement : doubled_backslashes(rule.replacement);
  groups_ = RE2::MaxSubmatch(replacement_) + 1;
  expression_ = std::make_unique<RE2>(pattern, options(rule.ignore_case, groups_ > 1));
  if (!expression_->ok()) return expression_->error();
  std::string error;
  if (!expression_->CheckRewriteString(replacement_, &error)) return error;

  const auto open = open_pattern(pattern, rule.ignore_case);
  looks_behind_ = !open || open->looks_behind;
  if (!open) return {};
  open_known_ = true;
  if (!open->text) return {};
  open_ = std::make_unique<RE2>("(?:" + *open->text + ")\\z", options(false, false));
  probe_ = std::make_unique<RE2>(open->probe, options(false, false));
  open_known_ = open_->ok() && probe_->ok();  // or they are too large for the library
  return {};
}

void CompiledRule::set_literal(std::string_view text) {
  literal_ = text;
  borders_.resize(text.size());
  for (std::size_t i = 1; i < text.size(); ++i) {
    borders_[i] = static_cast<std::uint32_t>(prefix_behind(borders_[i - 1], text[i]));
  }
}

// What the text ends with of the beginning of the literal, when so much of it was there before `c`
// (the automaton of Knuth, Morris and Pratt).
std::size_t CompiledRule::prefix_behind(std::size_t size, char c) const {
  while (size > 0 && literal_[size] != c) size = borders_[size - 1];
  return literal_[size] == c ? size + 1 : 0;
}

std::size_t CompiledRule::undecided_literal(std::string_view text, std::size_t from) const {
  const std::size_t most = literal_.size() - 1;
  std::size_t prefix = 0;
  for (const char c : text.substr(std::max(from, text.size() > most ? text.size() - most : 0))) {
    prefix = prefix_behind(prefix, c);
  }
  return text.size() - prefix;
}

std::size_t CompiledRule::undecided_from(std::string_view text, std::size_t from) const {
  if (!expression_) return undecided_literal(text, from);
  // All that a match from further in front may look at is there.
  const std::size_t first = std::max(from, text.size() > longest_ ? text.size() - longest_ : 0);
  if (!open_known_) return first;
  const std::string_view whole = text.substr(0, text.size() - incomplete_character(text));
  const re2::StringPiece characters = piece(whole);
  std::size_t place = first;
  for (int settled = 0; open_ != nullptr && place < whole.size(); ++settled, ++place) {
    re2::StringPiece found;
    if (!open_->Match(characters, place, whole.size(), RE2::UNANCHORED, &found, 1)) break;
    place = static_cast<std::size_t>(found.data() - text.data());
    // A match that has begun, but is not the preferred one, decides nothing.
    const bool open =
        settled == kMostSettled || place == whole.size() ||
        (probe_->Match(characters, place, whole.size(), RE2::ANCHOR_START, &found, 1) &&
         found.data() + found.size() == whole.data() + whole.size());
    if (open) return place;
  }
  return std::max(from, whole.size());
}

CompiledRule::Search CompiledRule::find_literal(std::string_view text, std::size_t from,
                                                std::size_t to) const {
  // In linear time, whatever the texts.
  const void* const found =
      memmem(text.data() + from, text.size() - from, literal_.data(), literal_.size());
  const std::size_t start =
      found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data())
                       : to;
  if (start >= to) return {.match = {}, .searched_to = to, .work = text.size() - from};
  const TextMatch match{.start = start, .end = start + literal_.size()};
  return {.match = match, .searched_to = start, .work = match.end - from};
}

bool CompiledRule::is_empty_inside_character(std::string_view text, const TextMatch& match) const {
  return match.empty() && match.start < text.size() && is_continuation(text[match.start]);
}

CompiledRule::Search CompiledRule::find(std::string_view text, std::size_t from,
                                        std::size_t to) const {
  if (!expression_) return find_literal(text, from, to);
  const std::size_t region =
      std::min(text.size() - from, std::max(kSearchMatches * longest_, kSearchLeast));
  // Matches that begin behind that may go on behind the region.
  const std::size_t sure = from + region == text.size() ? to : from + region - longest_;
  Search search{.match = {}, .searched_to = std::min(sure, to), .work = region};
  re2::StringPiece found;
  if (!expression_->Match(piece(text), from, from + region, RE2::UNANCHORED, &found, 1)) {
    return search;
  }
  const auto start = static_cast<std::size_t>(found.data() - text.data());
  if (start >= search.searched_to) return search;
  search.searched_to = start;
  search.work = start + found.size() - from;
  TextMatch match{.start = start, .end = start + found.size()};
  if (found.size() > longest_) {
    // Among the matches that are not too long another one may be preferred.
    search.work += longest_;
    if (!expression_->Match(piece(text), start, start + longest_, RE2::ANCHOR_START, &found, 1)) {
      search.searched_to = start + 1;
      return search;
    }
    match.end = start + found.size();
  }
  if (is_empty_inside_character(text, match)) {
    search.searched_to = start + 1;
  } else {
    search.match = match;
  }
  return search;
}

void CompiledRule::append_replacement(std::string_view text, const TextMatch& match,
                                      std::string& to) const {
  if (!expression_) {
    to += replacement_;
    return;
  }
  std::array<re2::StringPiece, kMostGroups> groups;
  groups[0] = piece(text.substr(match.start, match.end - match.start));
  if (groups_ > 1) {
    PENSTOCK_CHECK(expression_->Match(piece(text), match.start, match.end, RE2::ANCHOR_BOTH,
                                      groups.data(), groups_));
  }
  PENSTOCK_CHECK(expression_->Rewrite(&to, replacement_, groups.data(), groups_));
}

std::expected<std::shared_ptr<const SubstitutionRules>, std::string> SubstitutionRules::compile(
    std::span<const SubstitutionRule> rules, std::size_t longest) {
  const std::size_t within = std::clamp<std::size_t>(longest, 1, kMostLongestMatch);
  auto made = std::shared_ptr<SubstitutionRules>(new SubstitutionRules(within));
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const SubstitutionRule& rule = rules[i];
    const auto wrong = [i](std::string_view why) {
      return std::unexpected("rule " + std::to_string(i + 1) + ": " + std::string(why));
    };
    if (rule.pattern.empty()) return wrong("the pattern is empty");
    if (!rule.regex && rule.pattern.size() > within) {
      return wrong("the text is longer than a match may be, which is " + std::to_string(within) +
                   " bytes");
    }
    CompiledRule compiled(rule, within);
    if (rule.regex || rule.ignore_case) {
      const std::string error = compiled.compile_expression(rule);
      if (!error.empty()) return wrong(error);
    } else {
      compiled.set_literal(rule.pattern);
      compiled.replacement_ = rule.replacement;
    }
    made->rules_.push_back(std::move(compiled));
  }
  return made;
}

}  // namespace penstock
