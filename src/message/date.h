// Dates in HTTP (RFC 9110 section 5.6.7).
#pragma once

#include <chrono>
#include <string_view>

namespace penstock {

// "Sun, 06 Nov 1994 08:49:37 GMT". The view is into a buffer of the calling thread, which the next
// call with another second overwrites.
[[nodiscard]] std::string_view http_date(std::chrono::system_clock::time_point time);

}  // namespace penstock
