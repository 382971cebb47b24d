// The tables that say how connections are kept and servers watched, shared by upstream groups,
// peers, targets and ICAP services.
#include <algorithm>
#include <array>
#include <ranges>
#include <utility>

#include "config/field_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::uint64_t kMany = 1'000'000;
constexpr std::uint64_t kMostBody = 16ULL * 1024 * 1024;

constexpr std::array kPoolKeys{
    key<PoolSettings, DurationValue>("idle", R"("1m")",
                                     "How long an idle connection is kept. The default is that of "
                                     "`[timeouts] server_idle`.",
                                     [](auto& p) { return std::tie(p.idle); }),
    key<PoolSettings, CountValue<0, kMany>>(
        "max_idle", "4096", "How many idle connections to one server each worker keeps.",
        [](auto& p) { return std::tie(p.max_idle); }),
    key<PoolSettings, DurationOrZeroValue>(
        "max_age", R"("0s")",
        "The age at which a connection takes no further request. `\"0s\"`: it may take any.",
        [](auto& p) { return std::tie(p.max_age); }),
    key<PoolSettings, CountValue<0, 1'000'000'000>>(
        "max_requests", "0", "How many requests a connection carries. `0`: as many as come.",
        [](auto& p) { return std::tie(p.max_requests); }),
    key<PoolSettings, CountValue<0, 10'000>>(
        "spare", "0",
        "How many connections to one server each worker opens before they are needed.",
        [](auto& p) { return std::tie(p.spare); }),
};

// Keys of a table in which some have another default and meaning.
template <std::size_t kCount, class Owner, std::size_t kOthers>
constexpr std::array<Key<Owner>, kCount> adapted(
    std::array<Key<Owner>, kCount> keys,
    const std::array<std::array<std::string_view, 3>, kOthers>& others) {
  for (Key<Owner>& key : keys) {
    for (const auto& [name, standard, meaning] : others) {
      if (key.name != name) continue;
      key.standard = standard;
      key.meaning = meaning;
    }
  }
  return keys;
}

using Others = std::array<std::array<std::string_view, 3>, 2>;

constexpr auto kIcapPoolKeys = adapted(
    kPoolKeys,
    Others{{{"idle", R"("30s")",
             "How long an idle connection is kept; best for less time than the server keeps it."},
            {"max_idle", "8",
             "How many idle connections to one server each worker keeps. Many servers have a "
             "thread for each connection, idle or not."}}});

void check_pool(const toml::table& table, Report& report, const PoolSettings& pool) {
  if (pool.spare <= pool.max_idle) return;
  report.error(place_in(table, "spare"),
               fmt::format("{} spare connections cannot be kept: max_idle is {}", pool.spare,
                           pool.max_idle));
}

constexpr std::array kQueueKeys{
    key<QueueSettings, CountValue<0, kMany>>(
        "length", "1000",
        "How many requests may wait for a connection, over all workers, while the servers have as "
        "many as they may; a further one is answered with 503. `0`: none waits.",
        [](auto& q) { return std::tie(q.length); }),
    key<QueueSettings, DurationValue>("timeout", R"("5s")",
                                      "How long a request waits before it is answered with 503.",
                                      [](auto& q) { return std::tie(q.timeout); }),
};

constexpr auto kIcapQueueKeys = adapted(
    kQueueKeys,
    Others{{{"length", "100",
             "How many messages may wait for a connection, over all workers, while the servers "
             "have as many as they may; for a further one the service fails. `0`: none waits."},
            {"timeout", R"("5s")", "How long a message waits before the service fails for it."}}});

constexpr std::array kCheckKinds{
    std::pair{std::string_view("none"), CheckKind::none},
    std::pair{std::string_view("tcp"), CheckKind::tcp},
    std::pair{std::string_view("http"), CheckKind::http},
};

Complaint check_check_path(std::string_view text) {
  if (!text.starts_with('/')) {
    return fmt::format("a path begins with \"/\": write {}", quoted("/" + std::string(text)));
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '#') continue;
    return fmt::format("{} cannot stand in a path", quoted(std::string_view(&c, 1)));
  }
  return {};
}

Complaint accept(std::string_view /*text*/) { return {}; }

constexpr TextRule kMethod{.type = "method", .plural = {}, .check = &check_token};
constexpr TextRule kCheckPath{.type = "path", .plural = {}, .check = &check_check_path};
constexpr TextRule kHostField{
    .type = "host, perhaps with a port", .plural = {}, .check = &check_host_value};
