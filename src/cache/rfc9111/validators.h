// Validators: entity tags and modification dates (RFC 9110 section 8.8).
//
// Some servers write tags without quotes, or a weak one as w/"x" or W"x". Such a tag is no entity
// tag, but its text still names what it came with: it compares weakly, to the same text only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "message/fields.h"

namespace penstock::rfc9111 {

// A view of one tag in a field.
struct EntityTag {
  std::string_view text;    // all of it, as written: W/"x"
  std::string_view opaque;  // with its quotes: "x"; empty where it is not well-formed
  bool weak = false;

  [[nodiscard]] bool well_formed() const { return !opaque.empty(); }
  [[nodiscard]] bool strong() const { return well_formed() && !weak; }
};

// A whole text as a tag, perhaps not a well-formed one; nothing for an empty text, one with white
// space or a comma outside quotes, or one that is "*".
[[nodiscard]] std::optional<EntityTag> parse_entity_tag(std::string_view text);

// Section 8.8.3.2. Strong: both are strong, and the same. Weak: the same but for "W/"; or the same
// text, where a tag is not well-formed.
[[nodiscard]] bool matches_strongly(const EntityTag& a, const EntityTag& b);
[[nodiscard]] bool matches_weakly(const EntityTag& a, const EntityTag& b);

// Takes the next element off a list of tags (If-None-Match), or nothing at its end. Empty elements
// are passed over; one that is no tag at all comes with its text. A backslash escapes nothing here
// (section 8.8.3), so this is not the list of quoted strings of message/fields.h.
[[nodiscard]] std::optional<EntityTag> next_entity_tag(std::string_view& list);

// True when one of the list matches weakly, or the list is "*" (section 13.1.2).
[[nodiscard]] bool any_matches_weakly(std::string_view list, const EntityTag& tag);

// What a response says of its content's identity. Views into its fields.
struct Validators {
  std::optional<EntityTag> etag;
  std::string_view last_modified_text;
  std::optional<std::chrono::sys_seconds> last_modified;
  std::optional<std::chrono::sys_seconds> date;

  [[nodiscard]] bool empty() const { return !etag && !last_modified; }
  // The Last-Modified of a stored response is strong when its Date is kStrongDateGap later, as then
  // the content cannot have changed twice in the second it names, even if clocks are off a little
  // (section 8.8.2.2).
  [[nodiscard]] bool strong_last_modified() const;
  // There is a strong tag, or, without any tag, a strong date.
  [[nodiscard]] bool strong() const;
};

inline constexpr std::chrono::seconds kStrongDateGap{60};

// Those of a response. Several lines of ETag, of which no two may differ, count as one; several
// that differ, several of Last-Modified that do, or a date that cannot be read, as none.
[[nodiscard]] Validators validators_of(const FieldSection& response);

// The same representation, octet for octet: the same strong tag; or neither has a tag, and both the
// same Last-Modified, which is strong on both sides.
[[nodiscard]] bool same_strong_validator(const Validators& a, const Validators& b);

}  // namespace penstock::rfc9111
