#include "cache/rfc9111/freshness.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "message/date.h"

namespace penstock::rfc9111 {
namespace {

// At least 0 and at most kMaxDelta.
seconds time_between(sys_seconds from, sys_seconds to) {
  return std::clamp(to - from, seconds(0), kMaxDelta);
}

seconds capped_sum(seconds a, seconds b) { return std::min(a + b, kMaxDelta); }

Lifetime heuristic_lifetime(int status, const FieldSection& response, const Directives& directives,
                            sys_seconds date_value, const LifetimeOptions& options) {
  if (!is_heuristically_cacheable(status) && !directives.is_public) return {};
  if (const Field* const field = response.find(FieldId::last_modified)) {
    const auto modified = parse_http_date(field->value, date_value);
    if (!modified || options.heuristic_percent <= 0) return {};
    const seconds share = time_between(*modified, date_value) * options.heuristic_percent / 100;
    return {.value = std::min(share, options.heuristic_max), .source = LifetimeSource::heuristic};
  }
  if (options.heuristic_default <= seconds(0)) return {};
  return {.value = options.heuristic_default, .source = LifetimeSource::heuristic};
}

}  // namespace

std::optional<seconds> age_field(const FieldSection& response) {
  const std::string_view value = response.value(FieldId::age);
  if (value.empty()) return std::nullopt;
  const std::string_view first = value.substr(0, value.find(','));
  return parse_delta_seconds(trim_whitespace(first));
}

Times response_times(const FieldSection& response, sys_seconds request_time,
                     sys_seconds response_time) {
  Times times{.request_time = request_time,
              .response_time = response_time,
              .date_value = response_time,
              .age_value = age_field(response).value_or(seconds(0))};
  if (const Field* const date = response.find(FieldId::date)) {
    times.date_value = parse_http_date(date->value, response_time).value_or(response_time);
  }
  return times;
}

seconds corrected_initial_age(const Times& times) {
  const seconds apparent_age = time_between(times.date_value, times.response_time);
  const seconds response_delay = time_between(times.request_time, times.response_time);
  return std::max(apparent_age, capped_sum(times.age_value, response_delay));
}

seconds current_age(seconds corrected_initial_age, sys_seconds response_time, sys_seconds now) {
  return capped_sum(corrected_initial_age, time_between(response_time, now));
}

std::string_view to_string(LifetimeSource source) {
  constexpr std::array<std::string_view, 7> kNames = {"none",     "s-maxage",  "max-age", "expires",
                                                      "targeted", "heuristic", "override"};
  return kNames[static_cast<std::size_t>(source)];
}

bool is_heuristically_cacheable(int status) {
  constexpr std::array kStatuses = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
  return std::ranges::find(kStatuses, status) != kStatuses.end();
}

Lifetime freshness_lifetime(int status, const FieldSection& response, const Directives& directives,
                            bool targeted, sys_seconds date_value, const LifetimeOptions& options) {
  using Source = LifetimeSource;
  if (options.override_lifetime) {
    return {.value = *options.override_lifetime, .source = Source::override_};
  }
  if (directives.s_maxage) {
    return {.value = *directives.s_maxage,
            .source = targeted ? Source::targeted : Source::s_maxage};
  }
  if (directives.max_age) {
    return {.value = *directives.max_age, .source = targeted ? Source::targeted : Source::max_age};
  }
  const Field* const expires = targeted ? nullptr : response.find(FieldId::expires);
  if (expires != nullptr) {
    const auto moment = parse_http_date(expires->value, date_value);
    return {.value = moment ? time_between(date_value, *moment) : seconds(0),
            .source = Source::expires};
  }
  return heuristic_lifetime(status, response, directives, date_value, options);
}

}  // namespace penstock::rfc9111
