// Dates in HTTP (RFC 9110 section 5.6.7).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace penstock {

// "Sun, 06 Nov 1994 08:49:37 GMT". The view is into a buffer of the calling thread, which the next
// call with another second overwrites. Years are 1000 to 9999; what is outside becomes the first or
// the last second of these.
[[nodiscard]] std::string_view http_date(std::chrono::system_clock::time_point time);
[[nodiscard]] std::string_view http_date(std::chrono::sys_seconds time);

// The moment that a date of a field names, in any of the three formats: IMF-fixdate, RFC 850,
// asctime. Nothing where the text is none of them, or names a day or time that does not exist.
//
// Names are taken in any case, with a weekday that is not that day's, and a leap second is the
// second after. Nothing else is: a date that is written in another way is none, and what has such a
// one as Expires is stale (RFC 9111 section 5.3).
//
// Of a year of two digits the latest one counts that is at most 50 years after `now`.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text,
                                                                      std::chrono::sys_seconds now);
// The same with the system's clock for `now`, which is asked only if the year has two digits.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace penstock
