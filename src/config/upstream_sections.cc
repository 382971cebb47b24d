// [upstream.NAME] and what only it has: servers, the choice among them, bounds of the group.
#include <algorithm>
#include <array>
#include <utility>

#include "config/field_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::uint64_t kMostConnections = 10'000'000;

constexpr std::array kBalances{
    std::pair{std::string_view("round_robin"), Balance::round_robin},
    std::pair{std::string_view("least_connections"), Balance::least_connections},
    std::pair{std::string_view("two_choices"), Balance::two_choices},
    std::pair{std::string_view("random"), Balance::random},
    std::pair{std::string_view("hash"), Balance::hash},
    std::pair{std::string_view("first"), Balance::first},
};

constexpr TextRule kServerAddress{
    .type = "server address", .plural = "server addresses", .check = &check_server_address};
constexpr TextRule kServiceName{.type = "service name", .plural = {}, .check = &check_service_name};
constexpr TextRule kCookieName{.type = "cookie name", .plural = {}, .check = &check_token};

constexpr std::array kServerKeys{
    key<ServerEntry, TextValue<kServerAddress>>(
        "address", "",
        "A host name or IP address with a port (80 when left out), an IPv6 address in brackets, or "
        "`unix:` and an absolute path.",
        [](auto& s) { return std::tie(s.address); }),
    key<ServerEntry, CountValue<1, 256>>(
        "weight", "1", "The server's share of the requests, compared with the other servers'.",
        [](auto& s) { return std::tie(s.weight); }),
    key<ServerEntry, FlagValue>("backup", "false",
                                "Used only while none of the other servers can be.",
                                [](auto& s) { return std::tie(s.backup); }),
    key<ServerEntry, FlagValue>(
        "drain", "false",
        "Takes no requests but those of clients that a cookie binds to it, so that it can be taken "
        "away some time later.",
        [](auto& s) { return std::tie(s.drain); }),
    key<ServerEntry, CountValue<0, kMostConnections>>(
        "max_connections", "0",
        "Connections to it at a time, over all workers. `0`: as the group says.",
        [](auto& s) { return std::tie(s.max_connections); }),
};

// Addresses, and tables where there is more to say of a server.
struct ServersValue {
  static std::string type() { return "list of server addresses or tables"; }

  static std::optional<std::vector<ServerEntry>> read(const toml::node& node, Report& report) {
    const toml::array* const list = read_list(node, report, kServerAddress.plural);
    if (list == nullptr) return std::nullopt;
    if (list->empty()) report.error(place_of(node), "expected at least one server address");
    std::vector<ServerEntry> out;
    for (const toml::node& element : *list) {
      ServerEntry& server = out.emplace_back();
      if (element.is_table()) {
        read_table(element, kServer, report, server);
      } else if (auto address = read_checked(element, report, kServerAddress)) {
        server.address = std::move(*address);
      }
    }
    return out;
  }

  static std::string show(const std::vector<ServerEntry>& servers) {
    std::vector<std::string> out;
    for (const ServerEntry& server : servers) {
      const bool only_address = changes(kServer, server).size() == 1;
      out.push_back(only_address ? quoted(server.address) : show_table(kServer, server));
    }
    return fmt::format("[{}]", fmt::join(out, ", "));
  }
};

// "source", "header:NAME" and the like: two members, so it reads itself.
struct HashWord {
  std::string_view word;  // with a colon: a name follows
  HashOn on;
};
constexpr std::array kHashWords{
    HashWord{.word = "source", .on = HashOn::source},
    HashWord{.word = "uri", .on = HashOn::uri},
    HashWord{.word = "path", .on = HashOn::path},
    HashWord{.word = "host", .on = HashOn::host},
    HashWord{.word = "header:", .on = HashOn::header},
    HashWord{.word = "cookie:", .on = HashOn::cookie},
};
constexpr std::string_view kHashForm =
    R"("source", "uri", "path", "host", "header:NAME" or "cookie:NAME")";

void read_hash(const toml::node& node, Report& report, UpstreamGroupSettings& group) {
  const auto text = read_text(node, report, kHashForm);
  if (!text) return;
  std::vector<std::string_view> words;
  for (const HashWord& candidate : kHashWords) {
    words.push_back(candidate.word);
    const bool named = candidate.word.ends_with(':');
    if (named ? !text->starts_with(candidate.word) : *text != candidate.word) continue;
    const std::string_view name = std::string_view(*text).substr(candidate.word.size());
    Complaint complaint = named ? check_token(name) : Complaint{};
    if (!complaint.empty()) report.error(place_of(node), std::move(complaint));
    group.balance.hash_on = candidate.on;
    group.balance.hash_name = name;
    return;
  }
  const auto near = nearest(*text, words);
  report.error(place_of(node),
               fmt::format("expected {}, found {}{}", kHashForm, quoted(*text),
                           near ? fmt::format("; did you mean {}?", quoted(*near)) : ""));
}

