// [cache] and [[cache_rule]].
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "config/field_rules.h"
#include "config/filter_conditions.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

using rfc9111::SetCookiePolicy;

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kTiB = kMiB * kMiB;

Complaint check_parameter(std::string_view text) {
  const std::string_view name = text.ends_with('*') ? text.substr(0, text.size() - 1) : text;
  if (text.empty() || name.find_first_of("*&=? #") != std::string_view::npos) {
    return "expected the name of a parameter, perhaps with \"*\" at its end";
  }
  return {};
}

template <class Owner, std::size_t kA, std::size_t kB>
constexpr std::array<Key<Owner>, kA + kB> joined(const std::array<Key<Owner>, kA>& a,
                                                 const std::array<Key<Owner>, kB>& b) {
  std::array<Key<Owner>, kA + kB> out{};
  std::copy(a.begin(), a.end(), out.begin());
  std::copy(b.begin(), b.end(), out.begin() + kA);
  return out;
}

constexpr std::array kSetCookie{
    std::pair{std::string_view("refuse"), SetCookiePolicy::refuse},
    std::pair{std::string_view("if_public"), SetCookiePolicy::if_public},
    std::pair{std::string_view("strip"), SetCookiePolicy::strip},
    std::pair{std::string_view("store"), SetCookiePolicy::store},
};

constexpr TextRule kFieldName{.type = "field name", .plural = "field names", .check = &check_token};

