// What the tables about servers, peers, credentials and names come to.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load_test.h"
#include "config/summary.h"

namespace penstock::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

// A group that a route leads to, and more lines of it.
std::string group_with(std::string_view lines) {
  return "listener = [{ mode = 'reverse' }]\n[upstream.a]\nservers = ['a:443']\n" +
         std::string(lines);
}

// A peer that a route leads to, and more lines of it.
std::string peer_with(std::string_view lines) {
  return "route = [{ via = 'p' }]\n[[peer]]\nname = 'p'\naddress = 'p:3128'\n" + std::string(lines);
}

template <class Check>
KeyCase group_case(std::string_view lines, Check check) {
  return {group_with(lines), [check](const Snapshot& s) { return check(s.upstream.groups.at(0)); }};
}

template <class Check>
KeyCase peer_case(std::string_view lines, Check check) {
  return {peer_with(lines), [check](const Snapshot& s) { return check(s.upstream.peers.at(0)); }};
}

TEST(LoadServers, EachKeyOfAGroupSetsItsMember) {
  const KeyCase cases[] = {
      group_case("", [](auto& g) { return !g.tls && g.balance.algorithm == Balance::round_robin; }),
      group_case("balance = 'least_connections'",
                 [](auto& g) { return g.balance.algorithm == Balance::least_connections; }),
      group_case("balance = 'two_choices'",
                 [](auto& g) { return g.balance.algorithm == Balance::two_choices; }),
      group_case("balance = 'random'",
                 [](auto& g) { return g.balance.algorithm == Balance::random; }),
      group_case("balance = 'first'",
                 [](auto& g) { return g.balance.algorithm == Balance::first; }),
      group_case("balance = 'hash'",
                 [](auto& g) {
                   return g.balance.algorithm == Balance::hash &&
                          g.balance.hash_on == HashOn::source;
                 }),
      group_case("balance = 'hash'\nhash = 'uri'",
                 [](auto& g) { return g.balance.hash_on == HashOn::uri; }),
      group_case("balance = 'hash'\nhash = 'path'",
                 [](auto& g) { return g.balance.hash_on == HashOn::path; }),
      group_case("balance = 'hash'\nhash = 'host'",
                 [](auto& g) { return g.balance.hash_on == HashOn::host; }),
      group_case("balance = 'hash'\nhash = 'header:X-Id'",
                 [](auto& g) {
                   return g.balance.hash_on == HashOn::header && g.balance.hash_name == "X-Id";
                 }),
      group_case("balance = 'hash'\nhash = 'cookie:id'",
                 [](auto& g) {
                   return g.balance.hash_on == HashOn::cookie && g.balance.hash_name == "id";
                 }),
      group_case("sticky_cookie = 'srv'", [](auto& g) { return g.sticky_cookie == "srv"; }),
      group_case("sticky_cookie = ''", [](auto& g) { return g.sticky_cookie.empty(); }),
      group_case("slow_start = '30s'", [](auto& g) { return g.slow_start == 30s; }),
      group_case("slow_start = '0s'", [](auto& g) { return g.slow_start == 0s; }),
      group_case("max_connections = 7", [](auto& g) { return g.max_connections == 7; }),
      group_case("breaker.connections = 8", [](auto& g) { return g.breaker.connections == 8; }),
      group_case("breaker.retries = 9", [](auto& g) { return g.breaker.retries == 9; }),
      group_case("hedge.percentile = 95", [](auto& g) { return g.hedge.percentile == 95; }),
      group_case("hedge.percentile = 0", [](auto& g) { return g.hedge.percentile == 0; }),
      group_case("",
                 [](auto& g) {
                   return g.http == HttpChoice::http1 && g.proxy_header == ProxyHeader::none;
                 }),
      group_case("http = '2'", [](auto& g) { return g.http == HttpChoice::http2; }),
      group_case("http = 'auto'\ntls = {}",
                 [](auto& g) { return g.http == HttpChoice::negotiate; }),
      group_case("proxy_protocol = 'v1'",
                 [](auto& g) { return g.proxy_header == ProxyHeader::v1; }),
      group_case("proxy_protocol = 'v2'",
                 [](auto& g) { return g.proxy_header == ProxyHeader::v2; }),
      group_case("hedge.least = '7ms'", [](auto& g) { return g.hedge.least == 7ms; }),
  };
  expect_hold(cases);
}

