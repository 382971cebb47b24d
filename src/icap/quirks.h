// What an ICAP server does that it should not, and that is understood all the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::icap {

enum class Quirk : std::uint8_t {
  // In the head of an answer
  bare_lf,               // lines end in LF alone
  folded_field,          // a value goes on in the next line (obs-fold)
  space_before_colon,    // whitespace between a field's name and the colon
  status_line_spaces,    // more than one space, or a tab, between version and code
  other_version,         // ICAP/1.x with x other than 0
  created,               // 201 in place of 200
  istag_missing,         // in an answer that needs one (RFC 3507 section 4.7)
  istag_unquoted,        // its value is not a quoted string
  encapsulated_missing,  // where no body can follow: 204, or the answer to OPTIONS
  // In an answer to OPTIONS (section 4.10.2); the field then says nothing
  methods_missing,  // or none of them known
  preview_invalid,
  max_connections_invalid,
  options_ttl_invalid,
  transfer_conflict,  // an extension in several of the lists, or "*" not in exactly one
  // In the adapted HTTP head
  http10_head,
  hop_by_hop_fields,
  other_body,  // a response's body is announced behind a request, which has none
  count_
};

// In words: "a folded field".
[[nodiscard]] std::string_view to_string(Quirk quirk);

// A set of them.
class Quirks {
 public:
  constexpr Quirks() = default;
  constexpr explicit Quirks(Quirk quirk) { add(quirk); }

  constexpr void add(Quirk quirk) { bits_ |= bit(quirk); }
  constexpr void add(Quirks others) { bits_ |= others.bits_; }
  [[nodiscard]] constexpr bool has(Quirk quirk) const { return (bits_ & bit(quirk)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  // Those that are not in `known`: what is new to tell.
  [[nodiscard]] constexpr Quirks without(Quirks known) const {
    Quirks rest;
    rest.bits_ = bits_ & ~known.bits_;
    return rest;
  }
  friend constexpr bool operator==(Quirks, Quirks) = default;

 private:
  static_assert(static_cast<unsigned>(Quirk::count_) <= 32);
  static constexpr std::uint32_t bit(Quirk quirk) {
    return std::uint32_t{1} << static_cast<unsigned>(quirk);
  }
  std::uint32_t bits_ = 0;
};

// Their words, with commas between. Empty for none.
[[nodiscard]] std::string to_string(Quirks quirks);

}  // namespace penstock::icap