constexpr TextRule kAnyText{.type = "text", .plural = {}, .check = &accept};

constexpr std::array kCheckKeys{
    key<CheckSettings, ChoiceValue<kCheckKinds>>(
        "type", R"("none")",
        "`\"tcp\"`: a server is well when it takes a connection. `\"http\"`: when it answers a "
        "request, too.",
        [](auto& c) { return std::tie(c.kind); }),
    key<CheckSettings, TextValue<kMethod>>("method", R"("GET")", "The method of that request.",
                                           [](auto& c) { return std::tie(c.method); }),
    key<CheckSettings, TextValue<kCheckPath>>("path", R"("/")", "Its path, perhaps with a query.",
                                              [](auto& c) { return std::tie(c.path); }),
    key<CheckSettings, OptionalTextValue<kHostField>>(
        "host", R"("")", "Its `Host`; when left out the server's own address.",
        [](auto& c) { return std::tie(c.host); }),
    key<CheckSettings, StatusesValue<100, 599>>(
        "status", "[]", "Status codes of a good answer; an empty list: 200 to 399.",
        [](auto& c) { return std::tie(c.status); }),
    key<CheckSettings, OptionalTextValue<kAnyText>>(
        "body", R"("")", "Text that the first 64 KiB of a good answer's content contain.",
        [](auto& c) { return std::tie(c.body); }),
    key<CheckSettings, DurationValue>("interval", R"("5s")",
                                      "From one check of a server to the next.",
                                      [](auto& c) { return std::tie(c.interval); }),
    key<CheckSettings, DurationValue>("timeout", R"("2s")", "For a check as a whole.",
                                      [](auto& c) { return std::tie(c.timeout); }),
    key<CheckSettings, CountValue<1, 100>>("rise", "2",
                                           "Good checks in a row that bring a server back.",
                                           [](auto& c) { return std::tie(c.rise); }),
    key<CheckSettings, CountValue<1, 100>>("fall", "3",
                                           "Bad checks in a row that take a server out.",
                                           [](auto& c) { return std::tie(c.fall); }),
};

void check_checks(const toml::table& table, Report& report, const CheckSettings& check) {
  if (check.timeout > check.interval) {
    report.warning(place_in(table, table.contains("timeout") ? "timeout" : "interval"),
                   fmt::format("checks may take longer ({}) than from one to the next ({})",
                               format_duration(check.timeout), format_duration(check.interval)));
  }
  if (check.kind == CheckKind::http) return;
  for (const std::string_view name : {"method", "path", "host", "status", "body"}) {
    if (!table.contains(name)) continue;
    report.warning(place_in(table, name), fmt::format("{} counts only with type = \"http\"", name));
  }
}

constexpr std::array kEjectionKeys{
    key<EjectionSettings, CountValue<0, 10'000>>(
        "failures", "5",
        "Connections refused or broken, in a row, after which a server is left alone for a while. "
        "`0`: never.",
        [](auto& e) { return std::tie(e.failures); }),
    key<EjectionSettings, CountValue<0, 10'000>>(
        "responses", "0", "5xx responses in a row after which it is. `0`: never.",
        [](auto& e) { return std::tie(e.responses); }),
    key<EjectionSettings, DurationValue>(
        "time", R"("10s")", "How long it is left alone the first time; doubled each time again.",
        [](auto& e) { return std::tie(e.time); }),
    key<EjectionSettings, DurationValue>("max_time", R"("5m")", "But not for longer than this.",
                                         [](auto& e) { return std::tie(e.max_time); }),
    key<EjectionSettings, CountValue<0, 100>>(
        "max_share", "50", "How many of the servers, in per cent, may be left alone at a time.",
        [](auto& e) { return std::tie(e.max_share); }),
};

void check_ejection(const toml::table& table, Report& report, const EjectionSettings& ejection) {
  if (ejection.time <= ejection.max_time) return;
  report.error(place_in(table, table.contains("max_time") ? "max_time" : "time"),
               fmt::format("max_time ({}) is less than time ({})",
                           format_duration(ejection.max_time), format_duration(ejection.time)));
}

// Words and status codes in one list, which fill four members.
struct RetryReason {
  std::string_view word;
  bool RetrySettings::* member;
};
constexpr std::array kRetryReasons{
    RetryReason{.word = "connect", .member = &RetrySettings::on_connect},
    RetryReason{.word = "closed", .member = &RetrySettings::on_closed},
    RetryReason{.word = "timeout", .member = &RetrySettings::on_timeout},
};
constexpr std::uint64_t kLeastRetryStatus = 400;
constexpr std::uint64_t kMostRetryStatus = 599;

