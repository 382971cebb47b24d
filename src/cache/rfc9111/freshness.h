// How old a response is and how long it is fresh (RFC 9111 section 4.2).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/rfc9111/directives.h"
#include "message/fields.h"

namespace penstock::rfc9111 {

using std::chrono::sys_seconds;

// --- Age (section 4.2.3) ---

struct Times {
  sys_seconds request_time;   // when the request was sent, by our clock
  sys_seconds response_time;  // when the response's head came, by our clock
  sys_seconds date_value;     // Date; response_time if it is missing or invalid
  seconds age_value{0};       // Age; 0 if it is missing or invalid
};

// The first value of Age (section 5.1), capped at kMaxDelta; nothing if it is missing or invalid.
[[nodiscard]] std::optional<seconds> age_field(const FieldSection& response);

[[nodiscard]] Times response_times(const FieldSection& response, sys_seconds request_time,
                                   sys_seconds response_time);

// How old it was when it came. At least 0 and at most kMaxDelta, whatever clocks say.
[[nodiscard]] seconds corrected_initial_age(const Times& times);
// How old it is: what Age says when it is sent. A clock that was set back does not make it younger
// than it came. At most kMaxDelta.
[[nodiscard]] seconds current_age(seconds corrected_initial_age, sys_seconds response_time,
                                  sys_seconds now);

// --- Freshness lifetime (section 4.2.1) ---

enum class LifetimeSource : std::uint8_t {
  none,       // nothing says how long, and no heuristic applies
  s_maxage,   // s-maxage of Cache-Control
  max_age,    // max-age of Cache-Control
  expires,    // Expires; one that is invalid is in the past
  targeted,   // s-maxage or max-age of a targeted field
  heuristic,  // section 4.2.2
  override_,  // our own configuration
};
// "none", "s-maxage", "max-age", "expires", "targeted", "heuristic", "override".
[[nodiscard]] std::string_view to_string(LifetimeSource source);

struct Lifetime {
  seconds value{0};  // the response is fresh as long as its age is less
  LifetimeSource source = LifetimeSource::none;

  // Somebody said it: the origin, or our configuration.
  [[nodiscard]] bool is_explicit() const {
    return source != LifetimeSource::none && source != LifetimeSource::heuristic;
  }
};

struct LifetimeOptions {
  // Heuristic freshness: this part of the time since Last-Modified, at most `heuristic_max`. 0 or
  // less: no heuristic.
  int heuristic_percent = 10;
  seconds heuristic_max = std::chrono::hours(24);
  // What counts where there is no Last-Modified, and the status allows a heuristic.
  seconds heuristic_default{0};
  // Counts whatever the response says.
  std::optional<seconds> override_lifetime;
};

// Status codes for which a heuristic is allowed without `public` (RFC 9110 section 15.1).
[[nodiscard]] bool is_heuristically_cacheable(int status);

// `directives` are the ones that count. If they are `targeted`, Expires does not. Of several
// Expires the first counts.
[[nodiscard]] Lifetime freshness_lifetime(int status, const FieldSection& response,
                                          const Directives& directives, bool targeted,
                                          sys_seconds date_value,
                                          const LifetimeOptions& options = {});

}  // namespace penstock::rfc9111
