// What a request that may change things makes invalid (RFC 9111 section 4.4).
#pragma once

#include <string_view>
#include <vector>

#include "message/head.h"
#include "message/url.h"

namespace penstock::rfc9111 {

// True for methods that are known to change nothing: the safe ones of RFC 9110 section 9.2.1, and
// of others PROPFIND, REPORT, SEARCH and QUERY, which are registered as safe.
[[nodiscard]] bool is_known_safe(std::string_view method);

// True when an answer of that status to a request of that method invalidates: the method is not
// known to be safe, and the status is no error (2xx, 3xx). CONNECT does not, its target is no
// resource.
[[nodiscard]] bool invalidates(std::string_view method, int status);

// The URIs that such an answer invalidates: the target, and those of Location and Content-Location
// that are of its origin (others must not be, else any server could empty the cache of another's
// content). Each once, without login and fragment, with dot segments resolved. References that
// cannot be read are passed over; several lines of a field all count, up to kMaxInvalidated URIs.
inline constexpr std::size_t kMaxInvalidated = 8;
[[nodiscard]] std::vector<Url> invalidated_uris(const Url& target, const FieldSection& answer);

}  // namespace penstock::rfc9111
