// Who a client says that it is.
#pragma once

#include <string>
#include <string_view>

namespace penstock {

// The user name of a Proxy-Authorization of the Basic scheme (RFC 7617 section 2): what the client
// claims, and nobody has checked. Empty where there is none, or it has control characters in it.
[[nodiscard]] std::string user_of(std::string_view proxy_authorization);

}  // namespace penstock
