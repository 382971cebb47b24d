// Which fields stand in the head of an ICAP request because of the protocol itself.
#pragma once

#include <string_view>

namespace penstock::icap {

// Fields that say what a request consists of, and so are written with it, or that have no place in
// ICAP: Host, Allow, Preview, Encapsulated, Transfer-Encoding and Content-Length (RFC 3507 section
// 4.4). Upper and lower case are the same.
[[nodiscard]] bool is_protocol_field(std::string_view name);

}  // namespace penstock::icap
