#include "config/load.h"

#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "config/load_test.h"
#include "config/summary.h"

namespace penstock::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(Load, AnEmptyTextIsAForwardProxy) {
  const Snapshot snapshot = load("");
  ASSERT_THAT(snapshot.listeners, SizeIs(1));
  EXPECT_EQ(snapshot.listeners[0].addresses, std::vector<std::string>{"127.0.0.1:3128"});
  EXPECT_EQ(snapshot.listeners[0].mode, ListenerMode::forward);
  EXPECT_EQ(snapshot.listeners[0].max_connections, 10'000U);
  EXPECT_THAT(snapshot.proxy.routes, IsEmpty());
  EXPECT_THAT(snapshot.upstream.groups, IsEmpty());
}

TEST(Load, EachKeySetsItsMember) {
  const KeyCase cases[] = {
      {"[limits]\nhead = '1KiB'",
       [](const Snapshot& s) {
         return s.server.request_head.head == 1024 && s.upstream.response_head.head == 1024;
       }},
      {"[limits]\nstart_line = 512",
       [](const Snapshot& s) {
         return s.server.request_head.start_line == 512 &&
                s.upstream.response_head.start_line == 512;
       }},
      {"[limits]\nfields = 7",
       [](const Snapshot& s) {
         return s.server.request_head.fields == 7 && s.upstream.response_head.fields == 7;
       }},
      {"[limits]\nbody = '10MB'", [](const Snapshot& s) { return s.proxy.max_body == 10'000'000; }},
      {"[limits]\nbody = 'unlimited'", [](const Snapshot& s) { return s.proxy.max_body == 0; }},
      {"[limits]\nbody = '0'", [](const Snapshot& s) { return s.proxy.max_body == 0; }},
      {"[limits]\nchunk_extensions = 0",
       [](const Snapshot& s) {
         return s.server.request_chunks.extensions == 0 &&
                s.upstream.response_chunks.extensions == 0;
       }},
      {"[limits]\ntrailers = '1KiB'",
       [](const Snapshot& s) {
         return s.server.request_chunks.trailers.head == 1024 &&
                s.upstream.response_chunks.trailers.head == 1024;
       }},
      {"[limits]\nbuffers = '1GiB'",
       [](const Snapshot& s) { return s.server.buffer_bytes == 1U << 30U; }},
      {"[limits]\nconnections = 5",
       [](const Snapshot& s) { return s.listeners[0].max_connections == 5; }},
      {"[limits]\nidle_server_connections = 0",
       [](const Snapshot& s) { return s.upstream.max_idle == 0; }},
      {"[timeouts]\nclient_handshake = '3s'",
       [](const Snapshot& s) { return s.server.client_handshake == 3s; }},
      {"[timeouts]\nclient_head = '1s'",
       [](const Snapshot& s) { return s.server.client_head == 1s; }},
      {"[timeouts]\nclient_idle = '1s'",
       [](const Snapshot& s) { return s.server.client_idle == 1s; }},
      {"[timeouts]\nconnect = '250ms'",
       [](const Snapshot& s) { return s.upstream.connect == 250ms; }},
      {"[timeouts]\nstall = '3m'",
       [](const Snapshot& s) { return s.server.stall == 3min && s.upstream.stall == 3min; }},
      {"[timeouts]\nserver_idle = '4s'",
       [](const Snapshot& s) { return s.upstream.targets.idle == 4s; }},
      {"[timeouts]\ntunnel_idle = '2h'",
       [](const Snapshot& s) { return s.proxy.tunnel_idle == 2h; }},
      {"[timeouts]\ndrain = '5s'", [](const Snapshot& s) { return s.workers.drain == 5s; }},
      {"[http2]\nmax_streams = 9",
       [](const Snapshot& s) { return s.server.http2.max_streams == 9; }},
      {"[http2]\nstream_window = 65535",
       [](const Snapshot& s) {
         return s.server.http2.stream_window == 65535 && s.upstream.http2.stream_window == 65535;
       }},
      {"[http2]\nconnection_window = '64MiB'",
       [](const Snapshot& s) {
         return s.server.http2.connection_window == 64U << 20U &&
                s.upstream.http2.connection_window == 64U << 20U;
       }},
      {"[forward]\nconnect_ports = [1, 65535]",
       [](const Snapshot& s) {
         return s.proxy.forward.connect_ports == std::vector<std::uint16_t>{1, 65535};
       }},
      {"[forward]\nconnect_ports = []",
       [](const Snapshot& s) { return s.proxy.forward.connect_ports.empty(); }},
      {"[forward]\nlocal_targets = 'allow'",
       [](const Snapshot& s) {
         return s.proxy.forward.local_targets == ForwardSettings::PrivateTargets::allow;
       }},
      {"[proxy]\nname = 'edge'", [](const Snapshot& s) { return s.proxy.name == "edge"; }},
      {"[proxy]\nx_forwarded = false", [](const Snapshot& s) { return !s.proxy.x_forwarded; }},
      {"[proxy]\nforwarded = true", [](const Snapshot& s) { return s.proxy.forwarded; }},
      {"[log]\nlevel = 'debug'", [](const Snapshot& s) { return s.log.level == LogLevel::debug; }},
      {"[log]\nfile = '/var/log/p'", [](const Snapshot& s) { return s.log.file == "/var/log/p"; }},
      {"[log]\naccess = 'stdout'", [](const Snapshot& s) { return s.log.access == "stdout"; }},
      {"[log]\naccess_format = 'squid'",
       [](const Snapshot& s) { return s.log.access_format == AccessLogFormat::squid; }},
      {"[workers]\ncount = 3", [](const Snapshot& s) { return s.workers.count == 3; }},
  };
  expect_hold(cases);
}

TEST(Load, Listeners) {
  const Snapshot snapshot = load(R"(
    limits.connections = 77
    upstream.a.servers = ["a"]
    [[listener]]
    [[listener]]
    address = "unix:/run/p.sock"
    mode = "reverse"
    max_connections = 3
    backlog = 9
    unix_mode = "0600"
  )");
  ASSERT_THAT(snapshot.listeners, SizeIs(2));
  EXPECT_EQ(snapshot.listeners[0].addresses, std::vector<std::string>{"127.0.0.1:3128"});
  EXPECT_EQ(snapshot.listeners[0].max_connections, 77U);
  const ListenerSettings& second = snapshot.listeners[1];
  EXPECT_EQ(second.addresses, std::vector<std::string>{"unix:/run/p.sock"});
  EXPECT_EQ(second.mode, ListenerMode::reverse);
  EXPECT_EQ(second.max_connections, 3U);
  EXPECT_EQ(second.backlog, 9);
  EXPECT_EQ(second.unix_mode, 0600U);
}

// The only listener of a configuration with somewhere to send requests, and these lines of it.
template <class Check>
KeyCase listener_case(std::string_view lines, Check check) {
  return {"upstream.a.servers = ['a']\n[[route]]\nto = 'a'\n[[listener]]\nname = 'l'\n" +
              std::string(lines),
          [check](const Snapshot& s) { return check(s.listeners.at(0)); }};
}

TEST(Load, EachKeyOfAListenerSetsItsMember) {
  using Texts = std::vector<std::string>;
  const KeyCase cases[] = {
      listener_case("mode = 'reverse'",
                    [](auto& l) {
                      return l.name == "l" && l.mode == ListenerMode::reverse && l.http2 &&
                             !l.tls && l.proxy_protocol_from.empty() &&
                             l.interception == Interception::none;
                    }),
      listener_case("mode = 'tcp'", [](auto& l) { return l.mode == ListenerMode::tcp; }),
      listener_case(
          "mode = 'reverse'\naddress = ['127.0.0.1:1', '[::1]:1', 'systemd:web']",
          [](auto& l) { return l.addresses == Texts{"127.0.0.1:1", "[::1]:1", "systemd:web"}; }),
      listener_case("mode = 'tcp'\nintercept = 'redirect'",
                    [](auto& l) { return l.interception == Interception::redirect; }),
      listener_case("mode = 'tcp'\nintercept = 'tproxy'",
                    [](auto& l) { return l.interception == Interception::tproxy; }),
      listener_case(
          "mode = 'reverse'\nproxy_protocol_from = ['192.0.2.0/24', '::1', 'unix']",
          [](auto& l) { return l.proxy_protocol_from == Texts{"192.0.2.0/24", "::1", "unix"}; }),
      listener_case("mode = 'reverse'\nhttp2 = false", [](auto& l) { return !l.http2; }),
      listener_case("mode = 'reverse'\nmax_connections = 3",
                    [](auto& l) { return l.max_connections == 3; }),
      listener_case("mode = 'reverse'\nbacklog = 9", [](auto& l) { return l.backlog == 9; }),
      listener_case("mode = 'reverse'\naddress = 'unix:/x'\nunix_mode = '0600'",
                    [](auto& l) { return l.unix_mode == 0600; }),
  };
  expect_hold(cases);
}

// The same of its TLS, which has a certificate.
template <class Check>
KeyCase tls_case(std::string_view lines, Check check) {
  return listener_case(
      "mode = 'reverse'\n[listener.tls]\ncertificates = { certificate = "
      "'/dev/null' }\n" +
          std::string(lines),
      [check](auto& l) { return l.tls && check(*l.tls); });
}

TEST(Load, EachKeyOfAListenersTlsSetsItsMember) {
  using Texts = std::vector<std::string>;
  const KeyCase cases[] = {
      tls_case("",
               [](auto& t) {
                 return t.certificates.size() == 1 && !t.strict_names && t.alpn.empty() &&
                        t.client_certificates == ClientCertificates::off &&
                        t.min_version == TlsVersion::v1_2 && t.session_lifetime == 12h;
               }),
      tls_case("strict_names = true", [](auto& t) { return t.strict_names; }),
      tls_case("client_certificates = 'optional'\nclient_ca = '/dev/null'",
               [](auto& t) {
                 return t.client_certificates == ClientCertificates::optional &&
                        t.client_ca == "/dev/null";
               }),
      tls_case("client_certificates = 'required'\nclient_ca = '/dev/null'",
               [](auto& t) { return t.client_certificates == ClientCertificates::required; }),
      tls_case("alpn = ['h2', 'http/1.1']",
               [](auto& t) { return t.alpn == Texts{"h2", "http/1.1"}; }),
      tls_case("min_version = '1.3'", [](auto& t) { return t.min_version == TlsVersion::v1_3; }),
      tls_case("session_lifetime = '0s'", [](auto& t) { return t.session_lifetime == 0s; }),
  };
  expect_hold(cases);
}

TEST(Load, CertificatesOfAListener) {
  const Snapshot snapshot = load(R"(
    upstream.a.servers = ["a"]
    [[listener]]
    mode = "reverse"
    [[listener.tls.certificates]]
    certificate = "/dev/null"
    key = "/dev/zero"
    ocsp = "/dev/random"
    [[listener.tls.certificates]]
    certificate = "/dev/null"
  )");
  const auto& certificates = snapshot.listeners.at(0).tls.value().certificates;
  ASSERT_THAT(certificates, SizeIs(2));
  EXPECT_EQ(certificates[0].certificate, "/dev/null");
  EXPECT_EQ(certificates[0].key, "/dev/zero");
  EXPECT_EQ(certificates[0].ocsp, "/dev/random");
  EXPECT_EQ(certificates[1].key, "/dev/null");  // in the same file
  EXPECT_EQ(certificates[1].ocsp, "");
}

TEST(Load, RoutesByListenerAndClient) {
  const Snapshot snapshot = load(R"(
    upstream.a.servers = ["a"]
    [[listener]]
    name = "x"
    mode = "reverse"
    [listener.tls]
    certificates = { certificate = "/dev/null" }
    client_certificates = "optional"
    client_ca = "/dev/null"
    [[listener]]
    name = "y"
    address = "*:443"
    mode = "tcp"
    [[route]]
    listener = "x"
    client = "certificate"
    to = "a"
    [[route]]
    listener = ["y", "x"]
    client = "none"
    to = "a"
    [[route]]
    to = "a"
  )");
  const auto& routes = snapshot.proxy.routes;
  ASSERT_THAT(routes, SizeIs(3));
  EXPECT_THAT(routes[0].listeners, ElementsAre("x"));
  EXPECT_EQ(routes[0].client, ClientProof::certificate);
  EXPECT_THAT(routes[1].listeners, ElementsAre("y", "x"));
  EXPECT_EQ(routes[1].client, ClientProof::none);
  EXPECT_THAT(routes[2].listeners, IsEmpty());
  EXPECT_EQ(routes[2].client, ClientProof::any);
}

TEST(Load, RoutesAndGroupsKeepTheirOrder) {
  const Snapshot snapshot = load(R"(
    listener = [{ mode = "reverse" }]
    [upstream.web]
    servers = ["unix:/run/web.sock", "[::1]:80", "web"]
    [upstream.app]
    servers = ["127.0.0.1:9000"]
    [[route]]
    host = "*.example.com"
    path = "/api"
    to = "app"
    host_header = "set:app.internal:80"
    [route.request]
    remove = ["X-B", "X-A"]
    set = { X-Z = "1", X-C = "" }
    add = { Link = ["<a>", "<b>"], X-D = "d" }
    [route.response]
    remove = ["Server"]
    [[route]]
    host = "[::1]"
    to = "web"
    host_header = "server"
  )");
  ASSERT_THAT(snapshot.upstream.groups, SizeIs(2));
  EXPECT_EQ(snapshot.upstream.groups[0].name, "web");
  EXPECT_THAT(
      snapshot.upstream.groups[0].servers,
      ElementsAre(Field(&ServerEntry::address, "unix:/run/web.sock"),
                  Field(&ServerEntry::address, "[::1]:80"), Field(&ServerEntry::address, "web")));
  EXPECT_EQ(snapshot.upstream.groups[1].name, "app");
  ASSERT_THAT(snapshot.proxy.routes, SizeIs(2));
  const RouteSettings& first = snapshot.proxy.routes[0];
  EXPECT_EQ(first.host, "*.example.com");
  EXPECT_EQ(first.path, "/api");
  EXPECT_EQ(first.to, "app");
  EXPECT_EQ(first.host_policy, HostPolicy::set);
  EXPECT_EQ(first.host_value, "app.internal:80");
  EXPECT_THAT(first.request.remove, ElementsAre("X-B", "X-A"));
  EXPECT_THAT(first.request.set, ElementsAre(Pair("X-Z", "1"), Pair("X-C", "")));
  EXPECT_THAT(first.request.add,
              ElementsAre(Pair("Link", "<a>"), Pair("Link", "<b>"), Pair("X-D", "d")));
  EXPECT_THAT(first.response.remove, ElementsAre("Server"));
  const RouteSettings& second = snapshot.proxy.routes[1];
  EXPECT_EQ(second.host, "::1");
  EXPECT_EQ(second.path, "/");
  EXPECT_EQ(second.host_policy, HostPolicy::server);
}

TEST(Load, AReverseListenerWithOneGroupNeedsNoRoute) {
  const Snapshot snapshot = load(R"(
    listener = [{ mode = "reverse" }]
    upstream.only.servers = ["a:1"]
  )");
  ASSERT_THAT(snapshot.proxy.routes, SizeIs(1));
  EXPECT_EQ(snapshot.proxy.routes[0].to, "only");
  EXPECT_EQ(snapshot.proxy.routes[0].host, "*");
  EXPECT_EQ(snapshot.proxy.routes[0].path, "/");
}

TEST(Load, ATcpListenerWithOneGroupNeedsNoRouteEither) {
  const Snapshot snapshot = load("listener = [{ mode = 'tcp' }]\nupstream.only.servers = ['a:1']");
  ASSERT_THAT(snapshot.proxy.routes, SizeIs(1));
  EXPECT_EQ(snapshot.proxy.routes[0].to, "only");
}

TEST(Load, AnInterceptingListenerNeedsNoGroup) {
  const Snapshot snapshot = load("listener = [{ mode = 'tcp', intercept = 'tproxy' }]");
  EXPECT_THAT(snapshot.proxy.routes, IsEmpty());
}

TEST(Load, ReadsAFile) {
  const std::string path =
      ::testing::TempDir() + fmt::format("penstock_load_test_{}.toml", ::getpid());
  std::FILE* const file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("workers.count = 2\n", file);
  std::fclose(file);
  const auto loaded = load_file(path);
  std::remove(path.c_str());
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->snapshot->workers.count, 2U);
}

