#include "net/address.h"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include <gtest/gtest.h>
#include <sys/un.h>

namespace penstock {
namespace {

using namespace std::string_view_literals;

TEST(Address, ParsesAndPrints) {
  const struct {
    std::string_view text;
    std::string_view printed;
    std::string_view host;
    int family;
    std::uint16_t port;
  } cases[] = {
      {"127.0.0.1:80", "127.0.0.1:80", "127.0.0.1", AF_INET, 80},
      {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET, 0},
      {"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", AF_INET, 65'535},
      {"[::1]:80", "[::1]:80", "::1", AF_INET6, 80},
      {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "2001:db8::1", AF_INET6, 443},
      {"[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1", AF_INET6, 80},
      {"*:3128", "[::]:3128", "::", AF_INET6, 3128},
      {"unix:/run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock", AF_UNIX, 0},
  };
  for (const auto& c : cases) {
    const std::optional<Address> address = Address::parse(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->to_string(), c.printed);
    EXPECT_EQ(address->host_text(), c.host);
    EXPECT_EQ(address->family(), c.family) << c.text;
    EXPECT_EQ(address->port(), c.port) << c.text;
    sockaddr_storage storage;
    const socklen_t length = address->to_sockaddr(storage);
    const auto* const raw = reinterpret_cast<const sockaddr*>(&storage);
    EXPECT_EQ(Address::from_sockaddr(raw, length), *address) << "there and back: " << c.text;
  }
}

TEST(Address, RefusesWhatIsNotOne) {
  const std::string_view cases[] = {"",
                                    ":",
                                    "80",
                                    ":80",
                                    "127.0.0.1",
                                    "127.0.0.1:",
                                    "127.0.0.1:65536",
                                    "127.0.0.1:-1",
                                    "127.0.0.1:+1",
                                    "127.0.0.1:80x",
                                    "127.0.0.1: 80",
                                    "127.0.0.1:0x50",
                                    " 127.0.0.1:80",
                                    "127.1:80",
                                    "2130706433:80",
                                    "0177.0.0.1:80",
                                    "127.0.0.01:80",
                                    "256.0.0.1:80",
                                    "1.2.3.4.5:80",
                                    "localhost:80",
                                    "::1:80",
                                    "[::1]",
                                    "[::1]80",
                                    "::1]:80",
                                    "[::1:80",
                                    "[127.0.0.1]:80",
                                    "[]:80",
                                    "[:80",
                                    "]:80",
                                    "[[::1]]:80",
                                    "[::1%lo]:80",
                                    "[fe80::1%1]:80",
                                    "[::g]:80",
                                    "[1:2:3:4:5:6:7:8:9]:80",
                                    "*",
                                    "*:",
                                    "**:80",
                                    "[*]:80",
                                    "unix:",
                                    "127.0.0.1\0:80"sv,
                                    "127.0.0.1\0.example:80"sv,
                                    "[::1\0]:80"sv};
  for (const std::string_view text : cases) EXPECT_FALSE(Address::parse(text)) << text;
  const std::string long_path(sizeof(sockaddr_un::sun_path), 'x');
  EXPECT_FALSE(Address::parse("unix:" + long_path));
  EXPECT_TRUE(Address::parse("unix:" + long_path.substr(1)));
  EXPECT_FALSE(Address::parse(std::string(1000, '1') + ":80"));
}

TEST(Address, FromIpTakesNumbersOnly) {
  EXPECT_EQ(Address::from_ip("192.0.2.1", 80)->to_string(), "192.0.2.1:80");
  EXPECT_EQ(Address::from_ip("2001:db8::1", 80)->to_string(), "[2001:db8::1]:80");
  for (const std::string_view text :
       {""sv, "[::1]"sv, "localhost"sv, "1.2.3"sv, "1.2.3.4 "sv, "1.2.3.4\0"sv, "::1\0x"sv}) {
    EXPECT_FALSE(Address::from_ip(text, 80)) << text;
  }
}

TEST(Address, LocalTargets) {
  const struct {
    std::string_view ip;
    bool local;
    bool loopback = false;
  } cases[] = {
      {"127.0.0.1", true, true},
      {"127.255.255.254", true, true},
      {"126.255.255.255", false},
      {"128.0.0.0", false},
      {"0.0.0.0", true},
      {"0.1.2.3", true},
      {"1.0.0.0", false},
      {"169.253.255.255", false},
      {"169.254.0.0", true},
      {"169.254.169.254", true},
      {"169.255.0.0", false},
      {"10.0.0.1", false},
      {"192.168.0.1", false},
      {"223.255.255.255", false},
      {"224.0.0.1", true},
      {"239.255.255.255", true},
      {"240.0.0.1", true},
      {"255.255.255.255", true},
      {"::", true},
      {"::1", true, true},
      {"::2", true},
      {"::127.0.0.1", true},
      {"::ffff:127.0.0.1", true, true},
      {"::ffff:0.0.0.0", true},
      {"::ffff:169.254.169.254", true},
      {"::ffff:224.0.0.1", true},
      {"::ffff:192.0.2.1", false},
      {"64:ff9b::127.0.0.1", true},
      {"64:ff9b::169.254.169.254", true},
      {"64:ff9b::192.0.2.1", false},
      {"fe80::1", true},
      {"febf::1", true},
      {"fec0::1", false},
      {"fe7f::1", false},
      {"fd00::1", false},
      {"ff02::1", true},
      {"feff::1", false},
      {"2001:db8::1", false},
      {"2001:db8::127.0.0.1", false},
      {"1::", false},
  };
  for (const auto& c : cases) {
    const auto address = Address::from_ip(c.ip, 80);
    ASSERT_TRUE(address) << c.ip;
    EXPECT_EQ(address->is_local_target(), c.local) << c.ip;
    EXPECT_EQ(address->is_loopback(), c.loopback) << c.ip;
  }
  EXPECT_TRUE(Address::unix_socket("/run/x").is_local_target());
  EXPECT_TRUE(Address::unix_socket("/run/x").is_loopback());
}

TEST(Address, Unspecified) {
  EXPECT_TRUE(Address::parse("*:80")->is_unspecified());
  EXPECT_TRUE(Address::parse("0.0.0.0:80")->is_unspecified());
  EXPECT_FALSE(Address::parse("[::1]:80")->is_unspecified());
  EXPECT_FALSE(Address::parse("unix:/x")->is_unspecified());
}

TEST(Address, EqualityAndHash) {
  const std::string_view distinct[] = {
      "127.0.0.1:80", "127.0.0.1:81",          "127.0.0.2:80", "[::1]:80", "[::1]:81",
      "[::2]:80",     "[::ffff:127.0.0.1]:80", "unix:/a",      "unix:/b"};
  std::unordered_set<Address, AddressHash> set;
  for (const std::string_view text : distinct) {
    EXPECT_TRUE(set.insert(*Address::parse(text)).second) << text;
    EXPECT_FALSE(set.insert(*Address::parse(text)).second) << text;
  }
  Address moved = *Address::parse("127.0.0.1:80");
  moved.set_port(81);
  EXPECT_EQ(moved, *Address::parse("127.0.0.1:81"));
  EXPECT_EQ(Address(), Address());
  EXPECT_EQ(Address().family(), AF_UNSPEC);
}

TEST(Address, OfAnUnnamedUnixSocket) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const auto address =
      Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&name), sizeof name.sun_family);
  EXPECT_TRUE(address.is_unix());
  EXPECT_EQ(address.path(), "");
}

}  // namespace
}  // namespace penstock
