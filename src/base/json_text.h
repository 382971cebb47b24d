// Text inside of JSON (RFC 8259 section 7).
#pragma once

#include <string>
#include <string_view>

namespace penstock {

// Appends the text as it stands between quotes. Bytes that are not ASCII are taken for characters
// of ISO-8859-1, so that anything can be written.
void append_json(std::string& out, std::string_view text);

}  // namespace penstock