TEST(LoadServers, EachKeyOfAGroupsTablesSetsItsMember) {
  const KeyCase cases[] = {
      group_case("[upstream.a.pool]\nidle = '7s'", [](auto& g) { return g.pool.idle == 7s; }),
      group_case("pool.max_idle = 3", [](auto& g) { return g.pool.max_idle == 3; }),
      group_case("pool = { max_age = '1h' }", [](auto& g) { return g.pool.max_age == 1h; }),
      group_case("pool.max_requests = 100", [](auto& g) { return g.pool.max_requests == 100; }),
      group_case("pool.spare = 2", [](auto& g) { return g.pool.spare == 2; }),
      group_case("queue.length = 0", [](auto& g) { return g.queue.length == 0; }),
      group_case("queue.timeout = '9s'", [](auto& g) { return g.queue.timeout == 9s; }),
      group_case("check.type = 'tcp'", [](auto& g) { return g.check.kind == CheckKind::tcp; }),
      group_case("check = { type = 'http', method = 'HEAD', path = '/h?x', host = 'h:1', "
                 "status = [200, 204], body = 'ok' }",
                 [](auto& g) {
                   return g.check.kind == CheckKind::http && g.check.method == "HEAD" &&
                          g.check.path == "/h?x" && g.check.host == "h:1" &&
                          g.check.status == std::vector<std::uint16_t>{200, 204} &&
                          g.check.body == "ok";
                 }),
      group_case("check.interval = '9s'", [](auto& g) { return g.check.interval == 9s; }),
      group_case("check.timeout = '4s'", [](auto& g) { return g.check.timeout == 4s; }),
      group_case("check.rise = 1", [](auto& g) { return g.check.rise == 1; }),
      group_case("check.fall = 9", [](auto& g) { return g.check.fall == 9; }),
      group_case("ejection.failures = 0", [](auto& g) { return g.ejection.failures == 0; }),
      group_case("ejection.responses = 4", [](auto& g) { return g.ejection.responses == 4; }),
      group_case("ejection.time = '1s'", [](auto& g) { return g.ejection.time == 1s; }),
      group_case("ejection.max_time = '1h'", [](auto& g) { return g.ejection.max_time == 1h; }),
      group_case("ejection.max_share = 100", [](auto& g) { return g.ejection.max_share == 100; }),
      group_case("retry.count = 0", [](auto& g) { return g.retry.count == 0; }),
      group_case("retry.on = []",
                 [](auto& g) { return !g.retry.on_connect && !g.retry.on_closed; }),
      group_case("retry.on = ['timeout', 502, 'connect', 503]",
                 [](auto& g) {
                   return g.retry.on_connect && !g.retry.on_closed && g.retry.on_timeout &&
                          g.retry.on_status == std::vector<std::uint16_t>{502, 503};
                 }),
      group_case("retry.budget = 5", [](auto& g) { return g.retry.budget == 5; }),
      group_case("retry.back_off = '1ms'", [](auto& g) { return g.retry.back_off == 1ms; }),
      group_case("retry.max_back_off = '2s'", [](auto& g) { return g.retry.max_back_off == 2s; }),
      group_case("retry.body = '1MiB'", [](auto& g) { return g.retry.body == 1024 * 1024; }),
      group_case("tls = {}", [](auto& g) { return g.tls == TlsClientSettings{}; }),
      group_case("[upstream.a.tls]", [](auto& g) { return g.tls.has_value(); }),
      group_case("tls.insecure = true", [](auto& g) { return g.tls->insecure; }),
      group_case("tls.server_name = '::1'", [](auto& g) { return g.tls->server_name == "::1"; }),
      group_case("tls.ca_file = '/dev/null'",
                 [](auto& g) { return g.tls->ca_file == "/dev/null"; }),
      group_case(
          "tls = { certificate = '/dev/null', key = '/dev/zero' }",
          [](auto& g) { return g.tls->certificate == "/dev/null" && g.tls->key == "/dev/zero"; }),
      group_case("tls.min_version = '1.3'",
                 [](auto& g) { return g.tls->min_version == TlsVersion::v1_3; }),
  };
  expect_hold(cases);
}

