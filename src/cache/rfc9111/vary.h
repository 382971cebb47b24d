// Vary: which stored response a request selects (RFC 9110 section 12.5.5, RFC 9111 section 4.1).
//
// What a response was selected by is written into one text, its *variant key*: for each name in
// Vary the name and what the request had there, in a normal form. A later request selects the
// response if the same names make the same key of it. Keys are the same in every process, so they
// may be kept on disk; a change of the normal form only costs hits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "message/fields.h"
#include "message/head.h"

namespace penstock::rfc9111 {

// What of Vary is looked at: a response with more names, or longer ones, counts as one with "*".
inline constexpr std::size_t kMaxVaryNames = 32;
inline constexpr std::size_t kMaxVaryText = 1024;     // bytes of all names together
inline constexpr std::size_t kMaxVariantKey = 16384;  // bytes; a longer one is not made

struct VaryRules {
  // Accept, Accept-Charset, Accept-Encoding and Accept-Language are compared by what they mean:
  // without regard to order, case, spaces and ways to write a weight. What cannot be understood is
  // compared as text. Off: these are like any other field.
  bool by_meaning = true;
  // If not empty, of Accept-Encoding only these count, in lower case: what is said of others makes
  // no difference. For origins of which it is known what codings they have; "gzip, deflate, br" and
  // "gzip, br" then select the same. The texts must outlive the rules.
  std::span<const std::string_view> codings = {};
  // A response that has one Content-Language is selected, too, by an Accept-Language that wants
  // exactly that language more than any other. Right where a language is all that Accept-Language
  // decides there; not where a page also greets in the second language of the list.
  bool by_content_language = false;
};

enum class VaryKind : std::uint8_t {
  none,   // no Vary, or an empty one: every request selects the response
  names,  // requests with the same fields do
  any     // "*", or more than the limits: no request ever does
};

// The names of all Vary lines. `text` has them in lower case, sorted, each once, with a comma
// between two; empty unless the kind is `names`. A "*" anywhere makes it `any`, and so does what is
// not a token: it might have been meant for a field.
struct VaryNames {
  VaryKind kind = VaryKind::none;
  std::string text;

  friend bool operator==(const VaryNames&, const VaryNames&) = default;
};
[[nodiscard]] VaryNames parse_vary(const FieldSection& response);

// The variant key of a request for those names (the `text` of VaryNames). For each name a line:
// "name" where the request has no such field, else "name:" and the value. Of a value all lines are
// joined, and white space around commas is gone; except in quoted strings, and in fields that are
// no lists (Cookie, User-Agent, dates and others), which are taken as they are. Empty for no names.
// Nothing where the key would be longer than kMaxVariantKey: such a response is not to be stored,
// such a request selects nothing.
//
// `request` is the request as the cache was given it, for storing as for selecting: what is changed
// on the way to the origin must be the same for both.
[[nodiscard]] std::optional<std::string> variant_key(std::string_view names,
                                                     const FieldSection& request,
                                                     const VaryRules& rules = {});
// The names that a variant key was made for.
[[nodiscard]] std::string names_of_key(std::string_view key);

// Whether the request selects the response of that key: variant_key() of it would be the same text.
// Takes no memory. `content_language` is that of the stored response, for `by_content_language`.
[[nodiscard]] bool selects(std::string_view key, const FieldSection& request,
                           const VaryRules& rules = {}, std::string_view content_language = {});

// True when the one language of `content_language` is what Accept-Language of the request wants
// more than all others: named itself, letter by letter but for case, with a weight above that of
// each other range. Not by a shorter range ("de" for "de-AT"), as there might be a better one.
[[nodiscard]] bool prefers_language(const FieldSection& request, std::string_view content_language);

}  // namespace penstock::rfc9111