void read_retry_reason(const toml::node& node, Report& report, RetrySettings& retry) {
  if (node.is_integer()) {
    const auto status = read_count(node, report, kLeastRetryStatus, kMostRetryStatus);
    if (status) retry.on_status.push_back(static_cast<std::uint16_t>(*status));
    return;
  }
  constexpr std::array<std::string_view, 3> kWords{"connect", "closed", "timeout"};
  if (!node.is_string()) {
    report.error(
        place_of(node),
        fmt::format("expected {} or a status code, found {}",
                    fmt::join(kWords | std::views::transform(quoted), ", "), kind_of(node)));
    return;
  }
  const auto index = read_word(node, report, kWords);
  if (index) retry.*kRetryReasons[*index].member = true;
}

void read_retry_on(const toml::node& node, Report& report, RetrySettings& retry) {
  const toml::array* const list = read_list(node, report, "words and status codes");
  if (list == nullptr) return;
  for (const RetryReason& reason : kRetryReasons) retry.*reason.member = false;
  retry.on_status.clear();
  for (const toml::node& element : *list) read_retry_reason(element, report, retry);
}

std::string show_retry_on(const RetrySettings& retry) {
  std::vector<std::string> out;
  for (const RetryReason& reason : kRetryReasons) {
    if (retry.*reason.member) out.push_back(quoted(reason.word));
  }
  for (const std::uint16_t status : retry.on_status) out.push_back(std::to_string(status));
  return fmt::format("[{}]", fmt::join(out, ", "));
}

constexpr std::array kRetryKeys{
    key<RetrySettings, CountValue<0, 20>>("count", "2",
                                          "How often a request is tried again. `0`: never.",
                                          [](auto& r) { return std::tie(r.count); }),
    Key<RetrySettings>{
        .name = "on",
        .standard = R"(["connect", "closed"])",
        .meaning = "When: `\"connect\"`: no connection could be made. `\"closed\"`: it ended "
                   "before a response. `\"timeout\"`: no response came in time. `503`, or "
                   "another status code: that is what the server answered.",
        .type = [] { return std::string("list of words and status codes, 400 to 599"); },
        .read = &read_retry_on,
        .show = &show_retry_on,
    },
    key<RetrySettings, CountValue<0, 1000>>(
        "budget", "20",
        "How many retries there may be, in per cent of the requests of the last ten seconds.",
        [](auto& r) { return std::tie(r.budget); }),
    key<RetrySettings, DurationValue>(
        "back_off", R"("25ms")",
        "The wait before the second retry; doubled for each further one, and varied at random.",
        [](auto& r) { return std::tie(r.back_off); }),
    key<RetrySettings, DurationValue>("max_back_off", R"("1s")", "But not longer than this.",
                                      [](auto& r) { return std::tie(r.max_back_off); }),
    key<RetrySettings, SizeValue<0, kMostBody>>(
        "body", R"("64KiB")",
        "How much of a request's body is kept to be sent again. A request with a larger one is not "
        "tried again.",
        [](auto& r) { return std::tie(r.body); }),
};

void check_retry(const toml::table& table, Report& report, const RetrySettings& retry) {
  if (retry.back_off <= retry.max_back_off) return;
  report.error(place_in(table, table.contains("max_back_off") ? "max_back_off" : "back_off"),
               fmt::format("max_back_off ({}) is less than back_off ({})",
                           format_duration(retry.max_back_off), format_duration(retry.back_off)));
}

constexpr std::array kTlsVersions{
    std::pair{std::string_view("1.2"), TlsVersion::v1_2},
    std::pair{std::string_view("1.3"), TlsVersion::v1_3},
};

constexpr TextRule kTlsName{
    .type = "host name or IP address", .plural = {}, .check = &check_host_or_ip};

