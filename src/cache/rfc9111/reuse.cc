#include "cache/rfc9111/reuse.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace penstock::rfc9111 {
namespace {

constexpr bool forbids_stale(const ReusePolicy& stored) {
  return stored.no_cache || stored.must_revalidate || stored.proxy_revalidate;
}

// Whether what the response allows itself counts although it has s-maxage.
constexpr bool own_permissions_count(const ReusePolicy& stored, const ReuseOptions& options) {
  return !stored.s_maxage || options.stale_beside_s_maxage;
}

constexpr ReuseVerdict validate(ReuseReason reason) {
  return {.reuse = Reuse::validate, .reason = reason};
}

}  // namespace

ReusePolicy reuse_policy(const Directives& directives, const Lifetime& lifetime) {
  return {.lifetime = lifetime.value,
          .stale_while_revalidate = directives.stale_while_revalidate.value_or(seconds(0)),
          .stale_if_error = directives.stale_if_error.value_or(seconds(0)),
          .has_stale_if_error = directives.stale_if_error.has_value(),
          .no_cache = directives.no_cache,
          .must_revalidate = directives.must_revalidate,
          .proxy_revalidate = directives.proxy_revalidate,
          .s_maxage = directives.s_maxage.has_value(),
          .immutable = directives.immutable};
}

std::string_view to_string(ReuseReason reason) {
  constexpr std::array<std::string_view, 8> kNames = {
      "fresh",    "max-stale",        "stale-while-revalidate", "stale",
      "no-cache", "request-no-cache", "request-max-age",        "request-min-fresh"};
  return kNames[static_cast<std::size_t>(reason)];
}

ReuseVerdict may_reuse(const ReusePolicy& stored, seconds age, const Directives& request,
                       const ReuseOptions& options) {
  const bool fresh = age < stored.lifetime;
  const bool asked = options.honour_request;
  if (stored.no_cache) return validate(ReuseReason::no_cache);
  if (asked && request.no_cache) return validate(ReuseReason::request_no_cache);
  if (asked && request.max_age && !(fresh && stored.immutable)) {
    const seconds most = *request.max_age;
    if (age > most || most == seconds(0)) return validate(ReuseReason::request_max_age);
  }
  if (asked && request.min_fresh && stored.lifetime - age < *request.min_fresh) {
    return validate(fresh ? ReuseReason::request_min_fresh : ReuseReason::stale);
  }
  if (fresh) return {.reuse = Reuse::fresh, .reason = ReuseReason::fresh};

  const seconds staleness = age - stored.lifetime;
  if (forbids_stale(stored)) return validate(ReuseReason::stale);
  if (asked && request.max_stale && !stored.s_maxage && staleness <= *request.max_stale) {
    return {.reuse = Reuse::stale_by_request, .reason = ReuseReason::max_stale};
  }
  // Who says how old it may be takes it stale only by max-stale (section 5.2.1.1).
  const bool wants_fresh = asked && (request.max_age || request.min_fresh);
  if (!wants_fresh && own_permissions_count(stored, options) &&
      stored.stale_while_revalidate > seconds(0) && staleness <= stored.stale_while_revalidate) {
    return {.reuse = Reuse::stale_while_revalidate, .reason = ReuseReason::stale_while_revalidate};
  }
  return validate(ReuseReason::stale);
}

bool wants_only_cached(const Directives& request, const ReuseOptions& options) {
  return options.honour_request && request.only_if_cached;
}

bool is_stale_if_error_status(int status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

std::string_view to_string(StaleReason reason) {
  constexpr std::array<std::string_view, 10> kNames = {
      "stale-if-error",  "request",  "configured",       "fresh",   "no-cache",
      "must-revalidate", "s-maxage", "request-no-cache", "too-old", "not-allowed"};
  return kNames[static_cast<std::size_t>(reason)];
}

namespace {

struct Permission {
  seconds time{0};
  StaleReason by = StaleReason::not_allowed;

  void extend(const Permission& other) {
    if (other.time > time) *this = other;
  }
};

// The longest time to be stale that somebody allows.
Permission longest_permission(const ReusePolicy& stored, const Directives& request,
                              OriginFailure failure, const ReuseOptions& options) {
  Permission longest;
  if (own_permissions_count(stored, options)) {
    longest.extend({.time = stored.stale_if_error, .by = StaleReason::response});
  }
  if (stored.s_maxage) return longest;  // only the response itself may say otherwise
  if (options.honour_request) {
    const seconds on_error = request.stale_if_error.value_or(seconds(0));
    const seconds always = request.max_stale.value_or(seconds(0));
    longest.extend({.time = std::max(on_error, always), .by = StaleReason::request});
  }
  if (!stored.has_stale_if_error) {
    const bool unreachable = failure == OriginFailure::unreachable;
    longest.extend(
        {.time = unreachable ? options.stale_if_unreachable : options.stale_if_error_status,
         .by = StaleReason::configured});
  }
  return longest;
}

}  // namespace

StaleVerdict may_serve_on_error(const ReusePolicy& stored, seconds age, const Directives& request,
                                OriginFailure failure, const ReuseOptions& options) {
  if (stored.no_cache) return {.reason = StaleReason::no_cache};
  if (options.honour_request && request.no_cache) return {.reason = StaleReason::request_no_cache};
  if (age < stored.lifetime) return {.serve = true, .reason = StaleReason::fresh};
  if (forbids_stale(stored)) return {.reason = StaleReason::must_revalidate};
  const Permission longest = longest_permission(stored, request, failure, options);
  if (longest.time <= seconds(0)) {
    return {.reason = stored.s_maxage ? StaleReason::s_maxage : StaleReason::not_allowed};
  }
  if (age - stored.lifetime > longest.time) return {.reason = StaleReason::too_old};
  return {.serve = true, .reason = longest.by};
}

}  // namespace penstock::rfc9111
