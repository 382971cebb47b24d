#include "cache/rfc9111/reuse.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace penstock::rfc9111 {
namespace {

using namespace std::chrono_literals;

Directives of(std::string_view cache_control) {
  Directives directives;
  directives.add_line(cache_control);
  return directives;
}

// What the stored response says; the lifetime is its s-maxage or max-age.
ReusePolicy stored(std::string_view cache_control) {
  const Directives directives = of(cache_control);
  return reuse_policy(directives, freshness_lifetime(200, {}, directives, false, {}));
}

std::string reuse(std::string_view response, seconds age, std::string_view request = {},
                  const ReuseOptions& options = {}) {
  const ReuseVerdict verdict = may_reuse(stored(response), age, of(request), options);
  const bool validate = verdict.reuse == Reuse::validate;
  const bool expected = verdict.reason != ReuseReason::fresh &&
                        verdict.reason != ReuseReason::max_stale &&
                        verdict.reason != ReuseReason::stale_while_revalidate;
  EXPECT_EQ(validate, expected);
  if (verdict.reason == ReuseReason::fresh) EXPECT_EQ(verdict.reuse, Reuse::fresh);
  if (verdict.reason == ReuseReason::max_stale) EXPECT_EQ(verdict.reuse, Reuse::stale_by_request);
  if (verdict.reason == ReuseReason::stale_while_revalidate) {
    EXPECT_EQ(verdict.reuse, Reuse::stale_while_revalidate);
  }
  return std::string(to_string(verdict.reason));
}

TEST(Reuse, Freshness) {  // RFC 9111 section 4.2
  EXPECT_EQ(reuse("max-age=10", 0s), "fresh");
  EXPECT_EQ(reuse("max-age=10", 9s), "fresh");
  EXPECT_EQ(reuse("max-age=10", 10s), "stale");
  EXPECT_EQ(reuse("max-age=0", 0s), "stale");
  EXPECT_EQ(reuse("max-age=10, s-maxage=100", 50s), "fresh");
  EXPECT_EQ(reuse("max-age=10, must-revalidate", 9s), "fresh");
  EXPECT_EQ(reuse("max-age=10, must-revalidate", 10s), "stale");
  EXPECT_EQ(reuse("max-age=10, no-cache", 0s), "no-cache");
  EXPECT_EQ(reuse("max-age=10, no-cache=\"a\"", 0s), "fresh");
}

TEST(Reuse, RequestNoCache) {  // sections 5.2.1.4 and 5.2.1.5
  EXPECT_EQ(reuse("max-age=10", 0s, "no-cache"), "request-no-cache");
  EXPECT_EQ(reuse("max-age=10, immutable", 0s, "no-cache"), "request-no-cache");
  EXPECT_EQ(reuse("max-age=10", 0s, "no-store"), "fresh");
}

TEST(Reuse, RequestMaxAge) {  // section 5.2.1.1
  EXPECT_EQ(reuse("max-age=3600", 600s, "max-age=600"), "fresh");
  EXPECT_EQ(reuse("max-age=3600", 601s, "max-age=600"), "request-max-age");
  EXPECT_EQ(reuse("max-age=3600", 0s, "max-age=0"), "request-max-age");
  EXPECT_EQ(reuse("max-age=3600", 1800s, "max-age=600, max-stale"), "request-max-age");
}

TEST(Reuse, Immutable) {  // RFC 8246 section 2
  EXPECT_EQ(reuse("max-age=10, immutable", 5s, "max-age=0"), "fresh");
  EXPECT_EQ(reuse("max-age=10, immutable", 10s, "max-age=0"), "request-max-age");
  EXPECT_EQ(reuse("max-age=10, immutable", 10s), "stale");
  EXPECT_EQ(reuse("max-age=10, immutable", 5s, "min-fresh=6"), "request-min-fresh");
}

TEST(Reuse, RequestMinFresh) {  // section 5.2.1.3
  EXPECT_EQ(reuse("max-age=1500", 1000s, "min-fresh=500"), "fresh");
  EXPECT_EQ(reuse("max-age=1500", 1001s, "min-fresh=500"), "request-min-fresh");
  EXPECT_EQ(reuse("max-age=1500", 0s, "min-fresh=2000"), "request-min-fresh");
  EXPECT_EQ(reuse("max-age=10", 11s, "min-fresh=0, max-stale"), "stale");
}

TEST(Reuse, RequestMaxStale) {  // section 5.2.1.2
  EXPECT_EQ(reuse("max-age=1500", 2000s, "max-stale=1000"), "max-stale");
  EXPECT_EQ(reuse("max-age=1500", 2500s, "max-stale=1000"), "max-stale");
  EXPECT_EQ(reuse("max-age=1500", 2501s, "max-stale=1000"), "stale");
  EXPECT_EQ(reuse("max-age=1500", 99999s, "max-stale"), "max-stale");
  EXPECT_EQ(reuse("max-age=10", 5s, "max-stale=1000"), "fresh");
  EXPECT_EQ(reuse("max-age=10", 12s, "max-age=20, max-stale=5"), "max-stale");
  for (const std::string_view forbidding :
       {"max-age=1, must-revalidate", "max-age=1, proxy-revalidate", "s-maxage=1"}) {
    EXPECT_EQ(reuse(forbidding, 5s, "max-stale"), "stale") << forbidding;
  }
  EXPECT_EQ(reuse("max-age=1, no-cache", 5s, "max-stale"), "no-cache");
}

TEST(Reuse, StaleWhileRevalidate) {  // RFC 5861 section 3
  EXPECT_EQ(reuse("max-age=600, stale-while-revalidate=30", 599s), "fresh");
  EXPECT_EQ(reuse("max-age=600, stale-while-revalidate=30", 600s), "stale-while-revalidate");
  EXPECT_EQ(reuse("max-age=600, stale-while-revalidate=30", 630s), "stale-while-revalidate");
  EXPECT_EQ(reuse("max-age=600, stale-while-revalidate=30", 631s), "stale");
  EXPECT_EQ(reuse("max-age=600, stale-while-revalidate=0", 600s), "stale");
  EXPECT_EQ(reuse("max-age=6, stale-while-revalidate=30, must-revalidate", 7s), "stale");
  EXPECT_EQ(reuse("max-age=6, stale-while-revalidate=30, proxy-revalidate", 7s), "stale");
  // Beside s-maxage it counts, unless the operator is strict (section 5.2.2.10).
  EXPECT_EQ(reuse("s-maxage=6, stale-while-revalidate=30", 7s), "stale-while-revalidate");
  EXPECT_EQ(
      reuse("s-maxage=6, stale-while-revalidate=30", 7s, "", {.stale_beside_s_maxage = false}),
      "stale");
  // A client that says how old or how fresh does not get it stale.
  EXPECT_EQ(reuse("max-age=6, stale-while-revalidate=30", 7s, "max-age=60"), "stale");
  EXPECT_EQ(reuse("max-age=6, stale-while-revalidate=30", 7s, "min-fresh=1"), "stale");
}

TEST(Reuse, RequestsThatDoNotCount) {
  const ReuseOptions deaf{.honour_request = false};
  for (const std::string_view request :
       {"no-cache", "max-age=0", "min-fresh=100", "no-store", "only-if-cached"}) {
    EXPECT_EQ(reuse("max-age=10", 5s, request, deaf), "fresh") << request;
  }
  EXPECT_EQ(reuse("max-age=10", 12s, "max-stale", deaf), "stale");
  EXPECT_EQ(reuse("max-age=6, stale-while-revalidate=30", 7s, "max-age=60", deaf),
            "stale-while-revalidate");
  EXPECT_TRUE(wants_only_cached(of("only-if-cached")));
  EXPECT_FALSE(wants_only_cached(of("only-if-cached"), deaf));
  EXPECT_FALSE(wants_only_cached(of("")));
}

constexpr OriginFailure kGone = OriginFailure::unreachable;
constexpr OriginFailure kError = OriginFailure::error_status;

// "+reason" where it may be served, "-reason" where not.
std::string on_error(std::string_view response, seconds age, std::string_view request = {},
                     OriginFailure failure = kGone, const ReuseOptions& options = {}) {
  const StaleVerdict verdict =
      may_serve_on_error(stored(response), age, of(request), failure, options);
  return (verdict.serve ? "+" : "-") + std::string(to_string(verdict.reason));
}

TEST(StaleOnError, Statuses) {  // RFC 5861 section 4
  for (int status = 200; status < 600; ++status) {
    EXPECT_EQ(is_stale_if_error_status(status),
              status == 500 || status == 502 || status == 503 || status == 504);
  }
}

TEST(StaleOnError, ByTheResponse) {
  EXPECT_EQ(on_error("max-age=2, stale-if-error=60", 3s), "+stale-if-error");
  EXPECT_EQ(on_error("max-age=2, stale-if-error=60", 62s, "", kError), "+stale-if-error");
  EXPECT_EQ(on_error("max-age=2, stale-if-error=60", 63s), "-too-old");
  EXPECT_EQ(on_error("max-age=2", 3s), "-not-allowed");
  EXPECT_EQ(on_error("s-maxage=2, stale-if-error=60", 3s), "+stale-if-error");
  EXPECT_EQ(
      on_error("s-maxage=2, stale-if-error=60", 3s, "", kGone, {.stale_beside_s_maxage = false}),
      "-s-maxage");
}

TEST(StaleOnError, ByTheRequest) {
  EXPECT_EQ(on_error("max-age=2", 3s, "stale-if-error=60"), "+request");
  EXPECT_EQ(on_error("max-age=2", 3s, "max-stale"), "+request");
  EXPECT_EQ(on_error("max-age=2", 63s, "stale-if-error=60"), "-too-old");
  EXPECT_EQ(on_error("max-age=2, stale-if-error=5", 60s, "stale-if-error=60"), "+request");
  EXPECT_EQ(on_error("max-age=2", 3s, "stale-if-error=60", kGone, {.honour_request = false}),
            "-not-allowed");
  // It had wanted a validation of what is fresh.
  EXPECT_EQ(on_error("max-age=20", 3s, "max-age=0"), "+fresh");
  EXPECT_EQ(on_error("max-age=20", 3s, "no-cache"), "-request-no-cache");
  EXPECT_EQ(on_error("max-age=20", 3s, "no-cache", kGone, {.honour_request = false}), "+fresh");
}

TEST(StaleOnError, Configured) {  // RFC 9111 section 4.2.4
  const ReuseOptions options{.stale_if_unreachable = 100s, .stale_if_error_status = 10s};
  EXPECT_EQ(on_error("max-age=2", 102s, "", kGone, options), "+configured");
  EXPECT_EQ(on_error("max-age=2", 103s, "", kGone, options), "-too-old");
  EXPECT_EQ(on_error("max-age=2", 12s, "", kError, options), "+configured");
  EXPECT_EQ(on_error("max-age=2", 13s, "", kError, options), "-too-old");
  // What the origin says goes before it.
  EXPECT_EQ(on_error("max-age=2, stale-if-error=0", 3s, "", kGone, options), "-not-allowed");
  EXPECT_EQ(on_error("max-age=2, stale-if-error=5", 20s, "", kGone, options), "-too-old");
}

TEST(StaleOnError, Forbidden) {
  const ReuseOptions options{.stale_if_unreachable = 100s, .stale_if_error_status = 100s};
  const std::string_view wish = "stale-if-error=100, max-stale";
  EXPECT_EQ(on_error("max-age=2, no-cache, stale-if-error=60", 1s, wish, kGone, options),
            "-no-cache");
  EXPECT_EQ(on_error("max-age=2, must-revalidate, stale-if-error=60", 3s, wish, kGone, options),
            "-must-revalidate");
  EXPECT_EQ(on_error("max-age=2, proxy-revalidate, stale-if-error=60", 3s, wish, kGone, options),
            "-must-revalidate");
  EXPECT_EQ(on_error("s-maxage=2", 3s, wish, kGone, options), "-s-maxage");
  EXPECT_EQ(on_error("s-maxage=2", 3s, wish, kError, options), "-s-maxage");
}

}  // namespace
}  // namespace penstock::rfc9111
