// Regular expressions on URLs, and what takes the place of their matches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/variables.h"

namespace re2 {
class RE2;
}

namespace penstock {

// What is wrong with a pattern, as a sentence; empty: nothing.
[[nodiscard]] std::string problem_of_pattern(std::string_view pattern);
// The same of a replacement: \0 is all of the match, \1 to \9 its groups, "\\" a backslash.
[[nodiscard]] std::string problem_of_replacement(std::string_view pattern, std::string_view text);
// The same of a group written as it is elsewhere, "$1" or "${1}".
[[nodiscard]] std::string problem_of_groups(std::string_view text);
// The same of the replacement in a rewrite of the path with the query, or of all of the URL
// (`url`): that it is no replacement, or that no request could be rewritten so, as far as that can
// be told without one.
[[nodiscard]] std::string problem_of_rewrite(std::string_view pattern, std::string_view text,
                                             bool url);
// The same of a place to send clients to: a path, or a URL with http or https; with groups, and
// with variables, which have been looked at (config/field_rules.h). An empty pattern has no groups.
[[nodiscard]] std::string problem_of_location(std::string_view pattern, std::string_view text);

// A match: the whole of it and its groups; those that did not take part are empty.
using UrlMatch = std::array<std::string_view, 10>;

// A pattern of RE2, found good. Works in time linear in the text. Does not change.
class UrlPattern {
 public:
  explicit UrlPattern(std::string_view pattern);
  UrlPattern(UrlPattern&&) noexcept;
  ~UrlPattern();

  // The first match; the views are into the text.
  [[nodiscard]] std::optional<UrlMatch> find(std::string_view text) const;

 private:
  std::unique_ptr<re2::RE2> expression_;
  int groups_;
};

// The text with the first match replaced; nothing where there is none. `replacement` is one found
// good.
[[nodiscard]] std::optional<std::string> replace_match(const UrlPattern& pattern,
                                                       std::string_view text,
                                                       std::string_view replacement);

// A place to send clients to, taken apart once. What a client has a say in, groups and variables,
// cannot make another place of it than was meant: in the authority they are parts of a name or a
// port, and where they follow it they begin with "/"; a path stays one; and all that cannot stand
// in a URI is percent-encoded.
class LocationTemplate {
 public:
  // The text must have been found good, and must outlive it.
  explicit LocationTemplate(std::string_view text);

  // Nothing where a group in the authority is no part of a name.
  [[nodiscard]] std::optional<std::string> fill(const UrlMatch& match,
                                                const VariableContext& context) const;

 private:
  struct Part {
    enum class Kind : std::uint8_t { text, group, variable };
    Kind kind;
    std::string text;       // of the text
    std::size_t group = 0;  // number
    TextTemplate variable{""};
  };
  [[nodiscard]] bool may_extend_host(std::size_t part) const;

  std::vector<Part> parts_;
  bool absolute_;
};

}  // namespace penstock
