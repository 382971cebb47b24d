#include "net/address_prefix.h"

#include <string_view>

#include <gtest/gtest.h>

namespace penstock {
namespace {

bool contains(std::string_view prefix, std::string_view ip) {
  const auto address = ip.starts_with("unix:") ? Address::parse(ip) : Address::from_ip(ip, 4711);
  return AddressPrefix::parse(prefix).value().contains(address.value());
}

TEST(AddressPrefix, Contains) {
  const struct {
    std::string_view prefix;
    std::string_view ip;
    bool inside;
  } cases[] = {
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1/32", "192.0.2.0", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/32", "2001:db9::1", false},
      {"2001:db8::8/125", "2001:db8::f", true},
      {"2001:db8::8/125", "2001:db8::10", false},
      {"::1", "::1", true},
      {"::/0", "2001:db8::1", true},
      // IPv4 is IPv4, however a socket shows it.
      {"192.0.2.0/24", "::ffff:192.0.2.7", true},
      {"::ffff:192.0.2.0/120", "192.0.2.7", true},
      {"::ffff:192.0.2.0/120", "192.0.3.7", false},
      {"::/0", "::ffff:192.0.2.7", false},
      {"::/0", "192.0.2.7", false},
      {"unix", "unix:/run/x", true},
      {"unix", "127.0.0.1", false},
      {"0.0.0.0/0", "unix:/run/x", false},
      {"::/0", "unix:/run/x", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(contains(c.prefix, c.ip), c.inside) << c.prefix << ' ' << c.ip;
  }
}

TEST(AddressPrefix, OfNoAddress) {
  EXPECT_FALSE(AddressPrefix::parse("0.0.0.0/0")->contains(Address()));
  EXPECT_FALSE(AddressPrefix::parse("unix")->contains(Address()));
}

TEST(AddressPrefix, RefusesOthers) {
  for (const std::string_view text : {"",
                                      "/",
                                      "/8",
                                      "192.0.2.0/",
                                      "192.0.2.0/33",
                                      "192.0.2.0/-1",
                                      "192.0.2.0/+8",
                                      "192.0.2.0/024",
                                      "192.0.2.0/24 ",
                                      " 192.0.2.0/24",
                                      "192.0.2.1/24",
                                      "192.0.2/24",
                                      "2001:db8::/129",
                                      "2001:db8::1/64",
                                      "[2001:db8::]/32",
                                      "::ffff:192.0.2.0/95",
                                      "192.0.2.0/24/8",
                                      "unix:/run/x",
                                      "Unix",
                                      "example.test",
                                      "192.0.2.1:80"}) {
    EXPECT_FALSE(AddressPrefix::parse(text)) << text;
  }
}

TEST(AddressPrefixes, AnyOfThem) {
  AddressPrefixes prefixes;
  EXPECT_TRUE(prefixes.empty());
  EXPECT_EQ(prefixes.add({"192.0.2.0/24", "unix"}), nullptr);
  EXPECT_FALSE(prefixes.empty());
  EXPECT_TRUE(prefixes.contains(Address::parse("192.0.2.9:1").value()));
  EXPECT_TRUE(prefixes.contains(Address::parse("unix:/x").value()));
  EXPECT_FALSE(prefixes.contains(Address::parse("192.0.3.9:1").value()));
  const std::vector<std::string> texts{"::1", "nonsense"};
  const std::string* const problem = prefixes.add(texts);
  ASSERT_NE(problem, nullptr);
  EXPECT_EQ(*problem, "nonsense");
}

}  // namespace
}  // namespace penstock