TEST(Load, SaysThatAFileCannotBeRead) {
  const auto missing = load_file("/nonexistent/p.toml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(render(missing.error().at(0), false),
            "/nonexistent/p.toml: error: cannot be opened: No such file or directory\n");
  const auto folder = load_file("/");
  ASSERT_FALSE(folder.has_value());
  EXPECT_THAT(folder.error().at(0).message, HasSubstr("cannot be read"));
}

TEST(Summary, ShowsWhatAFileComesTo) {
  const std::string text = summary(load(R"(
    [[listener]]
    address = "*:80"
    mode = "reverse"
    backlog = 10
    [[route]]
    path = "/api"
    to = "app"
    response.remove = ["Server"]
    [upstream.app]
    servers = ["a:1", "b:2"]
    [limits]
    head = "32KiB"
  )"));
  EXPECT_THAT(text, HasSubstr("listener   *:80 (reverse), backlog = 10\n"));
  EXPECT_THAT(summary(load("listener = [{ address = ['*:1', 'systemd:web'], name = 'x' }]")),
              HasSubstr("listener   *:1, systemd:web (forward), name = \"x\"\n"));
  EXPECT_THAT(text, HasSubstr("route      */api -> app, response = { remove = [\"Server\"] }\n"));
  EXPECT_THAT(text, HasSubstr("upstream   app: a:1, b:2\n"));
  EXPECT_THAT(text, HasSubstr("limits     head = \"32KiB\", start_line = \"16KiB\""));
  EXPECT_THAT(text, HasSubstr("workers    count = 0\n"));
}

}  // namespace
}  // namespace penstock::config
