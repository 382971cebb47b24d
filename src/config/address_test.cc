#include "config/address.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Address, TakesListenAddresses) {
  for (const auto* text : {"127.0.0.1:3128", "0.0.0.0:80", "[::1]:3128", "[::]:80", "*:80",
                           "127.0.0.1:0", "unix:/run/penstock.sock", "systemd:web"}) {
    EXPECT_EQ(check_listen_address(text), "") << text;
  }
}

TEST(Address, SaysWhatIsWrongWithAListenAddress) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "expected an IP address and a port"},
      {"localhost:3128", "expected an IP address and a port"},
      {"3128", R"(write "127.0.0.1:3128", or "*:3128" for all addresses)"},
      {":3128", R"(write "127.0.0.1:3128", or "*:3128" for all addresses)"},
      {"127.0.0.1", R"(lacks a port: write "127.0.0.1:3128")"},
      {"127.0.0.1:", "is no port"},
      {"127.0.0.1:65536", "is no port"},
      {"127.0.0.1:80x", "is no port"},
      {"127.0.0.256:80", "expected an IP address and a port"},
      {"::1", R"(needs brackets: "[::1]")"},
      {"1:2:3", "too many colons"},
      {"[::1", "lacks its closing"},
      {"[::g]:80", "is no IPv6 address"},
      {"[::1]80", "expected a port after"},
      {"systemd:", R"(expected a name after "systemd:")"},
      {"unix:", "absolute path"},
      {"unix:run.sock", "absolute path"},
      {"unix:/" + std::string(107, 'x'), "at most 107 bytes, this one has 108"},
      {std::string("unix:/a\0b", 9), "zero byte"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(check_listen_address(text), HasSubstr(complaint)) << text;
  }
}

