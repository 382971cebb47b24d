#include "message/refusal.h"

#include <array>
#include <cstddef>

namespace penstock {
namespace {

using enum Refusal;

constexpr std::array kTable = {
    RefusalInfo{none, "none", 400, "", "The message is acceptable."},
    RefusalInfo{bare_cr, "bare-cr", 400, "RFC 9112 2.2",
                "A carriage return is not followed by a line feed."},
    RefusalInfo{bare_lf, "bare-lf", 400, "RFC 9112 2.2",
                "A line ends in a line feed without a carriage return."},
    RefusalInfo{control_byte, "control-byte", 400, "RFC 9110 5.5",
                "The message head contains a control byte."},
    RefusalInfo{request_line_malformed, "request-line-malformed", 400, "RFC 9112 3",
                "The request line is not a method, a target and a version, a single space apart."},
    RefusalInfo{method_invalid, "method-invalid", 400, "RFC 9112 3.1",
                "The method is not a token."},
    RefusalInfo{target_malformed, "target-malformed", 400, "RFC 9112 3.2",
                "The request target is not a valid URI reference."},
    RefusalInfo{target_form_not_allowed, "target-form-not-allowed", 400, "RFC 9112 3.2",
                "The request target has a form that the method does not allow."},
    RefusalInfo{userinfo_in_target, "userinfo-in-target", 400, "RFC 9110 4.2.4",
                "The request target contains user information."},
    RefusalInfo{start_line_too_long, "start-line-too-long", 414, "RFC 9112 3",
                "The first line of the message is longer than this proxy accepts."},
    RefusalInfo{version_malformed, "version-malformed", 400, "RFC 9112 2.3",
                "The protocol version is not of the form HTTP/digit.digit."},
    RefusalInfo{version_not_supported, "version-not-supported", 505, "RFC 9110 15.6.6",
                "The major version of the protocol is not supported here."},
    RefusalInfo{status_line_malformed, "status-line-malformed", 502, "RFC 9112 4",
                "The status line is not a version, a status code and a reason."},
    RefusalInfo{status_code_invalid, "status-code-invalid", 502, "RFC 9110 15",
                "The status code is not a number from 100 to 599."},
    RefusalInfo{obs_fold, "obs-fold", 400, "RFC 9112 5.2",
                "A field value is continued on another line."},
    RefusalInfo{whitespace_before_colon, "whitespace-before-colon", 400, "RFC 9112 5.1",
                "Whitespace stands between a field name and its colon."},
    RefusalInfo{field_name_invalid, "field-name-invalid", 400, "RFC 9110 5.1",
                "A field name is not a token."},
    RefusalInfo{field_value_invalid, "field-value-invalid", 400, "RFC 9110 5.5",
                "A field value contains bytes that are not allowed."},
    RefusalInfo{field_line_without_colon, "field-line-without-colon", 400, "RFC 9112 5",
                "A field line has no colon."},
    RefusalInfo{whitespace_before_first_field, "whitespace-before-first-field", 400, "RFC 9112 2.2",
                "Whitespace stands between the start line and the first field."},
    RefusalInfo{head_too_large, "head-too-large", 431, "RFC 6585 5",
                "The message head is larger than this proxy accepts."},
    RefusalInfo{too_many_fields, "too-many-fields", 431, "RFC 6585 5",
                "The message head has more fields than this proxy accepts."},
    RefusalInfo{host_missing, "host-missing", 400, "RFC 9112 3.2",
                "The request has no Host field."},
    RefusalInfo{host_repeated, "host-repeated", 400, "RFC 9112 3.2",
                "The request has more than one Host field."},
    RefusalInfo{host_invalid, "host-invalid", 400, "RFC 9112 3.2",
                "The Host field is not a host with an optional port."},
    RefusalInfo{content_length_invalid, "content-length-invalid", 400, "RFC 9112 6.3",
                "Content-Length is not a decimal number."},
    RefusalInfo{content_length_conflict, "content-length-conflict", 400, "RFC 9112 6.3",
                "Content-Length is given with different values."},
    RefusalInfo{content_length_overflow, "content-length-overflow", 400, "RFC 9110 8.6",
                "Content-Length is too large a number."},
    RefusalInfo{content_length_with_transfer_encoding, "content-length-with-transfer-encoding", 400,
                "RFC 9112 6.3", "The message has both Content-Length and Transfer-Encoding."},
    RefusalInfo{transfer_encoding_in_http10, "transfer-encoding-in-http10", 400, "RFC 9112 6.1",
                "An HTTP/1.0 message has Transfer-Encoding."},
    RefusalInfo{transfer_encoding_not_chunked_last, "transfer-encoding-not-chunked-last", 400,
                "RFC 9112 6.3", "Transfer-Encoding is not one final chunked coding."},
    RefusalInfo{transfer_encoding_unknown, "transfer-encoding-unknown", 501, "RFC 9112 6.1",
                "Transfer-Encoding names a coding this proxy does not have."},
    RefusalInfo{transfer_encoding_repeated_chunked, "transfer-encoding-repeated-chunked", 400,
                "RFC 9112 6.1", "Transfer-Encoding names the chunked coding more than once."},
    RefusalInfo{transfer_encoding_not_allowed, "transfer-encoding-not-allowed", 400, "RFC 9112 6.1",
                "Transfer-Encoding is given in a message that cannot have it."},
    RefusalInfo{content_not_allowed, "content-not-allowed", 400, "RFC 9110 9.3.6",
                "A CONNECT request has content."},
    RefusalInfo{chunk_size_malformed, "chunk-size-malformed", 400, "RFC 9112 7.1",
                "A chunk size is not a hexadecimal number at the start of its line."},
    RefusalInfo{chunk_size_overflow, "chunk-size-overflow", 400, "RFC 9112 7.1",
                "A chunk size is too large a number."},
    RefusalInfo{chunk_extension_too_long, "chunk-extension-too-long", 400, "RFC 9112 7.1.1",
                "The chunk extensions are longer than this proxy accepts."},
    RefusalInfo{chunk_extension_malformed, "chunk-extension-malformed", 400, "RFC 9112 7.1.1",
                "A chunk extension is not a name with an optional value."},
    RefusalInfo{chunk_data_not_terminated, "chunk-data-not-terminated", 400, "RFC 9112 7.1",
                "The data of a chunk are not followed by a line end."},
    RefusalInfo{trailer_malformed, "trailer-malformed", 400, "RFC 9112 7.1.2",
                "The trailer section is not a list of well-formed fields."},
    RefusalInfo{trailer_too_large, "trailer-too-large", 431, "RFC 9112 7.1.2",
                "The trailer section is larger than this proxy accepts."},
    RefusalInfo{expectation_unknown, "expectation-unknown", 417, "RFC 9110 10.1.1",
                "The request expects something this proxy does not know."},
    RefusalInfo{content_coding_broken, "content-coding-broken", 400, "RFC 9110 8.4.1",
                "The content is not what Content-Encoding says it is."},
    RefusalInfo{pseudo_field_malformed, "pseudo-field-malformed", 400, "RFC 9113 8.3",
                "A pseudo-field is missing, repeated, unknown or out of place."},
    RefusalInfo{connection_field, "connection-field", 400, "RFC 9113 8.2.2",
                "The message has a field that is only for connections of HTTP/1."},
    RefusalInfo{authority_conflict, "authority-conflict", 400, "RFC 9113 8.3.1",
                "The Host field and the :authority pseudo-field name different servers."},
    RefusalInfo{content_length_mismatch, "content-length-mismatch", 400, "RFC 9113 8.1.1",
                "The content is not as long as Content-Length says."},
    RefusalInfo{protocol_unknown, "protocol-unknown", 501, "RFC 8441 4",
                "The request is for a protocol that this proxy does not pass on."},
};

consteval bool in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].refusal) != i) return false;
  }
  return kTable.size() == static_cast<std::size_t>(count_);
}
static_assert(in_order(), "one row for each Refusal, in the order of the enum");

}  // namespace

const RefusalInfo& info(Refusal refusal) { return kTable[static_cast<std::size_t>(refusal)]; }

}  // namespace penstock
