// Whether a stored response may be used without asking the origin (RFC 9111 section 4, RFC 5861,
// RFC 8246), and what requests say about that (section 5.2.1).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/rfc9111/directives.h"
#include "cache/rfc9111/freshness.h"

namespace penstock::rfc9111 {

// What a stored response says about its reuse. Plain values, to be kept with it.
struct ReusePolicy {
  seconds lifetime{0};
  seconds stale_while_revalidate{0};
  seconds stale_if_error{0};
  // The origin said how long to be stale on errors, if only 0: our own default does not count.
  bool has_stale_if_error = false;
  bool no_cache = false;  // for the whole response
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool s_maxage = false;  // it has s-maxage, which includes proxy-revalidate (section 5.2.2.10)
  bool immutable = false;

  friend bool operator==(const ReusePolicy&, const ReusePolicy&) = default;
};

[[nodiscard]] ReusePolicy reuse_policy(const Directives& directives, const Lifetime& lifetime);

struct ReuseOptions {
  // What requests say counts (no-cache, max-age, min-fresh, max-stale, stale-if-error,
  // only-if-cached, Pragma). An operator of origins may not want to let everybody past the cache.
  bool honour_request = true;
  // stale-while-revalidate and stale-if-error of the response count beside s-maxage, as origins
  // mean it that send both. If not, s-maxage alone forbids to be stale.
  bool stale_beside_s_maxage = true;
  // For how long a response may be used after it was fresh if it says nothing about that: the
  // origin can't be reached (section 4.2.4: disconnected), or answers with an error.
  seconds stale_if_unreachable{0};
  seconds stale_if_error_status{0};
};

enum class Reuse : std::uint8_t {
  fresh,                   // use it
  stale_by_request,        // use it: the request has max-stale
  stale_while_revalidate,  // use it, and validate it in the background
  validate,                // not without validation
};

enum class ReuseReason : std::uint8_t {
  fresh,
  max_stale,               // stale, but the request takes it
  stale_while_revalidate,  // stale, but the response allows it
  stale,                   // stale, and nothing allows it
  no_cache,                // the response has no-cache
  request_no_cache,        // the request has no-cache, or Pragma: no-cache
  request_max_age,         // it is older than the request's max-age allows
  request_min_fresh,       // it is not fresh for as long as the request's min-fresh asks
};
// A token: "fresh", "max-stale", "stale-while-revalidate", "stale", "no-cache", "request-no-cache",
// "request-max-age", "request-min-fresh".
[[nodiscard]] std::string_view to_string(ReuseReason reason);

struct ReuseVerdict {
  Reuse reuse = Reuse::validate;
  ReuseReason reason = ReuseReason::stale;
};

// `age` is the current one. Who is about to send it has selected it (section 4: key and Vary).
//
// max-age=0 of a request is a wish for validation even where the response came this second, but not
// for an immutable one that is fresh (RFC 8246 section 2). A request with max-age or min-fresh
// takes nothing stale, unless it also has max-stale.
[[nodiscard]] ReuseVerdict may_reuse(const ReusePolicy& stored, seconds age,
                                     const Directives& request, const ReuseOptions& options = {});

// The request wants an answer from the cache or 504 (section 5.2.1.7).
[[nodiscard]] bool wants_only_cached(const Directives& request, const ReuseOptions& options = {});

// --- When the origin fails ---

enum class OriginFailure : std::uint8_t {
  unreachable,   // no response: no connection, a time limit, a response that broke off
  error_status,  // a response of status 500, 502, 503 or 504 (RFC 5861 section 4)
};
// Whether a status is such an error.
[[nodiscard]] bool is_stale_if_error_status(int status);

enum class StaleReason : std::uint8_t {
  response,          // allowed: stale-if-error of the response
  request,           // allowed: stale-if-error or max-stale of the request
  configured,        // allowed: our own default
  fresh,             // allowed: it is not stale; the request had wanted a validation
  no_cache,          // forbidden by what the response has
  must_revalidate,   // forbidden, also by proxy-revalidate
  s_maxage,          // forbidden
  request_no_cache,  // the request does not want it
  too_old,           // longer stale than is allowed
  not_allowed,       // nothing allows it
};
// A token: "stale-if-error", "request", "configured", "fresh", "no-cache", "must-revalidate",
// "s-maxage", "request-no-cache", "too-old", "not-allowed".
[[nodiscard]] std::string_view to_string(StaleReason reason);

struct StaleVerdict {
  bool serve = false;
  StaleReason reason = StaleReason::not_allowed;
};

// Whether the stored response may be the answer although it could not be validated (RFC 5861
// section 4, RFC 9111 section 4.2.4).
[[nodiscard]] StaleVerdict may_serve_on_error(const ReusePolicy& stored, seconds age,
                                              const Directives& request, OriginFailure failure,
                                              const ReuseOptions& options = {});

}  // namespace penstock::rfc9111
