// Heads for the tests of the rules.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "message/fields.h"
#include "message/head.h"

namespace penstock::rfc9111 {

using Lines = std::vector<std::pair<std::string_view, std::string_view>>;

// The texts are copied.
inline FieldSection make_fields(const Lines& lines) {
  FieldSection fields;
  for (const auto& [name, value] : lines) {
    fields.add(field_id(name), fields.keep(name), fields.keep(value));
  }
  return fields;
}

inline RequestHead make_request(const Lines& lines, std::string_view method = "GET") {
  RequestHead head;
  head.method_text = method;
  head.method = method_of(method);
  head.fields = make_fields(lines);
  return head;
}

inline ResponseHead make_response(int status, const Lines& lines) {
  ResponseHead head;
  head.status = status;
  head.fields = make_fields(lines);
  return head;
}

// "Name: value|Name: value".
inline std::string text_of(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields) {
    if (!text.empty()) text += '|';
    text += std::string(field.name) + ": " + std::string(field.value);
  }
  return text;
}

}  // namespace penstock::rfc9111
