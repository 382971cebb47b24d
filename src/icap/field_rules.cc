#include "icap/field_rules.h"

#include <algorithm>
#include <array>

#include "message/fields.h"

namespace penstock::icap {

bool is_protocol_field(std::string_view name) {
  switch (field_id(name)) {
    case FieldId::host:
    case FieldId::transfer_encoding:
    case FieldId::content_length:
      return true;
    case FieldId::other:
      break;
    default:
      return false;
  }
  constexpr std::array<std::string_view, 3> kOwn{"Allow", "Preview", "Encapsulated"};
  return std::ranges::any_of(
      kOwn, [name](std::string_view own) { return equals_ignoring_case(own, name); });
}

}  // namespace penstock::icap
