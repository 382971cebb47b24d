// Tags that origins put on responses, to have all with a tag purged: Surrogate-Key, where spaces
// separate them, and Cache-Tag, where commas do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "message/characters.h"
#include "message/fields.h"

namespace penstock::rfc9111 {

// Bounds of what is read of one response, both fields together; tags beyond them are left out.
inline constexpr std::size_t kMaxTags = 512;
inline constexpr std::size_t kMaxTagLength = 1024;

inline constexpr std::string_view kSurrogateKey = "Surrogate-Key";
inline constexpr std::string_view kCacheTag = "Cache-Tag";

// Takes the next tag off a text in which `separator` and white space around it stand between tags;
// empty at the end. Tags that are too long are passed over.
[[nodiscard]] std::string_view next_tag(std::string_view& text, char separator);

// Calls f(tag) for each tag of a response, as written (they are compared byte by byte); a tag that
// is there twice comes twice. Views into the fields. False: there were more than kMaxTags.
template <class F>
bool for_each_tag(const FieldSection& response, F f) {
  std::size_t count = 0;
  for (const Field& field : response) {
    const bool spaces = equals_ignoring_case(field.name, kSurrogateKey);
    if (!spaces && !equals_ignoring_case(field.name, kCacheTag)) continue;
    std::string_view rest = field.value;
    while (true) {
      const std::string_view tag = next_tag(rest, spaces ? ' ' : ',');
      if (tag.empty()) break;
      if (++count > kMaxTags) return false;
      f(tag);
    }
  }
  return true;
}

}  // namespace penstock::rfc9111
