// What a configuration may say about which messages it means: names, paths, statuses and the like.
#pragma once

#include <string_view>

#include "config/address.h"

namespace penstock::config {

// "/api": what a path begins with.
[[nodiscard]] Complaint check_path_prefix(std::string_view text);
// Something that may be the name of a listener; whether there is one is seen later.
[[nodiscard]] Complaint check_named_listener(std::string_view text);
// The same of a route.
[[nodiscard]] Complaint check_named_route(std::string_view text);
// The name that a route or a filter is given.
[[nodiscard]] Complaint check_given_name(std::string_view text);
// A method: a token, in the case in which it is known.
[[nodiscard]] Complaint check_method(std::string_view text);
// "404", "5xx" or "200-299".
[[nodiscard]] Complaint check_status_range(std::string_view text);
// "text/html" or "text/*".
[[nodiscard]] Complaint check_media_range(std::string_view text);
// The value of a Content-Type: "text/html; charset=utf-8".
[[nodiscard]] Complaint check_content_type(std::string_view text);
// The NAME of [module.NAME]: letters, digits, "_", "-".
[[nodiscard]] Complaint check_module_name(std::string_view text);
// The same of [icap.NAME].
[[nodiscard]] Complaint check_icap_name(std::string_view text);

}  // namespace penstock::config