constexpr std::array kTlsKeys{
    key<TlsClientSettings, FlagValue>(
        "insecure", "false",
        "Takes any certificate: whoever is on the way can read and change everything.",
        [](auto& t) { return std::tie(t.insecure); }),
    key<TlsClientSettings, FileValue>(
        "ca_file", R"("")",
        "Certificates that are trusted, a PEM file of one or more; when left out the system's.",
        [](auto& t) { return std::tie(t.ca_file); }),
    key<TlsClientSettings, OptionalTextValue<kTlsName>>(
        "server_name", R"("")",
        "The name asked for (SNI) and looked for in the certificate; when left out the host that "
        "is connected to.",
        [](auto& t) { return std::tie(t.server_name); }),
    key<TlsClientSettings, FileValue>("certificate", R"("")",
                                      "A client certificate with its chain, a PEM file.",
                                      [](auto& t) { return std::tie(t.certificate); }),
    key<TlsClientSettings, FileValue>("key", R"("")", "Its key, a PEM file.",
                                      [](auto& t) { return std::tie(t.key); }),
    key<TlsClientSettings, ChoiceValue<kTlsVersions>>(
        "min_version", R"("1.2")", "The oldest version of TLS that is spoken.",
        [](auto& t) { return std::tie(t.min_version); }),
};

void check_tls(const toml::table& table, Report& report, const TlsClientSettings& tls) {
  if (tls.certificate.empty() != tls.key.empty()) {
    const bool lacks_key = tls.key.empty();
    report.error(place_in(table, lacks_key ? "certificate" : "key"),
                 lacks_key ? "a certificate needs its key: add key = \"...\""
                           : "a key needs its certificate: add certificate = \"...\"");
  }
  if (tls.insecure && !tls.ca_file.empty()) {
    report.warning(place_in(table, "ca_file"), "ca_file does not count with insecure = true");
  }
}

}  // namespace

constexpr Section<PoolSettings> kUpstreamPool{.name = "upstream.pool",
                                              .title = "[upstream.NAME.pool]",
                                              .keys = kPoolKeys,
                                              .check = &check_pool};
constexpr Section<PoolSettings> kPeerPool{
    .name = "peer.pool", .title = "[peer.pool]", .keys = kPoolKeys, .check = &check_pool};
constexpr Section<PoolSettings> kTargetsPool{
    .name = "targets.pool", .title = "[targets.pool]", .keys = kPoolKeys, .check = &check_pool};
constexpr Section<PoolSettings> kIcapPool{.name = "icap.pool",
                                          .title = "[icap.NAME.pool]",
                                          .keys = kIcapPoolKeys,
                                          .check = &check_pool,
                                          .untouched = [] { return icap::ServiceSettings{}.pool; }};

constexpr Section<QueueSettings> kUpstreamQueue{
    .name = "upstream.queue", .title = "[upstream.NAME.queue]", .keys = kQueueKeys};
constexpr Section<QueueSettings> kPeerQueue{
    .name = "peer.queue", .title = "[peer.queue]", .keys = kQueueKeys};
constexpr Section<QueueSettings> kIcapQueue{
    .name = "icap.queue", .title = "[icap.NAME.queue]", .keys = kIcapQueueKeys, .untouched = [] {
      return icap::ServiceSettings{}.queue;
    }};

constexpr Section<CheckSettings> kUpstreamCheck{.name = "upstream.check",
                                                .title = "[upstream.NAME.check]",
                                                .keys = kCheckKeys,
                                                .check = &check_checks};
constexpr Section<CheckSettings> kPeerCheck{
    .name = "peer.check", .title = "[peer.check]", .keys = kCheckKeys, .check = &check_checks};

constexpr Section<EjectionSettings> kUpstreamEjection{.name = "upstream.ejection",
                                                      .title = "[upstream.NAME.ejection]",
                                                      .keys = kEjectionKeys,
                                                      .check = &check_ejection};
constexpr Section<EjectionSettings> kPeerEjection{.name = "peer.ejection",
                                                  .title = "[peer.ejection]",
                                                  .keys = kEjectionKeys,
                                                  .check = &check_ejection};

constexpr Section<RetrySettings> kUpstreamRetry{.name = "upstream.retry",
                                                .title = "[upstream.NAME.retry]",
                                                .keys = kRetryKeys,
                                                .check = &check_retry};
constexpr Section<RetrySettings> kTargetsRetry{
    .name = "targets.retry", .title = "[targets.retry]", .keys = kRetryKeys, .check = &check_retry};

constexpr Section<TlsClientSettings> kUpstreamTls{
    .name = "upstream.tls", .title = "[upstream.NAME.tls]", .keys = kTlsKeys, .check = &check_tls};
constexpr Section<TlsClientSettings> kPeerTls{
    .name = "peer.tls", .title = "[peer.tls]", .keys = kTlsKeys, .check = &check_tls};
constexpr Section<TlsClientSettings> kIcapTls{
    .name = "icap.tls", .title = "[icap.NAME.tls]", .keys = kTlsKeys, .check = &check_tls};

}  // namespace penstock::config
