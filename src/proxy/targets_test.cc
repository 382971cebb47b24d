#include "proxy/targets.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Policy = ForwardSettings::PrivateTargets;

Address address(const char* text) { return Address::parse(text).value(); }

TEST(OwnAddresses, ReachesUs) {
  struct Case {
    const char* listening;
    const char* target;
    bool expected;
  };
  for (const Case& c : {
           Case{"192.0.2.1:80", "192.0.2.1:80", true},
           Case{"192.0.2.1:80", "192.0.2.1:81", false},
           Case{"192.0.2.1:80", "192.0.2.2:80", false},
           Case{"192.0.2.1:80", "[::ffff:192.0.2.1]:80", true},
           Case{"192.0.2.1:80", "0.0.0.0:80", true},
           Case{"192.0.2.1:80", "[::]:80", true},
           Case{"192.0.2.1:80", "0.0.0.0:81", false},
           Case{"192.0.2.1:80", "127.0.0.1:80", false},
           Case{"127.0.0.1:80", "127.0.0.1:80", true},
           Case{"0.0.0.0:80", "127.0.0.1:80", true},
           Case{"0.0.0.0:80", "127.9.9.9:80", true},
           Case{"*:80", "127.0.0.1:80", true},
           Case{"*:80", "[::1]:80", true},
           Case{"*:80", "[::1]:81", false},
           Case{"*:80", "198.51.100.77:80", false},
           Case{"[2001:db8::1]:80", "[2001:db8::1]:80", true},
           Case{"unix:/x", "192.0.2.1:80", false},
       }) {
    const OwnAddresses own({address(c.listening)});
    EXPECT_EQ(own.reaches_us(address(c.target)), c.expected) << c.listening << " " << c.target;
  }
  EXPECT_FALSE(OwnAddresses().reaches_us(address("127.0.0.1:80")));
}

TEST(OwnAddresses, AnyOfSeveral) {
  const OwnAddresses own({address("192.0.2.1:80"), address("192.0.2.1:3128")});
  EXPECT_TRUE(own.reaches_us(address("192.0.2.1:80")));
  EXPECT_TRUE(own.reaches_us(address("192.0.2.1:3128")));
  EXPECT_FALSE(own.reaches_us(address("192.0.2.1:8080")));
}

struct FilterCase {
  const char* target;
  Policy policy;
  bool listener_is_local;
  int expected;  // the status, 0: may be reached
};

constexpr FilterCase kFilterCases[] = {
    {"198.51.100.1:80", Policy::automatic, false, 0},
    {"198.51.100.1:80", Policy::deny, true, 0},
    {"10.0.0.1:80", Policy::deny, false, 0},  // another host, private or not
    {"127.0.0.1:80", Policy::automatic, true, 0},
    {"127.0.0.1:80", Policy::automatic, false, 403},
    {"127.0.0.1:80", Policy::allow, false, 0},
    {"127.0.0.1:80", Policy::deny, true, 403},
    {"127.1.2.3:80", Policy::automatic, false, 403},
    {"[::1]:80", Policy::automatic, false, 403},
    {"[::ffff:127.0.0.1]:80", Policy::automatic, false, 403},
    {"[64:ff9b::7f00:1]:80", Policy::automatic, false, 403},
    {"0.0.0.0:80", Policy::automatic, false, 403},
    {"[::]:80", Policy::automatic, false, 403},
    {"169.254.169.254:80", Policy::automatic, false, 403},
    {"[fe80::1]:80", Policy::automatic, false, 403},
    {"224.0.0.1:80", Policy::automatic, false, 403},
    {"255.255.255.255:80", Policy::automatic, false, 403},
    {"192.0.2.1:3128", Policy::automatic, false, 508},  // ourselves
    {"192.0.2.1:3128", Policy::allow, true, 508},
    {"0.0.0.0:3128", Policy::automatic, false, 508},
    {"192.0.2.1:80", Policy::automatic, false, 0},
};

TEST(FilterTargets, OneAddress) {
  const OwnAddresses own({address("192.0.2.1:3128")});
  for (const FilterCase& c : kFilterCases) {
    SCOPED_TRACE(c.target);
    AddressList list{address(c.target)};
    const auto denied = filter_targets(list, own, {.local_targets = c.policy},
                                       {.listener_is_local = c.listener_is_local});
    EXPECT_EQ(denied ? denied->status : 0, c.expected);
    EXPECT_EQ(list.size(), c.expected == 0 ? 1U : 0U);
  }
}

// A name that has a good and a bad address must not lead to the bad one.
TEST(FilterTargets, OnlyTheGoodOnesAreLeft) {
  const OwnAddresses own({address("192.0.2.1:80")});
  AddressList list{address("127.0.0.1:80"), address("198.51.100.1:80"), address("192.0.2.1:80"),
                   address("198.51.100.2:80"), address("[::1]:80")};
  EXPECT_FALSE(filter_targets(list, own, {}, {}));
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0], address("198.51.100.1:80"));
  EXPECT_EQ(list[1], address("198.51.100.2:80"));
}

}  // namespace
}  // namespace penstock