TEST(LoadServers, ServersAreTextsAndTables) {
  const Snapshot snapshot = load(R"(
    listener = [{ mode = "reverse" }]
    [upstream.a]
    servers = ["a:1", { address = "b:2", weight = 256, drain = true, max_connections = 50 },
               { address = "c:3", backup = true }]
  )");
  const auto& servers = snapshot.upstream.groups.at(0).servers;
  ASSERT_THAT(servers, SizeIs(3));
  EXPECT_EQ(servers[0].address, "a:1");
  EXPECT_EQ(servers[0].weight, 1U);
  EXPECT_FALSE(servers[0].backup || servers[0].drain);
  EXPECT_EQ(servers[1].address, "b:2");
  EXPECT_EQ(servers[1].weight, 256U);
  EXPECT_TRUE(servers[1].drain);
  EXPECT_EQ(servers[1].max_connections, 50U);
  EXPECT_TRUE(servers[2].backup);
}

TEST(LoadServers, ServersMayStandInTheirOwnTables) {
  const Snapshot snapshot = load(
      "listener = [{ mode = 'reverse' }]\n[[upstream.a.servers]]\naddress = 'a:1'\n"
      "[[upstream.a.servers]]\naddress = 'b:2'");
  ASSERT_THAT(snapshot.upstream.groups.at(0).servers, SizeIs(2));
  EXPECT_EQ(snapshot.upstream.groups[0].servers[1].address, "b:2");
}

TEST(LoadServers, AServiceStandsInPlaceOfServers) {
  const Snapshot snapshot =
      load("listener = [{ mode = 'reverse' }]\nupstream.a.service = '_http._tcp.x.org'");
  EXPECT_EQ(snapshot.upstream.groups.at(0).service, "_http._tcp.x.org");
  EXPECT_THAT(snapshot.upstream.groups[0].servers, IsEmpty());
}

TEST(LoadServers, ServerIdleIsTheDefaultOfEveryPool) {
  const Snapshot snapshot = load(R"(
    listener = [{ mode = "reverse" }, { address = "127.0.0.1:1" }]
    route = [{ to = "a", host = "a" }, { to = "b" }, { via = "p" }]
    [upstream]
    a = { servers = ["a"], pool = { idle = "9s" } }
    b = { servers = ["b"], pool = { spare = 1 } }
    [[peer]]
    name = "p"
    address = "p:1"
    [targets]
    pool.max_idle = 3
    [timeouts]
    server_idle = "4s"
  )");
  EXPECT_EQ(snapshot.upstream.groups.at(0).pool.idle, 9s);
  EXPECT_EQ(snapshot.upstream.groups.at(1).pool.idle, 4s);
  EXPECT_EQ(snapshot.upstream.peers.at(0).pool.idle, 4s);
  EXPECT_EQ(snapshot.upstream.targets.idle, 4s);
  EXPECT_EQ(load("timeouts.server_idle = '4s'\ntargets.pool.idle = '5s'").upstream.targets.idle,
            5s);
}

