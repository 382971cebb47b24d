#include "config/load.h"

#include <cstdio>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(snapshot.listeners[0].address, "127.0.0.1:3128");
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
  EXPECT_EQ(snapshot.listeners[0].address, "127.0.0.1:3128");
  EXPECT_EQ(snapshot.listeners[0].max_connections, 77U);
  const ListenerSettings& second = snapshot.listeners[1];
  EXPECT_EQ(second.address, "unix:/run/p.sock");
  EXPECT_EQ(second.mode, ListenerMode::reverse);
  EXPECT_EQ(second.max_connections, 3U);
  EXPECT_EQ(second.backlog, 9);
  EXPECT_EQ(second.unix_mode, 0600U);
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

TEST(Load, ReadsAFile) {
  const std::string path = ::testing::TempDir() + "penstock_load_test.toml";
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
  EXPECT_THAT(text, HasSubstr("route      */api -> app, response = { remove = [\"Server\"] }\n"));
  EXPECT_THAT(text, HasSubstr("upstream   app: a:1, b:2\n"));
  EXPECT_THAT(text, HasSubstr("limits     head = \"32KiB\", start_line = \"16KiB\""));
  EXPECT_THAT(text, HasSubstr("workers    count = 0\n"));
}

}  // namespace
}  // namespace penstock::config