std::string show_hash(const UpstreamGroupSettings& group) {
  for (const HashWord& candidate : kHashWords) {
    if (candidate.on == group.balance.hash_on) {
      return quoted(std::string(candidate.word) + group.balance.hash_name);
    }
  }
  return {};
}

constexpr std::array kBreakerKeys{
    key<BreakerSettings, CountValue<0, kMostConnections>>(
        "connections", "0",
        "Connections to all servers of the group at a time, over all workers. `0`: no bound.",
        [](auto& b) { return std::tie(b.connections); }),
    key<BreakerSettings, CountValue<0, kMostConnections>>(
        "retries", "0", "Retries under way at a time, over all workers. `0`: no bound.",
        [](auto& b) { return std::tie(b.retries); }),
};

struct PercentileValue {
  static std::string type() { return "number, 50 to 99, or 0"; }
  static std::optional<std::uint64_t> read(const toml::node& node, Report& report) {
    const auto* number = node.as_integer();
    if (number != nullptr && number->get() == 0) return 0;
    return read_count(node, report, 50, 99);
  }
  static std::string show(std::uint32_t value) { return std::to_string(value); }
};

constexpr std::array kHedgeKeys{
    key<HedgeSettings, PercentileValue>(
        "percentile", "0",
        "A safe request that takes longer than so many per cent of the others is sent to a second "
        "server, too, and the first response counts. `0`: never.",
        [](auto& h) { return std::tie(h.percentile); }),
    key<HedgeSettings, DurationValue>("least", R"("5ms")", "But not sooner than after this time.",
                                      [](auto& h) { return std::tie(h.least); }),
};

constexpr std::array kHttpChoices{
    std::pair{std::string_view("1.1"), HttpChoice::http1},
    std::pair{std::string_view("2"), HttpChoice::http2},
    std::pair{std::string_view("auto"), HttpChoice::negotiate},
};
constexpr std::array kProxyHeaders{
    std::pair{std::string_view("off"), ProxyHeader::none},
    std::pair{std::string_view("v1"), ProxyHeader::v1},
    std::pair{std::string_view("v2"), ProxyHeader::v2},
};

constexpr std::array kUpstreamKeys{
    key<UpstreamGroupSettings, ServersValue>(
        "servers", "[]",
        "The servers of the group: a host name or IP address with a port (80 when left out), IPv6 "
        "addresses in brackets, or `unix:` and an absolute path; or tables, see "
        "`[[upstream.NAME.servers]]`. Each group has `servers` or a `service`.",
        [](auto& g) { return std::tie(g.servers); }),
    key<UpstreamGroupSettings, OptionalTextValue<kServiceName>>(
        "service", R"("")",
        "A name whose SRV records say which servers there are, such as `_http._tcp.example.com`; "
        "asked for again when they expire.",
        [](auto& g) { return std::tie(g.service); }),
    key<UpstreamGroupSettings, ChoiceValue<kBalances>>(
        "balance", R"("round_robin")",
        "How the server of a request is chosen. `\"round_robin\"`: one after the other. "
        "`\"least_connections\"`: the least busy one. `\"two_choices\"`: the less busy one of two "
        "drawn at random. `\"random\"`: any. `\"hash\"`: always the same one for what `hash` "
        "names. `\"first\"`: the first one that is well.",
        [](auto& g) { return std::tie(g.balance.algorithm); }),
    Key<UpstreamGroupSettings>{
        .name = "hash",
        .standard = R"("source")",
        .meaning = "What `balance = \"hash\"` goes by: the client's address (`\"source\"`), path "
                   "and query (`\"uri\"`), the path, the host, a header field or a cookie.",
        .type = [] { return std::string(kHashForm); },
        .read = &read_hash,
        .show = &show_hash,
    },
    key<UpstreamGroupSettings, OptionalTextValue<kCookieName>>(
        "sticky_cookie", R"("")",
        "A cookie that is set to bind a client to the server it had first; when left out there is "
        "none.",
        [](auto& g) { return std::tie(g.sticky_cookie); }),
    key<UpstreamGroupSettings, DurationOrZeroValue>(
        "slow_start", R"("0s")",
        "How long the share of a server that has come back grows to its full weight.",
        [](auto& g) { return std::tie(g.slow_start); }),
    key<UpstreamGroupSettings, CountValue<0, kMostConnections>>(
        "max_connections", "0",
        "Connections to each server at a time, over all workers; requests beyond wait in the "
        "queue. `0`: no limit.",
        [](auto& g) { return std::tie(g.max_connections); }),
    table_key<UpstreamGroupSettings, kUpstreamPool>(
        "pool", "How connections are kept; see `[upstream.NAME.pool]`.",
        [](auto& g) { return std::tie(g.pool); }),
    table_key<UpstreamGroupSettings, kUpstreamQueue>(
        "queue", "Requests that wait for a connection; see `[upstream.NAME.queue]`.",
        [](auto& g) { return std::tie(g.queue); }),
    table_key<UpstreamGroupSettings, kUpstreamCheck>("check",
                                                     "Health checks; see `[upstream.NAME.check]`.",
                                                     [](auto& g) { return std::tie(g.check); }),
    table_key<UpstreamGroupSettings, kUpstreamEjection>(
        "ejection", "When servers that fail are left alone; see `[upstream.NAME.ejection]`.",
        [](auto& g) { return std::tie(g.ejection); }),
    table_key<UpstreamGroupSettings, kUpstreamBreaker>(
        "breaker", "Bounds of the group as a whole; see `[upstream.NAME.breaker]`.",
        [](auto& g) { return std::tie(g.breaker); }),
    table_key<UpstreamGroupSettings, kUpstreamRetry>(
        "retry", "When requests are tried again; see `[upstream.NAME.retry]`.",
        [](auto& g) { return std::tie(g.retry); }),
    table_key<UpstreamGroupSettings, kUpstreamHedge>(
        "hedge", "A second try beside a slow first one; see `[upstream.NAME.hedge]`.",
        [](auto& g) { return std::tie(g.hedge); }),
    table_key<UpstreamGroupSettings, kUpstreamTls>(
        "tls",
        "TLS to the servers, spoken where this table is there, even if it is empty; see "
        "`[upstream.NAME.tls]`.",
        [](auto& g) { return std::tie(g.tls); }),
    key<UpstreamGroupSettings, ChoiceValue<kHttpChoices>>(
        "http", R"("1.1")",
        "The HTTP that is spoken to the servers. `\"2\"`: always HTTP/2, in clear text where there "
        "is no `tls`. `\"auto\"`: HTTP/2 with `tls` if the server agrees to it by ALPN.",
        [](auto& g) { return std::tie(g.http); }),
    key<UpstreamGroupSettings, ChoiceValue<kProxyHeaders>>(
        "proxy_protocol", R"("off")",
        "Connections to the servers begin with a header of the PROXY protocol that names the "
        "client. Each of them then serves one client connection only.",
        [](auto& g) { return std::tie(g.proxy_header); }),
};

