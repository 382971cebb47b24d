// Whether more text could make a match of what there is: an expression made from another one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock {

// Of an expression, in the syntax of RE2, that is matched against a text that is not complete.
struct OpenPattern {
  // Matches the texts with which a match may have begun that depends on what follows them: on more
  // characters, or on whether there are any ("foo" of "foo+", and of "foo$"). It may match others
  // too, as it takes all assertions ("\b") for true. Not anchored. Nothing: there are no such
  // texts.
  std::optional<std::string> text;
  // Matches where the expression does, with the same preference, and where the text ends takes all
  // that is still to come for true. So a match of it that ends before is the one of the expression,
  // whatever follows the text.
  std::string probe;
  // Has an assertion about what is before it.
  bool looks_behind = false;
};

// The one for `pattern`, which RE2 accepts as UTF-8. Nothing where it uses what is not understood
// here, or is too large.
[[nodiscard]] std::optional<OpenPattern> open_pattern(std::string_view pattern, bool ignore_case);

}  // namespace penstock
