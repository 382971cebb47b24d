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
  control_byte,            // NUL or another control byte in a head, HTAB excepted
  request_line_malformed,  // not three parts with single spaces
  method_invalid,          // not a token
  target_malformed,
  target_form_not_allowed,
  userinfo_in_target,
  start_line_too_long,  // 414 for requests, 502 side for responses
  version_malformed,
  version_not_supported,  // 505
  status_line_malformed,
  status_code_invalid,
  // Field lines (RFC 9112 section 5)
  obs_fold,
  whitespace_before_colon,
  field_name_invalid,
  field_value_invalid,  // text set by configuration or a filter that cannot be a value
  field_line_without_colon,
  whitespace_before_first_field,
  head_too_large,   // 431
  too_many_fields,  // 431
  // Host (RFC 9112 section 3.2)
  host_missing,
  host_repeated,
  host_invalid,
  // Framing (RFC 9112 section 6)
  content_length_invalid,   // signed, empty, not digits
  content_length_conflict,  // repeated with different values, on several lines or as a list
  content_length_overflow,
  content_length_with_transfer_encoding,
  transfer_encoding_in_http10,
  transfer_encoding_not_chunked_last,  // not one plain `chunked`: empty, parameters, not the last
  transfer_encoding_unknown,           // a coding the proxy does not have, such as gzip: 501
  transfer_encoding_repeated_chunked,
  transfer_encoding_not_allowed,  // in 1xx, 204, a CONNECT request, or a 2xx to CONNECT
  content_not_allowed,            // Content-Length other than 0 in a CONNECT request
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
  content_coding_broken,  // the content is not in the codings that Content-Encoding names
  // HTTP/2 (RFC 9113 section 8)
  pseudo_field_malformed,   // missing, repeated, unknown, or after another field
  connection_field,         // a field that is about an HTTP/1 connection
  authority_conflict,       // :authority and Host name different servers
  content_length_mismatch,  // the content is not as long as Content-Length says
  protocol_unknown,         // of an extended CONNECT (RFC 8441): 501
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
