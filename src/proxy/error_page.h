// The response that stands in for a server's: an error page with Proxy-Status.
#pragma once

#include <string>

#include "message/head.h"
#include "proxy/failure.h"

namespace penstock {

// What Allow says where CONNECT is none of it (RFC 9110 section 10.2.1).
inline constexpr std::string_view kAllowedMethods =
    "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE";

struct ErrorPage {
  ResponseHead head;
  std::string body;
};

// HTML where the request's Accept asks for it, else plain text. `pseudonym` names us in
// Proxy-Status (RFC 9209). Nothing that the client sent is repeated in it.
[[nodiscard]] ErrorPage make_error_page(const Failure& failure, const RequestHead& request,
                                        std::string_view pseudonym);

}  // namespace penstock
