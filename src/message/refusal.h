// Why a message was refused: each reason with its RFC section, the status it earns, and a sentence.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock {

enum class Refusal : std::uint8_t {
  none,
  // Lines (RFC 9112 section 2.2, 3, 4)
  bare_cr,
  bare_lf,
  control_byte,           // NUL or another control byte in a head
  request_line_malformed, // not three parts with single spaces
  method_invalid,         // not a token
  target_malformed,
  target_form_not_allowed,
  userinfo_in_target,
  start_line_too_long,    // 414 for requests, 502 side for responses
  version_malformed,
  version_not_supported,  // 505
  status_line_malformed,
  status_code_invalid,
  // Field lines (RFC 9112 section 5)
  obs_fold,
  whitespace_before_colon,
  field_name_invalid,
  field_value_invalid,
  field_line_without_colon,
  whitespace_before_first_field,
  head_too_large,         // 431
  too_many_fields,        // 431
  // Host (RFC 9112 section 3.2)
  host_missing,
  host_repeated,
  host_invalid,
  // Framing (RFC 9112 section 6)
  content_length_invalid,   // signed, empty, not digits, a list of different values
  content_length_conflict,  // repeated with different values
  content_length_overflow,
  content_length_with_transfer_encoding,
  transfer_encoding_in_http10,
  transfer_encoding_not_chunked_last,  // 501 for a coding we do not know, see unknown below
  transfer_encoding_unknown,           // 501
  transfer_encoding_repeated_chunked,
  transfer_encoding_not_allowed,       // in 1xx, 204, or a 2xx to CONNECT
  // Chunks (RFC 9112 section 7.1)
  chunk_size_malformed,
  chunk_size_overflow,
  chunk_extension_too_long,
  chunk_extension_malformed,
  chunk_data_not_terminated,
  trailer_malformed,
  trailer_too_large,
  // Semantics
  expectation_unknown,    // 417
  count_
};

struct RefusalInfo {
  Refusal refusal;
  std::string_view token;    // "bare-cr", for logs and Proxy-Status
  int status;                // what a client gets for a request of that kind (a server's gives 502)
  std::string_view section;  // "RFC 9112 2.2"
  std::string_view text;     // one plain sentence for the error page
};

[[nodiscard]] const RefusalInfo& info(Refusal refusal);

}  // namespace penstock
