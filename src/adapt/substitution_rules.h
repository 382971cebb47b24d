// Rules that replace text, compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/body_settings.h"

namespace re2 {
class RE2;
}

namespace penstock {

// A place in a text, in bytes from its beginning.
struct TextMatch {
  std::size_t start = 0;
  std::size_t end = 0;
  [[nodiscard]] bool empty() const { return start == end; }
  friend bool operator==(const TextMatch&, const TextMatch&) = default;
};

// One rule. The texts it is asked about may be parts of a larger one: a text that does not begin
// where the larger one does has to have one byte more in front than is asked about, for assertions
// about what is before.
class CompiledRule {
 public:
  CompiledRule(CompiledRule&&) noexcept;
  ~CompiledRule();

  [[nodiscard]] bool once() const { return once_; }
  // It has assertions about what is before them ("^", "\b").
  [[nodiscard]] bool looks_behind() const { return looks_behind_; }

  // The first place from `from` on at which there may be a match, or may not, by what follows the
  // text; the end of the text if there is none before. At all places before that the answer is the
  // same whatever follows.
  [[nodiscard]] std::size_t undecided_from(std::string_view text, std::size_t from) const;

  struct Search {
    std::optional<TextMatch> match;  // the first one
    std::size_t searched_to = 0;     // no match begins before that, other than `match`
    std::size_t work = 0;            // bytes looked at
  };
  // Looks for a match that begins at one of the places from `from` to before `to`, which all have
  // to be decided, and of which there is at least one. It does a bounded amount of work, so without
  // a match it may be only part of the way to `to`.
  [[nodiscard]] Search find(std::string_view text, std::size_t from, std::size_t to) const;

  // Appends what is put in the place of a match in the text.
  void append_replacement(std::string_view text, const TextMatch& match, std::string& to) const;

 private:
  friend class SubstitutionRules;
  CompiledRule(const SubstitutionRule& rule, std::size_t longest);
  [[nodiscard]] std::string compile_expression(const SubstitutionRule& rule);
  void set_literal(std::string_view text);
  [[nodiscard]] std::size_t prefix_behind(std::size_t size, char c) const;
  [[nodiscard]] std::size_t undecided_literal(std::string_view text, std::size_t from) const;
  [[nodiscard]] Search find_literal(std::string_view text, std::size_t from, std::size_t to) const;
  [[nodiscard]] bool is_empty_inside_character(std::string_view text, const TextMatch& match) const;

  std::size_t longest_;
  bool once_;
  bool looks_behind_ = false;
  std::string literal_;                 // if there is no expression
  std::vector<std::uint32_t> borders_;  // of its beginnings: how long a beginning they end with
  std::string replacement_;
  std::unique_ptr<re2::RE2> expression_;
  int groups_ = 0;  // of the expression, that the replacement refers to
  // What OpenPattern says. If it says nothing, the last `longest_` places are all undecided.
  bool open_known_ = false;
  std::unique_ptr<re2::RE2> open_;  // at the end of a text
  std::unique_ptr<re2::RE2> probe_;
};

// Several rules that replace text in one pass. Never changes, so threads may share it.
//
// From the left, at each place of the text the rules are tried in their order. The first that
// matches there replaces its match, and the next place is the end of the match; what was put in is
// not looked at. `^`, `$`, `\b` and the like look at the text as it was; a body is one text.
//
// An expression prefers among its matches at a place as Perl does (leftmost-first), but it sees no
// more of the text than `longest` bytes from there: a longer match is none. It may match no bytes;
// but not inside a character, nor where a match with bytes ends. Then the replacement is put in,
// and the next place is behind the next byte. Expressions match characters of UTF-8; bytes that are
// none match nothing, and are passed on. "Ignore case" is that of Unicode.
class SubstitutionRules {
 public:
  // `longest` is kept between 1 and kMostLongestMatch. The error is a sentence that says which rule
  // is wrong and why.
  static std::expected<std::shared_ptr<const SubstitutionRules>, std::string> compile(
      std::span<const SubstitutionRule> rules, std::size_t longest = kUsualLongestMatch);

  [[nodiscard]] std::size_t size() const { return rules_.size(); }
  [[nodiscard]] const CompiledRule& operator[](std::size_t i) const { return rules_[i]; }
  [[nodiscard]] std::size_t longest() const { return longest_; }

 private:
  explicit SubstitutionRules(std::size_t longest) : longest_(longest) {}

  std::vector<CompiledRule> rules_;
  std::size_t longest_;
};

}  // namespace penstock
