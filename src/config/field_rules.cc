#include "config/field_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "adapt/variable_settings.h"
#include "base/wording.h"
#include "icap/field_rules.h"
#include "message/characters.h"
#include "message/fields.h"

namespace penstock::config {
namespace {

// Characters that a field value cannot have.
Complaint check_characters(std::string_view value) {
  const char* const end = value.data() + value.size();
  if (const char* const bad = find_control(value.data(), end); bad != end) {
    return fmt::format("a field value cannot contain the control character {}",
                       quoted(std::string_view(bad, bad + 1)));
  }
  if (!value.empty() && (is_whitespace(value.front()) || is_whitespace(value.back()))) {
    return "a field value cannot begin or end with white space: it would be lost on the way";
  }
  return {};
}

}  // namespace

Complaint check_token(std::string_view text) {
  if (text.empty()) return "expected a name, found an empty text";
  const auto bad = std::ranges::find_if_not(text, is_token_char);
  if (bad == text.end()) return {};
  return fmt::format("{} contains {}: expected letters, digits and !#$%&'*+-.^_`|~ only",
                     quoted(text), quoted(std::string_view(bad, bad + 1)));
}

Complaint check_edited_field(std::string_view name) {
  if (Complaint complaint = check_token(name); !complaint.empty()) return complaint;
  const FieldId id = field_id(name);
  switch (id) {
    case FieldId::host:
      return "Host cannot be edited here: use the route's host_header";
    case FieldId::content_length:
    case FieldId::transfer_encoding:
      return fmt::format(
          "{} says where a body ends: the proxy writes it itself, from the body it really sends",
          name);
    case FieldId::via:
      return "Via is written by the proxy itself, and is how loops are found; see [proxy] name";
    default:
      break;
  }
  if (!is_hop_by_hop(id)) return {};
  return fmt::format(
      "{} belongs to a single connection: the proxy takes it off and writes it itself", name);
}

Complaint check_icap_field(std::string_view name) {
  if (Complaint complaint = check_token(name); !complaint.empty()) return complaint;
  if (icap::is_protocol_field(name)) {
    return fmt::format("{} is ICAP's own: the proxy writes it itself", name);
  }
  const FieldId id = field_id(name);
  if (id == FieldId::proxy_authorization || id == FieldId::proxy_authenticate) {
    return fmt::format("{} is passed on with proxy_logins = true", name);
  }
  if (!is_hop_by_hop(id)) return {};
  return fmt::format("{} belongs to a single connection: the proxy writes it itself", name);
}

Complaint check_plain_value(std::string_view value) {
  if (Complaint complaint = check_characters(value); !complaint.empty()) return complaint;
  if (!value.contains("${")) return {};
  return "there are no variables here: the value is sent as it is";
}

Complaint check_field_value(std::string_view value) {
  if (Complaint complaint = check_characters(value); !complaint.empty()) return complaint;
  return check_variables(value);
}

Complaint check_variables(std::string_view text) {
  while (!text.empty()) {
    const TextPart part = take_part(text);
    switch (part.kind) {
      case TextPart::Kind::text:
        break;
      case TextPart::Kind::variable:
        if (const auto named = variable_of(part.text)) {
          if (named->field.empty() || is_token(named->field)) break;
          return fmt::format("{} is no name of a field", quoted(named->field));
        }
        return fmt::format("there is no variable {}: {}", quoted(part.text),
                           hint(part.text, kVariableNames));
      case TextPart::Kind::stray_dollar:
        return "\"$\" begins a variable, as in \"${client_ip}\": write \"$$\" for the character";
      case TextPart::Kind::open_variable:
        return fmt::format("{} lacks its \"}}\"; write \"$$\" for the character \"$\"",
                           quoted(part.text));
    }
  }
  return {};
}

}  // namespace penstock::config
