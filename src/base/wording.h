// Words for messages: quoting, and the nearest known name for a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace penstock {

// The text between double quotes as TOML writes it, control characters escaped.
[[nodiscard]] std::string quoted(std::string_view text);

// `"a", "b" or "c"`.
[[nodiscard]] std::string alternatives(std::span<const std::string_view> words);

// The known word most like the given one, if one is near enough to have been meant. Letters swapped
// with their neighbour count as one mistake; upper and lower case are the same; a word's beginning
// is near to it.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> known);

// `did you mean "head"?`, or, if nothing is near, `expected "head", "fields" or "body"`.
[[nodiscard]] std::string hint(std::string_view word, std::span<const std::string_view> known);

}  // namespace penstock