TEST(Address, ChecksNetworks) {
  for (const auto* text : {"192.0.2.0/24", "192.0.2.1", "0.0.0.0/0", "10.0.0.1/32", "2001:db8::/32",
                           "::1", "::/0", "::1/128", "unix"}) {
    EXPECT_EQ(check_network(text), "") << text;
  }
  const std::pair<const char*, const char*> cases[] = {
      {"", "expected a network such as"},
      {"localhost", "expected a network such as"},
      {"192.0.2/24", "expected a network such as"},
      {"[::1]", "expected a network such as"},
      {"unix/8", "expected a network such as"},
      {"192.0.2.0/33", R"(expected a prefix length, 0 to 32, after "/", found "33")"},
      {"192.0.2.0/", R"(expected a prefix length, 0 to 32, after "/", found "")"},
      {"192.0.2.0/-1", R"(found "-1")"},
      {"192.0.2.0/8x", R"(found "8x")"},
      {"2001:db8::/129", R"(expected a prefix length, 0 to 128)"},
      {"192.0.2.0/024", "no zeros in front"},
      {"192.0.2.1/24",
       R"("192.0.2.1/24" is an address within a network: write "192.0.2.0/24", or "192.0.2.1" for)"},
      {"192.0.3.0/23", R"(write "192.0.2.0/23")"},
      {"1.2.3.4/0", R"(write "0.0.0.0/0")"},
      {"2001:db8::1/64", R"(write "2001:db8::/64")"},
      {"2001:db8:0:8000::/48", R"(write "2001:db8::/48")"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(check_network(text), HasSubstr(complaint)) << text;
  }
}

TEST(Address, ChecksServerAddresses) {
  for (const auto* text : {"app", "app.example:9000", "app.example.", "a_b:80", "127.0.0.1",
                           "[::1]", "[::1]:9000", "unix:/run/app.sock"}) {
    EXPECT_EQ(check_server_address(text), "") << text;
  }
  const std::pair<const char*, const char*> cases[] = {
      {"", "neither a host name nor an IP address"},
      {"http://app:80/", R"(without a scheme and path: leave out "http://")"},
      {"app:0", "is no port: expected a number from 1 to 65535"},
      {"app:", "is no port"},
      {"app/x", "neither a host name nor an IP address"},
      {"user@app", "neither a host name nor an IP address"},
      {"a..b", "neither a host name nor an IP address"},
      {"-a", "neither a host name nor an IP address"},
      {"1.2.3", "neither a host name nor an IP address"},
      {"127.0.0.999", "neither a host name nor an IP address"},
      {"2001:db8::1", "needs brackets"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(check_server_address(text), HasSubstr(complaint)) << text;
  }
}

TEST(Address, ChecksHostPatterns) {
  for (const auto* text : {"*", "*.example.com", "www.example.com", "192.0.2.1", "[::1]"}) {
    EXPECT_EQ(check_host_pattern(text), "") << text;
  }
  const std::pair<const char*, const char*> cases[] = {
      {"example.com:80", R"(has no port: write "example.com")"},
      {"[::1]:80", R"(has no port: write "[::1]")"},
      {"a.*.com", "stands alone or as the first label"},
      {"*example.com", "stands alone or as the first label"},
      {"exa mple", "neither a host name nor an IP address"},
      {"*.", "neither a host name nor an IP address"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(check_host_pattern(text), HasSubstr(complaint)) << text;
  }
}

TEST(Address, KnowsTheSpellingsOfOneAddress) {
  EXPECT_EQ(canonical_listen_address("[::1]:080"), canonical_listen_address("[0:0::1]:80"));
  EXPECT_EQ(canonical_listen_address("[2001:DB8::1]:80"),
            canonical_listen_address("[2001:db8::1]:80"));
  EXPECT_NE(canonical_listen_address("*:80"), canonical_listen_address("*:81"));
  EXPECT_EQ(canonical_listen_address("unix:/A"), "unix:/A");
}

TEST(Address, KnowsWhichPatternCoversWhich) {
  EXPECT_TRUE(host_pattern_covers("*", "a.example"));
  EXPECT_TRUE(host_pattern_covers("*", "*.example"));
  EXPECT_TRUE(host_pattern_covers("*.example", "a.EXAMPLE"));
  EXPECT_TRUE(host_pattern_covers("*.example", "*.a.example"));
  EXPECT_TRUE(host_pattern_covers("a.example", "A.example"));
  EXPECT_FALSE(host_pattern_covers("*.example", "example"));
  EXPECT_FALSE(host_pattern_covers("*.example", "*"));
  EXPECT_FALSE(host_pattern_covers("*.example", "badexample"));
  EXPECT_FALSE(host_pattern_covers("a.example", "*.example"));
}

TEST(Address, ChecksPeerAddresses) {
  for (const auto* text : {"p.example:3128", "192.0.2.1:80", "[::1]:1080", "unix:/run/p.sock"}) {
    EXPECT_EQ(check_peer_address(text), "") << text;
  }
  EXPECT_THAT(check_peer_address("p"), HasSubstr(R"("p" lacks a port: write "p:3128")"));
  EXPECT_THAT(check_peer_address("[::1]"), HasSubstr("lacks a port"));
  EXPECT_THAT(check_peer_address("user:secret@p:1"), Not(HasSubstr("secret")));
  EXPECT_THAT(check_peer_address("p:0"), HasSubstr("is no port"));
}

TEST(Address, ChecksAddressesOfIcapServers) {
  for (const auto* text : {"scan.example:1344", "[::1]:11344", "unix:/run/icap.sock"}) {
    EXPECT_EQ(check_icap_server(text), "") << text;
  }
  EXPECT_THAT(check_icap_server("scan"), HasSubstr(R"("scan" lacks a port: write "scan:1344")"));
  EXPECT_THAT(check_icap_server("icap://scan:1344"), HasSubstr(R"(leave out "icap://")"));
}

TEST(Address, ChecksAddressesOfNamesAndNameServers) {
  for (const auto* text : {"192.0.2.1", "::1", "2001:db8::1"}) {
    EXPECT_EQ(check_ip_address(text), "") << text;
    EXPECT_EQ(check_host_or_ip(text), "") << text;
  }
  for (const auto* text : {"", "a", "192.0.2.1:80", "[::1]", "::g"}) {
    EXPECT_THAT(check_ip_address(text), HasSubstr("expected an IP address")) << text;
  }
  EXPECT_EQ(check_host_or_ip("app.example"), "");
  EXPECT_NE(check_host_or_ip("app.example:80"), "");
  for (const auto* text : {"192.0.2.1", "192.0.2.1:5353", "[::1]", "[::1]:53"}) {
    EXPECT_EQ(check_name_server(text), "") << text;
  }
  for (const auto* text : {"", "ns", "::1", "192.0.2.1:0", "192.0.2.1:", "[::1]x"}) {
    EXPECT_NE(check_name_server(text), "") << text;
  }
}

TEST(Address, ChecksServiceNames) {
  for (const auto* text : {"_http._tcp.example.com", "web.service.consul."}) {
    EXPECT_EQ(check_service_name(text), "") << text;
  }
  for (const auto* text : {"", "a:80", "192.0.2.1", "[::1]", "_a b.c", "*.x"}) {
    EXPECT_NE(check_service_name(text), "") << text;
  }
}

TEST(Address, ChecksOriginPatterns) {
  for (const auto* text :
       {"example.com", "http://example.com", "HTTPS://example.com:8443", "*.example.com",
        "https://*.example.com:*", "example.com:*", "192.0.2.1:80", "[::1]", "[::1]:*"}) {
    EXPECT_EQ(check_origin_pattern(text), "") << text;
  }
  const std::pair<const char*, const char*> cases[] = {
      {"", "neither a host name nor an IP address"},
      {"*", "name a host"},
      {"https://*:*", "name a host"},
      {"a.*.com", R"("*" stands alone or as the first label)"},
      {"**.com", R"("*" stands alone or as the first label)"},
      {"ftp://a", R"(expected "http://" or "https://", found "ftp://")"},
      {"https://a/b", R"(without a path: leave out "/b")"},
      {"https://u:s@a", "user and password are keys of their own"},
      {"a:0", "is no port"},
      {"a:*1", "is no port"},
      {"a:", "is no port"},
      {"::1", R"(needs brackets: "[::1]")"},
      {"https://", "neither a host name nor an IP address"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(check_origin_pattern(text), HasSubstr(complaint)) << text;
  }
}

}  // namespace
}  // namespace penstock::config
