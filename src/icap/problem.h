// Why a message of ICAP cannot be understood, or written: each reason with words for the log.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::icap {

enum class Problem : std::uint8_t {
  none,
  // The head of an answer (RFC 3507 section 4.3)
  not_icap,  // it begins with something else than "ICAP/", such as "HTTP/1.1 400"
  version_not_supported,
  status_line_malformed,
  bare_cr,
  control_byte,          // NUL or another control byte, HTAB excepted
  field_line_malformed,  // no colon, or a name that is no token
  fold_without_field,    // the line after the status line begins with whitespace
  head_too_large,
  too_many_fields,
  // Encapsulated (section 4.4.1)
  encapsulated_missing,
  encapsulated_repeated,
  encapsulated_malformed,  // not a list of name=digits
  encapsulated_unknown_part,
  encapsulated_order,   // parts that do not go together, or not in this order
  encapsulated_offset,  // the first is not 0, they do not rise, or a number is too large
  encapsulated_without_body_part,
  // The adapted head (section 4.4.2)
  adapted_head_missing,    // only a body is announced
  adapted_head_too_large,  // more is announced than we take
  adapted_head_length,     // the head does not end where it was announced to end
  adapted_head_refused,    // it is no HTTP head; the Refusal says why
  adapted_status_interim,  // 1xx in place of a final response
  adapted_length_without_body,
  // Chunk extensions
  chunk_extension_malformed,
  use_original_body_malformed,
  // OPTIONS (section 4.10)
  options_status,  // the answer to OPTIONS is not 200
  // What we were about to send
  field_not_allowed,  // a name or value that is none, or a field that the writer itself writes
  text_not_allowed,   // in a head to be embedded: bytes that would end its line, or part it anew
  request_too_large,  // no slab is as large
  count_
};

// What is wrong: "the answer does not begin with ICAP/". Empty for `none`.
[[nodiscard]] std::string_view to_string(Problem problem);

}  // namespace penstock::icap
