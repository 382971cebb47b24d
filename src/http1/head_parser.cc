#include "http1/head_parser.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"
#include "message/characters.h"

namespace penstock::http1 {
namespace {

constexpr std::size_t kVersionSize = 8;  // "HTTP/1.1"

// A place in a complete head. Since that ends in CRLF, and neither is what the loops below run
// over, they need not look for the end.
struct Cursor {
  const char* at;
  const char* end;
};

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// Where the line at the cursor ends: its CR, if a LF follows; else the byte it is refused for.
inline const char* find_line_end(Cursor cursor) {
  const char* const end = find_control(cursor.at, cursor.end);
  PENSTOCK_CHECK(end != cursor.end);
  return end;
}

inline bool is_crlf(const char* at) { return at[0] == '\r' && at[1] == '\n'; }

// Why the line that find_line_end() ended at `end` is refused.
Refusal bad_line_end(const char* end) {
  if (*end == '\r') return Refusal::bare_cr;
  return *end == '\n' ? Refusal::bare_lf : Refusal::control_byte;
}

Refusal parse_version(std::string_view text, Version& version) {
  if (text.size() != kVersionSize || !text.starts_with("HTTP/") || !is_digit(text[5]) ||
      text[6] != '.' || !is_digit(text[7])) {
    return Refusal::version_malformed;
  }
  if (text[5] != '1') return Refusal::version_not_supported;
  version = text[7] == '0' ? Version::http10 : Version::http11;
  return Refusal::none;
}

Refusal parse_request_line(std::string_view line, RequestHead& head) {
  std::size_t method_end = 0;
  while (method_end < line.size() && is_token_char(line[method_end])) ++method_end;
  if (method_end == 0 && (line.empty() || is_whitespace(line[0]))) {
    return Refusal::request_line_malformed;
  }
  if (method_end < line.size() && !is_whitespace(line[method_end])) return Refusal::method_invalid;
  head.method_text = line.substr(0, method_end);
  head.method = method_of(head.method_text);
  if (method_end == line.size()) return Refusal::request_line_malformed;

  const std::size_t target_begin = method_end + 1;
  const std::size_t target_end = line.find(' ', target_begin);
  if (line[method_end] != ' ' || target_end == std::string_view::npos ||
      target_end == target_begin) {
    return Refusal::request_line_malformed;
  }
  head.target_text = line.substr(target_begin, target_end - target_begin);
  const std::string_view version = line.substr(target_end + 1);
  if (const Refusal refusal = parse_version(version, head.version); refusal != Refusal::none) {
    // More parts than three, or whitespace that is not a single space, is not about the version.
    const bool misplaced = version.empty() || version.find_first_of(" \t") != version.npos;
    return misplaced ? Refusal::request_line_malformed : refusal;
  }
  const auto target = parse_target(head.method_text, head.target_text);
  if (!target) {
    return head.target_text.contains('\t') ? Refusal::request_line_malformed : target.error();
  }
  head.target = *target;
  return Refusal::none;
}

Refusal parse_status_line(std::string_view line, ResponseHead& head) {
  const std::string_view version = line.substr(0, line.find_first_of(" \t"));
  if (const Refusal refusal = parse_version(version, head.version); refusal != Refusal::none) {
    return refusal;
  }
  if (line.size() == kVersionSize || line[kVersionSize] != ' ') {
    return Refusal::status_line_malformed;
  }
  const std::string_view rest = line.substr(kVersionSize + 1);
  std::size_t digits = 0;
  while (digits < rest.size() && is_digit(rest[digits])) ++digits;
  if (digits == 0 && (rest.empty() || is_whitespace(rest[0])))
    return Refusal::status_line_malformed;
  if (digits != 3) return Refusal::status_code_invalid;
  if (rest.size() > 3 && rest[3] != ' ') return Refusal::status_line_malformed;
  const int status = (rest[0] - '0') * 100 + (rest[1] - '0') * 10 + (rest[2] - '0');
  if (status < 100 || status > 599) return Refusal::status_code_invalid;
  head.status = status;
  if (rest.size() > 4) head.reason = rest.substr(4);
  return Refusal::none;
}

// Why a line that does not begin with a name and a colon is refused.
Refusal diagnose_field_line(Cursor cursor, bool first) {
  const char* const end = find_line_end(cursor);
  if (!is_crlf(end)) return bad_line_end(end);
  const std::string_view line = between(cursor.at, end);
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return first ? Refusal::whitespace_before_first_field : Refusal::obs_fold;
  }
  const auto name_end = std::ranges::find_if_not(line, is_token_char);
  const auto after = std::find_if_not(name_end, line.end(), is_whitespace);
  if (name_end != line.begin() && after != line.end() && *after == ':') {
    return Refusal::whitespace_before_colon;
  }
  return line.contains(':') ? Refusal::field_name_invalid : Refusal::field_line_without_colon;
}

struct Name {
  FieldId id;
  const char* end;  // the colon; null when there is no name with a colon behind it
};

// The name at the cursor. One from the table needs no look at its single bytes: that it is found
// there says they are right.
inline Name find_name(Cursor cursor) {
  const char* end = find_near(cursor.at, cursor.end, ':');
  if (end != nullptr) {
    const FieldId id = field_id(between(cursor.at, end));
    if (id != FieldId::other) return {id, end};
  }
  end = cursor.at;
  while (is_token_char(*end)) ++end;
  return {FieldId::other, *end == ':' && end != cursor.at ? end : nullptr};
}

// Parses all field lines and the empty line, after which the head must be over.
Refusal parse_field_lines(Cursor cursor, std::size_t limit, FieldSection& fields) {
  for (std::size_t count = 0;; ++count) {
    PENSTOCK_CHECK(cursor.at != cursor.end);
    if (is_crlf(cursor.at)) {
      PENSTOCK_CHECK(cursor.at + 2 == cursor.end);
      return Refusal::none;
    }
    const char* const begin = cursor.at;
    const Name name = find_name(cursor);
    if (name.end == nullptr) return diagnose_field_line(cursor, count == 0);
    if (count == limit) return Refusal::too_many_fields;

    cursor.at = name.end + 1;
    while (is_whitespace(*cursor.at)) ++cursor.at;
    const char* const line_end = find_line_end(cursor);
    if (!is_crlf(line_end)) return bad_line_end(line_end);
    const char* value_end = line_end;
    while (value_end != cursor.at && is_whitespace(value_end[-1])) --value_end;
    fields.add(name.id, between(begin, name.end), between(cursor.at, value_end));
    cursor.at = line_end + 2;
  }
}

// The rules of RFC 9112 section 3.2 for Host. Afterwards its value is the target's authority where
// the target has one.
Refusal settle_host(RequestHead& head) {
  const Field* const field = head.fields.find(FieldId::host);
  const bool target_has_authority = !head.target.authority.empty();
  if (field == nullptr) {
    if (head.version == Version::http11) return Refusal::host_missing;
    if (target_has_authority) head.fields.add(FieldId::host, head.target.authority);
    return Refusal::none;
  }
  if (head.fields.count(FieldId::host) > 1) return Refusal::host_repeated;
  // An empty value says that the target has no authority, which only "*" may be without.
  const bool may_be_empty = head.target.form == TargetForm::asterisk;
  if (!(field->value.empty() && may_be_empty) && !parse_authority(field->value)) {
    return Refusal::host_invalid;
  }
  if (target_has_authority) head.fields.set(FieldId::host, head.target.authority);
  return Refusal::none;
}

// Takes the start line off the cursor, within the limits.
Refusal take_start_line(Cursor& cursor, const HeadLimits& limits, std::string_view& line) {
  const std::string_view head = between(cursor.at, cursor.end);
  PENSTOCK_CHECK(head.ends_with("\r\n"));
  const char* const end = find_line_end(cursor);
  if (!is_crlf(end)) return bad_line_end(end);
  line = between(cursor.at, end);
  cursor.at = end + 2;
  if (line.size() > limits.start_line) return Refusal::start_line_too_long;
  return head.size() > limits.head ? Refusal::head_too_large : Refusal::none;
}

}  // namespace