constexpr std::array kCacheKeys{
    key<Draft, SizeValue<0, kTiB>>(
        "memory", R"("0B")",
        "Memory for stored responses, over all workers. `0`: there is no cache.",
        [](auto& d) { return std::tie(d.snapshot.cache.memory); }),
    key<Draft, SizeValue<1, kTiB>>("max_object", R"("32MiB")",
                                   "The largest content that is stored in memory.",
                                   [](auto& d) { return std::tie(d.snapshot.cache.max_object); }),
    key<Draft, CountValue<1, 10'000>>(
        "max_variants", "64", "How many responses are stored for one URI (`Vary`).",
        [](auto& d) { return std::tie(d.snapshot.cache.max_variants); }),
    key<Draft, CountValue<0, 1'000'000'000>>(
        "host_objects", "0", "How many responses are stored of one host. `0`: any number.",
        [](auto& d) { return std::tie(d.snapshot.cache.host_objects); }),
    key<Draft, UnlimitedSizeValue>("host_memory", R"("unlimited")",
                                   "Memory that responses of one host may take.",
                                   [](auto& d) { return std::tie(d.snapshot.cache.host_memory); }),
    key<Draft, TextsValue<kFieldName, true>>(
        "targeted", R"(["Penstock-Cache-Control", "CDN-Cache-Control"])",
        "Response fields that count in place of `Cache-Control` and `Expires` (RFC 9213), the "
        "first that is there; `\"Surrogate-Control\"` is understood, too.",
        [](auto& d) { return std::tie(d.snapshot.cache.targeted); }),
    key<Draft, CountValue<0, 100>>(
        "heuristic_percent", "10",
        "A response that says nothing about its freshness is fresh for so much of the time since "
        "its `Last-Modified`. `0`: such responses are always validated.",
        [](auto& d) { return std::tie(d.snapshot.cache.heuristic_percent); }),
    key<Draft, DurationValue>("heuristic_max", R"("24h")", "The longest that comes of that.",
                              [](auto& d) { return std::tie(d.snapshot.cache.heuristic_max); }),
    key<Draft, DurationOrZeroValue>(
        "error_max", R"("1m")",
        "The longest that a response with a status from 500 on is fresh, whatever it says.",
        [](auto& d) { return std::tie(d.snapshot.cache.error_max); }),
    key<Draft, ChoiceValue<kSetCookie>>(
        "set_cookie", R"("refuse")",
        "What becomes of responses with `Set-Cookie`. `\"refuse\"`: they are not stored. "
        "`\"if_public\"`: they are where the server says `public` or `s-maxage`, or a targeted "
        "field gives the lifetime. "
        "`\"strip\"`: they are stored without it. `\"store\"`: they are stored as they are, so "
        "that all clients get the same cookie.",
        [](auto& d) { return std::tie(d.snapshot.cache.set_cookie); }),
    key<Draft, TextsValue<kFieldName, true>>(
        "unkeyed",
        R"(["X-Forwarded-Scheme", "X-Host", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Original-Host", "X-Original-URL", "X-Rewrite-URL"])",
        "Request fields that make applications answer for another method, host or path than the "
        "one asked for. Requests that have one go past the cache.",
        [](auto& d) { return std::tie(d.snapshot.cache.unkeyed_fields); }),
    key<Draft, FlagValue>(
        "honour_request", "true",
        "What clients say in `Cache-Control` and `Pragma` counts. `false` for a cache before "
        "servers of one's own, so that nobody gets past it.",
        [](auto& d) { return std::tie(d.snapshot.cache.honour_request); }),
    key<Draft, DurationOrZeroValue>(
        "stale_if_unreachable", R"("0s")",
        "How long after its time a response that says nothing about it may still be served where "
        "the server can't be reached.",
        [](auto& d) { return std::tie(d.snapshot.cache.stale_if_unreachable); }),
    key<Draft, DurationOrZeroValue>(
        "stale_if_error", R"("0s")", "The same where the server answers 500, 502, 503 or 504.",
        [](auto& d) { return std::tie(d.snapshot.cache.stale_if_error); }),
    key<Draft, DurationOrZeroValue>(
        "collapse_wait", R"("10s")",
        "How long a request waits for the response to another one for the same, before it goes to "
        "the server itself. `\"0s\"`: none waits.",
        [](auto& d) { return std::tie(d.snapshot.cache.collapse_wait); }),
    key<Draft, DurationOrZeroValue>(
        "pass_time", R"("1m")",
        "For how long, after a response that was not to be stored, requests for the same do not "
        "wait for each other.",
        [](auto& d) { return std::tie(d.snapshot.cache.pass_time); }),
    key<Draft, SizeValue<0, kTiB>>(
        "finish", R"("1MiB")",
        "A client that leaves does not end the fetching of what is to be stored where no more "
        "than this is missing, or others wait for it.",
        [](auto& d) { return std::tie(d.snapshot.cache.finish); }),
    key<Draft, TextsValue<kNetwork, true>>(
        "purge_from", "[]",
        "Networks of clients that may purge with the method `PURGE`; for others it is forbidden "
        "then. An empty list: it is a method as any other.",
        [](auto& d) { return std::tie(d.snapshot.cache.purge_from); }),
    key<Draft, FlagValue>("status_field", "true",
                          "Responses tell in `Cache-Status` (RFC 9211) what the cache did.",
                          [](auto& d) { return std::tie(d.snapshot.cache.cache_status); }),
};

constexpr std::array kModes{
    std::pair{std::string_view("standard"), CacheRule::Mode::standard},
    std::pair{std::string_view("never"), CacheRule::Mode::never},
    std::pair{std::string_view("always"), CacheRule::Mode::always},
};

constexpr TextRule kParameter{
    .type = "parameter", .plural = "parameters", .check = &check_parameter};
constexpr TextRule kCookie{.type = "cookie", .plural = "cookies", .check = &check_token};

// Not `noted`: nothing has been noted yet when a rule is looked for.
constexpr auto kConditions = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array{condition_key<kIndex, CacheRuleSettings>()...};
}(std::make_index_sequence<kConditionKeys.size() - 1>());

