// [dns] and [targets].
#include <array>

#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr TextRule kNameServer{.type = "name server",
                               .plural = "IP addresses, perhaps with ports",
                               .check = &check_name_server};

constexpr std::array kDnsKeys{
    key<Draft, TextsValue<kNameServer, true>>(
        "servers", "[]",
        "Name servers, such as `\"192.0.2.53\"` or `\"[2001:db8::53]:5353\"`; an empty list: those "
        "of `/etc/resolv.conf`.",
        [](auto& d) { return std::tie(d.snapshot.dns.servers); }),
    key<Draft, DurationValue>(
        "timeout", R"("2s")",
        "For an answer to the first question; doubled from one round of the servers to the next.",
        [](auto& d) { return std::tie(d.snapshot.dns.timeout); }),
    key<Draft, CountValue<1, 10>>("tries", "3", "How often each name server is asked.",
                                  [](auto& d) { return std::tie(d.snapshot.dns.tries); }),
    key<Draft, DurationValue>("min_ttl", R"("1s")",
                              "The least time an answer is used, whatever it says itself.",
                              [](auto& d) { return std::tie(d.snapshot.dns.min_ttl); }),
    key<Draft, DurationValue>("max_ttl", R"("1h")",
                              "The longest time an answer is used, whatever it says itself.",
                              [](auto& d) { return std::tie(d.snapshot.dns.max_ttl); }),
    key<Draft, DurationOrZeroValue>(
        "negative_ttl", R"("5s")",
        "How long a name that has no address is not asked for again, where its zone does not say, "
        "and one that no name server answers for.",
        [](auto& d) { return std::tie(d.snapshot.dns.negative_ttl); }),
    key<Draft, DurationOrZeroValue>(
        "stale", R"("1h")", "How long an answer is used past its time while the name servers fail.",
        [](auto& d) { return std::tie(d.snapshot.dns.stale); }),
    key<Draft, CountValue<1, 10'000'000>>(
        "max_names", "10000", "How many names each worker remembers.",
        [](auto& d) { return std::tie(d.snapshot.dns.max_names); }),
    key<Draft, CountValue<1, 1'000'000>>(
        "max_questions", "2000", "How many names each worker asks for at a time.",
        [](auto& d) { return std::tie(d.snapshot.dns.max_questions); }),
    key<Draft, FlagValue>("hosts_file", "true", "Looks into `/etc/hosts` before it asks.",
                          [](auto& d) { return std::tie(d.snapshot.dns.hosts_file); }),
};

void check_dns(const toml::table& table, Report& report, const Draft& draft) {
  const DnsSettings& dns = draft.snapshot.dns;
  if (dns.min_ttl <= dns.max_ttl) return;
  report.error(place_in(table, table.contains("max_ttl") ? "max_ttl" : "min_ttl"),
               fmt::format("max_ttl ({}) is less than min_ttl ({})", format_duration(dns.max_ttl),
                           format_duration(dns.min_ttl)));
}

constexpr std::array kTargetsKeys{
    table_key<Draft, kTargetsPool>("pool", "How connections are kept; see `[targets.pool]`.",
                                   [](auto& d) { return std::tie(d.snapshot.upstream.targets); }),
    table_key<Draft, kTargetsRetry>(
        "retry", "When requests are tried again; see `[targets.retry]`.",
        [](auto& d) { return std::tie(d.snapshot.upstream.target_retry); }),
};

}  // namespace

constexpr Section<Draft> kDns{
    .name = "dns", .title = "[dns]", .keys = kDnsKeys, .check = &check_dns};
constexpr Section<Draft> kTargets{.name = "targets", .title = "[targets]", .keys = kTargetsKeys};

}  // namespace penstock::config