bool lacks_port(std::string_view address) {
  return !address.starts_with("unix:") &&
         (address.ends_with(']') || address.find(':') == std::string_view::npos);
}

void warn_of_tls(Place place, Report& report, const UpstreamGroupSettings& group) {
  for (const ServerEntry& server : group.servers) {
    if (lacks_port(server.address)) {
      report.warning(
          place, fmt::format("TLS to port 80 is hardly meant: write \"{}:443\"", server.address));
    } else if (server.address.starts_with("unix:") && group.tls->server_name.empty() &&
               !group.tls->insecure) {
      report.warning(place, fmt::format("the certificate of {} can be for no host: add server_name "
                                        "to [upstream.{}.tls]",
                                        quoted(server.address), group.name));
    }
  }
}

void warn_of_servers(Place place, Report& report, const UpstreamGroupSettings& group) {
  const auto& servers = group.servers;
  for (auto server = servers.begin(); server != servers.end(); ++server) {
    if (std::ranges::find(servers.begin(), server, server->address, &ServerEntry::address) ==
        server) {
      continue;
    }
    report.warning(place, fmt::format("{} stands here twice: give it a weight instead",
                                      quoted(server->address)));
  }
  if (std::ranges::all_of(servers, &ServerEntry::drain)) {
    report.warning(place, "all servers drain: new clients find none");
  } else if (std::ranges::all_of(servers, &ServerEntry::backup)) {
    report.warning(place, "all servers are backups: there is nothing that they stand in for");
  }
}

void check_group(const toml::table& table, Report& report, const UpstreamGroupSettings& group) {
  if (group.servers.empty() && group.service.empty()) {
    report.error(place_of(table),
                 "[upstream.NAME] lacks servers: add servers = [...] or a service");
    return;
  }
  if (!group.servers.empty() && !group.service.empty()) {
    report.error(place_in(table, "service"),
                 "a group has either servers or a service: its SRV records name the servers");
    return;
  }
  if (table.contains("hash") && group.balance.algorithm != Balance::hash) {
    report.warning(place_in(table, "hash"), "hash counts only with balance = \"hash\"");
  }
  if (group.servers.empty()) return;
  const Place place = place_in(table, "servers");
  warn_of_servers(place, report, group);
  if (group.tls) warn_of_tls(place, report, group);
}

}  // namespace

constexpr Section<ServerEntry> kServer{
    .name = "upstream.servers", .title = "[[upstream.NAME.servers]]", .keys = kServerKeys};
constexpr Section<BreakerSettings> kUpstreamBreaker{
    .name = "upstream.breaker", .title = "[upstream.NAME.breaker]", .keys = kBreakerKeys};
constexpr Section<HedgeSettings> kUpstreamHedge{
    .name = "upstream.hedge", .title = "[upstream.NAME.hedge]", .keys = kHedgeKeys};
constexpr Section<UpstreamGroupSettings> kUpstream{
    .name = "upstream", .title = "[upstream.NAME]", .keys = kUpstreamKeys, .check = &check_group};

}  // namespace penstock::config
