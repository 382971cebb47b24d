// Which header fields a route's edits may touch, and with what.
#pragma once

#include <string_view>

#include "config/address.h"

namespace penstock::config {

// A token (RFC 9110 section 5.6.2).
[[nodiscard]] Complaint check_token(std::string_view text);
// A field name that edits may touch: a token, and none of those the proxy answers for itself.
[[nodiscard]] Complaint check_edited_field(std::string_view name);
// A field that an ICAP service is told, or that it tells: a token, and none of those that are the
// protocol's own or belong to a single connection.
[[nodiscard]] Complaint check_icap_field(std::string_view name);
// A field value as it is: without CR, LF, NUL or other controls, or surrounding whitespace. Nothing
// in it looks like a variable, as there are none.
[[nodiscard]] Complaint check_plain_value(std::string_view value);
// A field value without CR, LF, NUL or other controls, or surrounding whitespace; its variables are
// known.
[[nodiscard]] Complaint check_field_value(std::string_view value);
// Text in which "${name}" stands for a variable there is, and "$$" for a dollar sign.
[[nodiscard]] Complaint check_variables(std::string_view text);

}  // namespace penstock::config
