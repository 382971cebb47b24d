#include "icap/quirks.h"

namespace penstock::icap {

std::string_view to_string(Quirk quirk) {
  using enum Quirk;
  switch (quirk) {
    case bare_lf:
      return "lines that end in LF alone";
    case folded_field:
      return "a folded field";
    case space_before_colon:
      return "whitespace before a colon";
    case status_line_spaces:
      return "odd spaces in the status line";
    case other_version:
      return "a version other than ICAP/1.0";
    case created:
      return "status 201 in place of 200";
    case istag_missing:
      return "no ISTag";
    case istag_unquoted:
      return "an ISTag without quotes";
    case encapsulated_missing:
      return "no Encapsulated";
    case methods_missing:
      return "no known Methods";
    case preview_invalid:
      return "a Preview that is no number";
    case max_connections_invalid:
      return "a Max-Connections that is no number above 0";
    case options_ttl_invalid:
      return "an Options-TTL that is no number";
    case transfer_conflict:
      return "contradictory or incomplete Transfer lists";
    case http10_head:
      return "an HTTP/1.0 head";
    case hop_by_hop_fields:
      return "hop-by-hop fields in the HTTP head";
    case other_body:
      return "a response's body behind a request";
    case count_:
      break;
  }
  return "unknown";
}

std::string to_string(Quirks quirks) {
  std::string text;
  for (unsigned i = 0; i < static_cast<unsigned>(Quirk::count_); ++i) {
    const auto quirk = static_cast<Quirk>(i);
    if (!quirks.has(quirk)) continue;
    if (!text.empty()) text += ", ";
    text += to_string(quirk);
  }
  return text;
}

}  // namespace penstock::icap
