#include "net/address_order.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

AddressList list(const std::vector<std::string_view>& ips) {
  AddressList addresses;
  for (const std::string_view ip : ips) addresses.push_back(Address::from_ip(ip, 80).value());
  return addresses;
}

std::string text(std::span<const Address> addresses) {
  std::string text;
  for (const Address& address : addresses) {
    if (!text.empty()) text += ' ';
    text += address.host_text();
  }
  return text;
}

// The source for each destination; none for those not named.
SourceFinder sources(std::map<std::string, std::string> table) {
  return [table = std::move(table)](const Address& to) -> std::optional<Address> {
    const auto found = table.find(to.host_text());
    return found == table.end() ? std::nullopt : Address::from_ip(found->second, 0);
  };
}

std::string sorted(const std::vector<std::string_view>& ips, const SourceFinder& source) {
  AddressList addresses = list(ips);
  sort_by_preference(addresses, source);
  return text(addresses);
}

TEST(AddressOrder, FamiliesTakeTurns) {
  EXPECT_EQ(text(interleave(list({"10.0.0.1", "10.0.0.2", "2001:db8::1", "10.0.0.3", "::2"}))),
            "2001:db8::1 10.0.0.1 ::2 10.0.0.2 10.0.0.3");
  EXPECT_EQ(text(interleave(list({"10.0.0.1", "10.0.0.2"}))), "10.0.0.1 10.0.0.2");
  EXPECT_EQ(text(interleave(list({"::1", "::2"}))), "::1 ::2");
  EXPECT_EQ(text(interleave(list({}))), "");
}

TEST(AddressOrder, WhatThereIsNoWayToComesLast) {
  const AddressList v6 = list({"2001:db8::1", "2001:db8::2"});
  const AddressList v4 = list({"10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(text(interleave({v6, 0}, {v4, 2})), "10.0.0.1 10.0.0.2 2001:db8::1 2001:db8::2");
  EXPECT_EQ(text(interleave({v6, 1}, {v4, 2})), "2001:db8::1 10.0.0.1 10.0.0.2 2001:db8::2");
  EXPECT_EQ(text(interleave({v6, 0}, {v4, 0})), "2001:db8::1 10.0.0.1 2001:db8::2 10.0.0.2");
}

TEST(AddressOrder, Rule1UnreachableOnesAreLastAndCounted) {
  AddressList addresses = list({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  const auto source = sources({{"10.0.0.2", "10.9.9.9"}, {"10.0.0.3", "10.9.9.9"}});
  EXPECT_EQ(sort_by_preference(addresses, source), 2U);
  EXPECT_EQ(text(addresses), "10.0.0.2 10.0.0.3 10.0.0.1");
}

// The examples of RFC 6724 section 10.2 that are about one family.
TEST(AddressOrder, TheRfcsExamples) {
  EXPECT_EQ(sorted({"2001:db8:1::1", "fe80::1"},
                   sources({{"2001:db8:1::1", "2001:db8:1::2"}, {"fe80::1", "fe80::2"}})),
            "fe80::1 2001:db8:1::1");
  EXPECT_EQ(sorted({"2002:c633:6401::1", "2001:db8:1::1"},
                   sources({{"2002:c633:6401::1", "2002:c633:6401::2"},
                            {"2001:db8:1::1", "2002:c633:6401::2"}})),
            "2002:c633:6401::1 2001:db8:1::1");
  EXPECT_EQ(sorted({"2002:c633:6401::1", "2001:db8:1::1"},
                   sources({{"2002:c633:6401::1", "2002:c633:6401::2"},
                            {"2001:db8:1::1", "2001:db8:1::2"}})),
            "2001:db8:1::1 2002:c633:6401::1");
}

TEST(AddressOrder, Rule2MatchingScope) {
  EXPECT_EQ(sorted({"fe80::1", "2001:db8::1"},
                   sources({{"fe80::1", "2001:db8::9"}, {"2001:db8::1", "2001:db8::9"}})),
            "2001:db8::1 fe80::1");
  EXPECT_EQ(sorted({"169.254.1.1", "10.0.0.1"},
                   sources({{"169.254.1.1", "10.0.0.9"}, {"10.0.0.1", "10.0.0.9"}})),
            "10.0.0.1 169.254.1.1");
}

TEST(AddressOrder, Rule9LongestPrefixIsForIpv6Only) {
  EXPECT_EQ(
      sorted({"2001:db8:ffff::1", "2001:db8:1::1"},
             sources({{"2001:db8:ffff::1", "2001:db8:1::9"}, {"2001:db8:1::1", "2001:db8:1::9"}})),
      "2001:db8:1::1 2001:db8:ffff::1");
  EXPECT_EQ(sorted({"203.0.113.1", "10.0.0.1"},
                   sources({{"203.0.113.1", "10.0.0.9"}, {"10.0.0.1", "10.0.0.9"}})),
            "203.0.113.1 10.0.0.1");
}

TEST(AddressOrder, EqualsStayInOrder) {
  const auto source = sources({{"10.0.0.3", "10.0.0.9"}, {"10.0.0.1", "10.0.0.9"}});
  EXPECT_EQ(sorted({"10.0.0.3", "10.0.0.1"}, source), "10.0.0.3 10.0.0.1");
}

TEST(AddressOrder, TheSystemFindsItsOwnAddress) {
  const auto source = source_address(*Address::from_ip("127.0.0.1", 0));
  ASSERT_TRUE(source);
  EXPECT_EQ(source->host_text(), "127.0.0.1");
  EXPECT_FALSE(source_address(Address()));
}

}  // namespace
}  // namespace penstock