TEST(LoadServers, EachKeyOfAPeerSetsItsMember) {
  using Scheme = CredentialSettings::Scheme;
  const KeyCase cases[] = {
      peer_case("",
                [](auto& p) {
                  return p.name == "p" && p.address == "p:3128" && p.kind == PeerKind::http &&
                         !p.tls && !p.login && !p.pass_login && p.weight == 1;
                }),
      peer_case("type = 'socks5'", [](auto& p) { return p.kind == PeerKind::socks5; }),
      peer_case("tls = {}", [](auto& p) { return p.tls.has_value(); }),
      peer_case("tls.server_name = 'x'", [](auto& p) { return p.tls->server_name == "x"; }),
      peer_case("login = { user = 'u', password = 's' }",
                [](auto& p) {
                  return p.login->user == "u" && p.login->password == "s" &&
                         p.login->scheme == Scheme::automatic;
                }),
      peer_case("[peer.login]\nuser = 'u'\npassword_file = '/dev/null'\nscheme = 'digest'",
                [](auto& p) {
                  return p.login->password_file == "/dev/null" && p.login->scheme == Scheme::digest;
                }),
      peer_case("login = { user = 'u', password = '', scheme = 'basic' }",
                [](auto& p) { return p.login->scheme == Scheme::basic; }),
      peer_case("type = 'socks5'\nlogin = { user = 'u', password = 's' }",
                [](auto& p) { return p.login->user == "u"; }),
      peer_case("pass_login = true", [](auto& p) { return p.pass_login; }),
      peer_case("weight = 5", [](auto& p) { return p.weight == 5; }),
      peer_case("max_connections = 6", [](auto& p) { return p.max_connections == 6; }),
      peer_case("pool.idle = '9s'", [](auto& p) { return p.pool.idle == 9s; }),
      peer_case("queue.length = 7", [](auto& p) { return p.queue.length == 7; }),
      peer_case("ejection.failures = 8", [](auto& p) { return p.ejection.failures == 8; }),
      peer_case("check.type = 'tcp'", [](auto& p) { return p.check.kind == CheckKind::tcp; }),
  };
  expect_hold(cases);
}

TEST(LoadServers, RoutesLeadToPeers) {
  const Snapshot snapshot = load(R"(
    peer = [{ name = "p", address = "p:1" }, { name = "q", address = "unix:/q" }]
    [[route]]
    host = "*.a.org"
    path = "/x"
    via = "direct"
    request.remove = ["X-A"]
    [[route]]
    via = ["q", "p", "direct"]
    via_order = "host"
  )");
  const auto& routes = snapshot.proxy.routes;
  ASSERT_THAT(routes, SizeIs(2));
  EXPECT_THAT(routes[0].via, ElementsAre("direct"));
  EXPECT_EQ(routes[0].host, "*.a.org");
  EXPECT_THAT(routes[0].request.remove, ElementsAre("X-A"));
  EXPECT_FALSE(routes[0].via_by_host);
  EXPECT_THAT(routes[1].via, ElementsAre("q", "p", "direct"));
  EXPECT_TRUE(routes[1].via_by_host);
  EXPECT_EQ(routes[1].to, "");
}

TEST(LoadServers, TheRouteToAnOnlyGroupIsThereBesideThoseToPeers) {
  const Snapshot snapshot = load(R"(
    listener = [{ mode = "reverse" }, { address = "127.0.0.1:1" }]
    route = [{ via = "direct" }]
    upstream.only.servers = ["a"]
  )");
  ASSERT_THAT(snapshot.proxy.routes, SizeIs(2));
  EXPECT_EQ(snapshot.proxy.routes[1].to, "only");
}

TEST(LoadServers, Credentials) {
  using Scheme = CredentialSettings::Scheme;
  const Snapshot snapshot = load(R"(
    [[credentials]]
    host = "https://api.org"
    scheme = "bearer"
    token_file = "/dev/null"
    [[credentials]]
    host = "*.x.org:*"
    user = "u"
    password = "s"
    realm = "r"
    scheme = "basic"
    preemptive = false
    [[credentials]]
    host = "[::1]:8080"
    user = "v"
    password_file = "/dev/null"
  )");
  const auto& all = snapshot.upstream.credentials;
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].host, "https://api.org");
  EXPECT_EQ(all[0].credentials.scheme, Scheme::bearer);
  EXPECT_EQ(all[0].credentials.token_file, "/dev/null");
  EXPECT_TRUE(all[0].credentials.preemptive);
  EXPECT_EQ(all[1].credentials.user, "u");
  EXPECT_EQ(all[1].credentials.password, "s");
  EXPECT_EQ(all[1].credentials.realm, "r");
  EXPECT_EQ(all[1].credentials.scheme, Scheme::basic);
  EXPECT_FALSE(all[1].credentials.preemptive);
  EXPECT_EQ(all[2].credentials.password_file, "/dev/null");
  EXPECT_EQ(all[2].credentials.scheme, Scheme::automatic);
}

