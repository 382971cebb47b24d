#include "icap/problem.h"

namespace penstock::icap {

std::string_view to_string(Problem problem) {
  using enum Problem;
  switch (problem) {
    case none:
    case count_:
      return {};
    case not_icap:
      return "the answer does not begin with ICAP/";
    case version_not_supported:
      return "the answer is of another version than ICAP/1";
    case status_line_malformed:
      return "the status line is malformed";
    case bare_cr:
      return "a carriage return stands alone in the head";
    case control_byte:
      return "a control byte stands in the head";
    case field_line_malformed:
      return "a field line has no name and colon";
    case fold_without_field:
      return "the first field line begins with whitespace";
    case head_too_large:
      return "the head is too large";
    case too_many_fields:
      return "the head has too many fields";
    case encapsulated_missing:
      return "Encapsulated is missing";
    case encapsulated_repeated:
      return "Encapsulated is there more than once";
    case encapsulated_malformed:
      return "Encapsulated is not a list of parts and offsets";
    case encapsulated_unknown_part:
      return "Encapsulated names an unknown part";
    case encapsulated_order:
      return "Encapsulated names parts that do not follow each other";
    case encapsulated_offset:
      return "Encapsulated has offsets that do not rise from 0";
    case encapsulated_without_body_part:
      return "Encapsulated does not end with a body part";
    case adapted_head_missing:
      return "the answer has no HTTP head";
    case adapted_head_too_large:
      return "the HTTP head is too large";
    case adapted_head_length:
      return "the HTTP head does not end where Encapsulated says";
    case adapted_head_refused:
      return "the HTTP head is malformed";
    case adapted_status_interim:
      return "the HTTP status is 1xx";
    case adapted_length_without_body:
      return "the HTTP head has a Content-Length and no body follows";
    case chunk_extension_malformed:
      return "a chunk extension is malformed";
    case use_original_body_malformed:
      return "use-original-body is malformed";
    case options_status:
      return "the status of the answer to OPTIONS is not 200";
    case field_not_allowed:
      return "a field to be sent is not allowed";
    case text_not_allowed:
      return "a head to be sent has a text that is not allowed";
    case request_too_large:
      return "the request is too large";
  }
  return "unknown";
}

}  // namespace penstock::icap
