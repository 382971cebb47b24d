// The response that stands in for a server's: an error page with Proxy-Status.
#pragma once

#include <string>

#include "message/head.h"
#include "proxy/failure.h"

namespace penstock {

struct ErrorPage {
  ResponseHead head;
  std::string body;
};

// HTML where the request's Accept asks for it, else plain text. `pseudonym` names us in
// Proxy-Status (RFC 9209). Nothing that the client sent is repeated in it.
[[nodiscard]] ErrorPage make_error_page(const Failure& failure, const RequestHead& request,
                                        std::string_view pseudonym);

}  // namespace penstock