TEST(LoadServers, NamesAndTargets) {
  const KeyCase cases[] = {
      {"dns.servers = ['192.0.2.1', '[::1]:54']",
       [](const Snapshot& s) {
         return s.dns.servers == std::vector<std::string>{"192.0.2.1", "[::1]:54"};
       }},
      {"dns.timeout = '1s'", [](const Snapshot& s) { return s.dns.timeout == 1s; }},
      {"dns.tries = 5", [](const Snapshot& s) { return s.dns.tries == 5; }},
      {"dns.min_ttl = '7s'", [](const Snapshot& s) { return s.dns.min_ttl == 7s; }},
      {"dns.max_ttl = '9s'", [](const Snapshot& s) { return s.dns.max_ttl == 9s; }},
      {"dns.negative_ttl = '0s'", [](const Snapshot& s) { return s.dns.negative_ttl == 0s; }},
      {"dns.stale = '0s'", [](const Snapshot& s) { return s.dns.stale == 0s; }},
      {"dns.max_names = 8", [](const Snapshot& s) { return s.dns.max_names == 8; }},
      {"dns.max_questions = 6", [](const Snapshot& s) { return s.dns.max_questions == 6; }},
      {"dns.hosts_file = false", [](const Snapshot& s) { return !s.dns.hosts_file; }},
      {"targets.pool.max_idle = 3",
       [](const Snapshot& s) { return s.upstream.targets.max_idle == 3; }},
      {"targets = { retry = { count = 1, on = [500] } }",
       [](const Snapshot& s) {
         return s.upstream.target_retry.count == 1 && !s.upstream.target_retry.on_connect &&
                s.upstream.target_retry.on_status == std::vector<std::uint16_t>{500};
       }},
  };
  expect_hold(cases);
  const Snapshot snapshot =
      load("[hosts]\n'B.x.' = ['192.0.2.1', '::1']\na = '192.0.2.2'\nnone = []");
  EXPECT_THAT(snapshot.dns.hosts,
              ElementsAre(Pair("B.x", ElementsAre("192.0.2.1", "::1")),
                          Pair("a", ElementsAre("192.0.2.2")), Pair("none", IsEmpty())));
}

TEST(SummaryOfServers, ShowsWhatIsNotTheDefaultAndNoSecrets) {
  const std::string text = summary(load(R"(
    listener = [{ mode = "reverse" }, { address = "127.0.0.1:1" }]
    route = [{ to = "srv", host = "s" }, { to = "app" }, { via = ["p", "direct"] }]
    [upstream.app]
    servers = ["a:1", { address = "b:2", weight = 2, backup = true }]
    balance = "hash"
    hash = "header:X-Id"
    retry = { count = 3, on = ["connect", 503] }
    tls = {}
    [upstream.srv]
    service = "_http._tcp.x.org"
    [[peer]]
    name = "p"
    address = "p:1"
    login = { user = "u", password = "hidden" }
    [[credentials]]
    host = "https://x.org"
    user = "someone"
    password = "hidden"
    [hosts]
    "a.b" = "192.0.2.1"
  )"));
  EXPECT_THAT(text, HasSubstr("upstream   app: a:1, b:2 (weight = 2, backup = true), "
                              "balance = \"hash\", hash = \"header:X-Id\",\n           "
                              "retry = { count = 3, on = [\"connect\", 503] }, tls = {}\n"));
  EXPECT_THAT(text, HasSubstr("upstream   srv: _http._tcp.x.org (SRV)\n"));
  EXPECT_THAT(text, HasSubstr("route      */ -> via p, direct\n"));
  EXPECT_THAT(text, HasSubstr("peer       p: p:1 (http), "
                              "login = { user = \"u\", password = \"***\" }\n"));
  EXPECT_THAT(text, HasSubstr("credential https://x.org (automatic)\n"));
  EXPECT_THAT(text, HasSubstr("hosts      \"a.b\" = [\"192.0.2.1\"]\n"));
  EXPECT_THAT(text, HasSubstr("dns        servers = [], timeout = \"2s\""));
  EXPECT_THAT(text, HasSubstr("targets    pool = {}, retry = {}\n"));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  EXPECT_THAT(text, Not(HasSubstr("someone")));
}

}  // namespace
}  // namespace penstock::config
