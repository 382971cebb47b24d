// The requests of `penstock fetch`: the first one for a URL, and those that redirects lead to.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "app/fetch_command.h"
#include "message/head.h"
#include "message/url.h"

namespace penstock {

struct FetchRequest {
  Url url;
  std::string method;
  std::vector<FetchField> fields;  // the command's own
  bool has_body = false;
};

[[nodiscard]] FetchRequest first_request(const FetchCommand& command, const Url& url);

// 301, 302, 303, 307, 308: the answer is elsewhere, if the response says where (RFC 9110
// section 15.4).
[[nodiscard]] bool is_redirect(int status);

// The request that a redirect with that Location asks for:
// - 303 asks for GET (HEAD stays), and so do 301 and 302 of a POST, as section 15.4.2 allows and
//   all do; then there is no body, and nothing said about one. All else stays what it is;
// - to another origin no login goes, and no Cookie, nor a Host of the command's.
// The error is what is wrong with the Location.
[[nodiscard]] std::expected<FetchRequest, std::string> redirected(const FetchRequest& request,
                                                                  int status,
                                                                  std::string_view location);

// Fills the head of the request, a new one; the request must outlive it.
void fill_head(const FetchRequest& request, const FetchCommand& command, RequestHead& head);

}  // namespace penstock