constexpr std::array kRuleOwnKeys{
    key<CacheRuleSettings, ChoiceValue<kModes>>(
        "store", R"("standard")",
        "`\"standard\"`: as the responses say. `\"never\"`: these requests go past the cache. "
        "`\"always\"`: also what says `no-store`, `no-cache` or `private` is stored, with a "
        "`lifetime`.",
        [](auto& r) { return std::tie(r.rule.mode); }),
    key<CacheRuleSettings, LifetimeValue>("lifetime", "none",
                                          "How long responses are fresh, whatever they say.",
                                          [](auto& r) { return std::tie(r.rule.lifetime); }),
    key<CacheRuleSettings, LifetimeValue>(
        "lifetime_min", "none", "The least of what they say, or what is heuristic, that counts.",
        [](auto& r) { return std::tie(r.rule.lifetime_min); }),
    key<CacheRuleSettings, LifetimeValue>("lifetime_max", "none", "The most of it that counts.",
                                          [](auto& r) { return std::tie(r.rule.lifetime_max); }),
    key<CacheRuleSettings, LifetimeValue>(
        "stale_while_revalidate", "none",
        "How long after that they are served while they are validated, whatever they say.",
        [](auto& r) { return std::tie(r.rule.stale_while_revalidate); }),
    key<CacheRuleSettings, LifetimeValue>(
        "stale_if_error", "none",
        "How long after that they are served where the server fails, whatever they say.",
        [](auto& r) { return std::tie(r.rule.stale_if_error); }),
    key<CacheRuleSettings, OptionalChoiceValue<kSetCookie>>(
        "set_cookie", "none", "As in `[cache]`, for these responses.",
        [](auto& r) { return std::tie(r.rule.set_cookie); }),
    key<CacheRuleSettings, FlagValue>("ignore_query", "false",
                                      "The query makes no difference: it is no part of the key.",
                                      [](auto& r) { return std::tie(r.rule.ignore_query); }),
    key<CacheRuleSettings, FlagValue>("sort_query", "false",
                                      "The order of the query's parameters makes no difference.",
                                      [](auto& r) { return std::tie(r.rule.sort_query); }),
    key<CacheRuleSettings, TextsValue<kParameter, true>>(
        "ignore_parameters", "[]",
        "Parameters of the query that make no difference; `*` at the end stands for any text.",
        [](auto& r) { return std::tie(r.rule.ignored_parameters); }),
    key<CacheRuleSettings, TextsValue<kFieldName, true>>(
        "key_fields", "[]", "Request fields that are part of the key, beside what `Vary` says.",
        [](auto& r) { return std::tie(r.rule.key_fields); }),
    key<CacheRuleSettings, TextsValue<kCookie, true>>(
        "key_cookies", "[]", "Cookies that are part of the key.",
        [](auto& r) { return std::tie(r.rule.key_cookies); }),
};

constexpr auto kRuleKeys = joined(kConditions, kRuleOwnKeys);

// What belongs to the key has to be known before there is a response.
void check_rule(const toml::table& table, Report& report, const CacheRuleSettings& settings) {
  const CacheRule& rule = settings.rule;
  if (rule.lifetime_min && rule.lifetime_max && *rule.lifetime_min > *rule.lifetime_max) {
    report.error(
        place_in(table, "lifetime_min"),
        fmt::format("lifetime_min ({}) is more than lifetime_max ({})",
                    format_duration(*rule.lifetime_min), format_duration(*rule.lifetime_max)));
  }
  if (rule.mode == CacheRule::Mode::always && !rule.lifetime && !rule.lifetime_min) {
    report.error(place_in(table, "store"),
                 "store = \"always\" needs a lifetime: say how long such responses are fresh");
  }
  const FilterConditions& conditions = settings.conditions;
  if (conditions.statuses.empty() && conditions.content_types.empty() &&
      conditions.size_over == 0) {
    return;
  }
  for (const std::string_view name :
       {"ignore_query", "sort_query", "ignore_parameters", "key_fields", "key_cookies"}) {
    if (!table.contains(name)) continue;
    report.error(place_in(table, name),
                 fmt::format("{} cannot depend on the response: the key is needed before there is "
                             "one; leave out status, content_type and size_over",
                             name));
  }
  if (rule.mode == CacheRule::Mode::never) {
    report.error(place_in(table, "store"),
                 "store = \"never\" is about requests: leave out status, content_type and "
                 "size_over, or write lifetime = \"0s\"");
  }
}

}  // namespace

constexpr Section<CacheRuleSettings> kCacheRule{
    .name = "cache_rule", .title = "[[cache_rule]]", .keys = kRuleKeys, .check = &check_rule};

constexpr Section<Draft> kCache{.name = "cache", .title = "[cache]", .keys = kCacheKeys};

}  // namespace penstock::config