Refusal parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  Cursor cursor{bytes.data(), bytes.data() + bytes.size()};
  std::string_view line;
  if (const Refusal refusal = take_start_line(cursor, limits, line); refusal != Refusal::none) {
    return refusal;
  }
  if (const Refusal refusal = parse_request_line(line, head); refusal != Refusal::none) {
    return refusal;
  }
  const Refusal refusal = parse_field_lines(cursor, limits.fields, head.fields);
  return refusal != Refusal::none ? refusal : settle_host(head);
}

Refusal parse_response_head(std::string_view bytes, const HeadLimits& limits, ResponseHead& head) {
  Cursor cursor{bytes.data(), bytes.data() + bytes.size()};
  std::string_view line;
  if (const Refusal refusal = take_start_line(cursor, limits, line); refusal != Refusal::none) {
    return refusal;
  }
  if (const Refusal refusal = parse_status_line(line, head); refusal != Refusal::none) {
    return refusal;
  }
  return parse_field_lines(cursor, limits.fields, head.fields);
}

Refusal parse_fields(std::string_view bytes, const HeadLimits& limits, FieldSection& fields) {
  PENSTOCK_CHECK(bytes.ends_with("\r\n"));
  if (bytes.size() > limits.head) return Refusal::head_too_large;
  return parse_field_lines({bytes.data(), bytes.data() + bytes.size()}, limits.fields, fields);
}

}  // namespace penstock::http1
