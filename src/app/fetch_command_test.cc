#include "app/fetch_command.h"

#include <initializer_list>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/command_line.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

Command parse(const std::vector<const char*>& words) {
  std::vector<const char*> argv{"penstock", "fetch"};
  argv.insert(argv.end(), words.begin(), words.end());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

FetchCommand command_of(const std::vector<const char*>& words) {
  const Command command = parse(words);
  if (const auto* fetch = std::get_if<FetchCommand>(&command)) return *fetch;
  ADD_FAILURE() << std::get<Exit>(command).text;
  return {};
}

std::string error_of(const std::vector<const char*>& words) {
  const Command command = parse(words);
  const auto* const exit = std::get_if<Exit>(&command);
  if (exit == nullptr) return "understood";
  EXPECT_EQ(exit->code, kExitUsage);
  EXPECT_TRUE(exit->to_stderr);
  return exit->text;
}

TEST(FetchCommand, Defaults) {
  const FetchCommand command = command_of({"http://a/"});
  ASSERT_THAT(command.urls, SizeIs(1));
  EXPECT_EQ(command.urls[0].text(), "http://a/");
  EXPECT_EQ(command.method, "GET");
  EXPECT_FALSE(command.has_body());
  EXPECT_EQ(command.connect_timeout, std::chrono::seconds(5));
  EXPECT_EQ(command.max_time, Duration::zero());
  EXPECT_EQ(command.retries, 0);
  EXPECT_THAT(command.tls.alpn, ElementsAre("http/1.1"));
}

TEST(FetchCommand, Methods) {
  EXPECT_EQ(command_of({"-d", "x", "http://a/"}).method, "POST");
  EXPECT_EQ(command_of({"--data-file", "-", "http://a/"}).method, "POST");
  EXPECT_EQ(command_of({"-d", "x", "-X", "PUT", "http://a/"}).method, "PUT");
  EXPECT_EQ(command_of({"-d", "", "http://a/"}).method, "POST");
  const FetchCommand head = command_of({"-I", "http://a/"});
  EXPECT_EQ(head.method, "HEAD");
  EXPECT_TRUE(head.include);
  EXPECT_THAT(error_of({"-X", "GET /", "http://a/"}), HasSubstr("not a method's name"));
  EXPECT_THAT(error_of({"-X", "CONNECT", "http://a/"}), HasSubstr("tunnel"));
  EXPECT_THAT(error_of({"-X", "TRACE", "-d", "x", "http://a/"}), HasSubstr("no body"));
  EXPECT_THAT(error_of({"-I", "-X", "GET", "http://a/"}), HasSubstr("HEAD"));
}

TEST(FetchCommand, OptionsThatTakeOneValueLeaveTheRestAlone) {
  const FetchCommand command = command_of(
      {"-H", "A: [1, 2]", "-H", "B:2", "http://a/", "http://b/", "--peer", "direct", "http://c/"});
  EXPECT_THAT(command.urls, SizeIs(3));
  ASSERT_THAT(command.fields, SizeIs(2));
  EXPECT_EQ(command.fields[0].value, "[1, 2]");
  EXPECT_EQ(command.fields[1].name, "B");
  EXPECT_THAT(command.peers, SizeIs(1));
}

TEST(FetchCommand, WhatDoesNotGoTogether) {
  EXPECT_THAT(error_of({}), HasSubstr("urls is required"));
  EXPECT_THAT(error_of({"-d", "x", "--data-file", "y", "http://a/"}),
              HasSubstr("exclude each other"));
  EXPECT_THAT(error_of({"-I", "-d", "x", "http://a/"}), HasSubstr("without a body"));
  EXPECT_THAT(error_of({"--data-file", "-", "http://a/", "http://b/"}), HasSubstr("one URL only"));
  EXPECT_THAT(error_of({"--data-file", "", "http://a/"}), HasSubstr("empty"));
  EXPECT_THAT(error_of({"--cert", "c.pem", "http://a/"}), HasSubstr("--key"));
}

TEST(FetchCommand, Urls) {
  EXPECT_THAT(error_of({"localhost:8080/x"}),
              HasSubstr("did you mean \"http://localhost:8080/x\"?"));
  EXPECT_THAT(error_of({"http://a b/"}), HasSubstr("%XX"));
  EXPECT_THAT(error_of({"gopher://a/"}), HasSubstr("the scheme gopher"));
}

TEST(FetchCommand, Logins) {
  const FetchCommand command =
      command_of({"--user", "alice:a:b", "--auth", "digest", "http://a/", "http://x:y@b/"});
  EXPECT_EQ(command.urls[0].login, (Login{.user = "alice", .password = "a:b"}));
  EXPECT_EQ(command.urls[1].login, (Login{.user = "x", .password = "y"}));
  EXPECT_EQ(command.auth, CredentialSettings::Scheme::digest);
  EXPECT_THAT(error_of({"--user", "alice", "http://a/"}), HasSubstr("name:password"));
  EXPECT_THAT(error_of({"--user", ":x", "http://a/"}), HasSubstr("name:password"));
  EXPECT_THAT(error_of({"--user", "a:\n", "http://a/"}), HasSubstr("control character"));
  EXPECT_THAT(error_of({"--auth", "ntlm", "http://a/"}), HasSubstr("ntlm"));
  EXPECT_THAT(error_of({"http://x:y@a/1", "http://x:z@a:80/2"}),
              HasSubstr("two logins for http://a:80"));
}

TEST(FetchCommand, Limits) {
  const FetchCommand command =
      command_of({"--connect-timeout", "300ms", "--max-time", "1m", "--retry", "3", "http://a/"});
  EXPECT_EQ(command.connect_timeout, std::chrono::milliseconds(300));
  EXPECT_EQ(command.max_time, std::chrono::minutes(1));
  EXPECT_EQ(command.retries, 3);
  EXPECT_THAT(error_of({"--max-time", "5", "http://a/"}),
              HasSubstr("--max-time: \"5\" has no unit"));
  EXPECT_THAT(error_of({"--retry", "1000", "http://a/"}), HasSubstr("--retry"));
}

TEST(FetchCommand, Fields) {
  const auto field = parse_fetch_field("X-Name:  some value ");
  ASSERT_TRUE(field);
  EXPECT_EQ(field->name, "X-Name");
  EXPECT_EQ(field->value, "some value");
  EXPECT_EQ(parse_fetch_field("Accept:")->value, "");
  EXPECT_TRUE(parse_fetch_field("Host: a:8080"));
  for (const char* const bad :
       {"", "Name", ": x", "Na me: x", "Name : x", "A: b\r\nC: d", "A: b\nC: d", "A: \x01",
        "Content-Length: 5", "transfer-encoding: chunked", "Connection: close", "Upgrade: x",
        "TE: trailers", "Proxy-Authorization: Basic x", "Host: a b", "Host: a/b"}) {
    EXPECT_FALSE(parse_fetch_field(bad)) << bad;
  }
  EXPECT_THAT(error_of({"-H", "A: b\r\nC: d", "http://a/"}), HasSubstr(R"("A: b\r\nC: d")"));
}

TEST(FetchCommand, Hosts) {
  const auto host = parse_fetch_host("WWW.example.com:443:192.0.2.1,[2001:db8::1],::1");
  ASSERT_TRUE(host) << host.error();
  EXPECT_EQ(host->host, "www.example.com");
  EXPECT_EQ(host->port, 443);
  ASSERT_THAT(host->addresses, SizeIs(3));
  EXPECT_EQ(host->addresses[0].to_string(), "192.0.2.1:443");
  EXPECT_EQ(host->addresses[1].to_string(), "[2001:db8::1]:443");
  EXPECT_EQ(host->addresses[2].to_string(), "[::1]:443");
  for (const char* const bad : {"", "a", "a:80", "a:80:", "a:x:::1", "a:0:::1", ":80:::1", "a:80:b",
                                "a:80:192.0.2.1,", "a:80:192.0.2.1:80"}) {
    EXPECT_FALSE(parse_fetch_host(bad)) << bad;
  }
}

TEST(FetchCommand, Peers) {
  const auto peer = parse_fetch_peer("http://alice:p%40ss@Proxy.example");
  ASSERT_TRUE(peer && *peer);
  EXPECT_EQ((*peer)->kind, PeerKind::http);
  EXPECT_EQ((*peer)->address, "proxy.example:80");
  EXPECT_FALSE((*peer)->tls);
  ASSERT_TRUE((*peer)->login);
  EXPECT_EQ((*peer)->login->user, "alice");
  EXPECT_EQ((*peer)->login->password, "p@ss");

  EXPECT_EQ((*parse_fetch_peer("https://p/"))->address, "p:443");
  EXPECT_TRUE((*parse_fetch_peer("https://p/"))->tls);
  EXPECT_EQ((*parse_fetch_peer("socks5://[::1]"))->address, "[::1]:1080");
  EXPECT_EQ((*parse_fetch_peer("socks5://u:1@p:80"))->address, "p:80");
  EXPECT_EQ((*parse_fetch_peer("SOCKS5://p:1081"))->kind, PeerKind::socks5);
  EXPECT_FALSE(*parse_fetch_peer("direct"));
  for (const char* const bad : {"", "p:80", "socks4://p", "http://", "http://p/x", "http://p:0"}) {
    EXPECT_FALSE(parse_fetch_peer(bad)) << bad;
  }
}

TEST(FetchCommand, PasswordsAreNotShown) {
  for (const std::string& text :
       {error_of({"http://alice:secret@a b/"}), error_of({"ftp://alice:secret@a/"}),
        error_of({"alice:secret@a/"}), error_of({"--user", "secret", "http://a/"}),
        error_of({"--peer", "http://alice:secret@p/x", "http://a/"}),
        error_of({"--peer", "alice:secret@p", "http://a/"})}) {
    EXPECT_THAT(text, Not(HasSubstr("secret")));
    EXPECT_THAT(text, HasSubstr("penstock: "));
  }
}

TEST(FetchCommand, APeerIsGivenOnce) {
  EXPECT_THAT(error_of({"--peer", "http://p", "--peer", "http://u:1@p:80", "http://a/"}),
              HasSubstr("\"http://p:80\": it is there already"));
}

TEST(FetchCommand, CertificatesToTrustHoldForPeersToo) {
  const FetchCommand command = command_of(
      {"--cacert", "ca.pem", "--insecure", "--peer", "https://p", "--peer", "direct", "http://a/"});
  ASSERT_THAT(command.peers, SizeIs(2));
  EXPECT_EQ(command.peers[0]->tls->ca_file, "ca.pem");
  EXPECT_FALSE(command.peers[0]->tls->insecure);
  EXPECT_FALSE(command.peers[1]);
  EXPECT_TRUE(command.tls.insecure);
}

TEST(FetchCommand, NameServers) {
  EXPECT_THAT(command_of({"--dns", "192.0.2.53", "--dns", "192.0.2.53:5353", "--dns",
                          "2001:db8::53", "http://a/"})
                  .dns,
              ElementsAre("192.0.2.53:53", "192.0.2.53:5353", "[2001:db8::53]:53"));
  EXPECT_THAT(error_of({"--dns", "ns.example", "http://a/"}), HasSubstr("--dns"));
  EXPECT_THAT(error_of({"--dns", "unix:/x", "http://a/"}), HasSubstr("--dns"));
}

}  // namespace
}  // namespace penstock
