#include "upstream/maglev.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/balance_test.h"

namespace penstock {
namespace {

std::vector<double> shares(const MaglevTable& table, std::size_t members) {
  std::vector<double> parts(members);
  for (std::size_t i = 0; i < table.size(); ++i) {
    parts[table.at(i)] += 1 / static_cast<double>(table.size());
  }
  return parts;
}

TEST(MaglevTable, GivesEqualMembersEqualShares) {
  for (const std::size_t count : {1U, 2U, 10U, 100U, 655U}) {
    const MaglevTable table(TestMembers::equal(count).identities());
    EXPECT_EQ(table.size(), 65'537U);
    for (const double share : shares(table, count)) {
      EXPECT_NEAR(share * static_cast<double>(count), 1, 0.011) << count;
    }
  }
}

TEST(MaglevTable, IsLargerForManyMembers) {
  const MaglevTable table(TestMembers::equal(1'000).identities());
  EXPECT_EQ(table.size(), 655'373U);
  for (const double share : shares(table, 1'000)) EXPECT_NEAR(share * 1'000, 1, 0.002);
}

TEST(MaglevTable, SharesFollowWeights) {
  const std::vector<std::uint32_t> weights = {1, 3, 0, 100, 1'000'000, 3'000'000};
  const MaglevTable small(TestMembers({1, 3, 0, 100}).identities());
  const std::vector<double> parts = shares(small, 4);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(parts[i], weights[i] / 104.0, 0.0001);
  const MaglevTable large(TestMembers({1, 3, 0, 100, 1'000'000, 3'000'000}).identities());
  EXPECT_NEAR(shares(large, 6)[4], 0.25, 0.001);
  EXPECT_NEAR(shares(large, 6)[5], 0.75, 0.001);
}

TEST(MaglevTable, IsEmptyWithoutMembersOfWeight) {
  EXPECT_TRUE(MaglevTable().empty());
  EXPECT_TRUE(MaglevTable(TestMembers::equal(0).identities()).empty());
  EXPECT_TRUE(MaglevTable(TestMembers({0, 0}).identities()).empty());
}

// The order in which members are listed does not matter, and neither does anything else.
TEST(MaglevTable, IsTheSameEverywhere) {
  const TestMembers all({1, 2, 3, 4, 5, 6, 7});
  std::vector<MemberIdentity> identities = all.identities();
  const MaglevTable table(identities);
  std::ranges::reverse(identities);
  const MaglevTable reversed(identities);
  for (std::size_t i = 0; i < table.size(); ++i) ASSERT_EQ(table.at(i), 6 - reversed.at(i));
  // Keys must not move when a new version is installed.
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < table.size(); ++i) sum = sum * 31 + table.at(i);
  EXPECT_EQ(sum, 6807826547943008205U);
}

// The part of the entries that changed although their member stayed.
double moved_without_need(std::vector<MemberIdentity> identities, std::size_t gone) {
  const MaglevTable before(identities);
  identities[gone].weight = 0;
  const MaglevTable after(identities);
  double moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before.at(i) != gone && after.at(i) != before.at(i)) ++moved;
  }
  return moved / static_cast<double>(before.size());
}

TEST(MaglevTable, FewKeysMoveWhenAMemberGoes) {
  const TestMembers all = TestMembers::equal(10);
  for (std::size_t gone = 0; gone < 10; ++gone) {
    EXPECT_LT(moved_without_need(all.identities(), gone), 0.01);
  }
  const TestMembers weighted({1, 3, 1, 3, 1, 3, 1, 3, 1, 3});
  EXPECT_LT(moved_without_need(weighted.identities(), 0), 0.01);
  EXPECT_LT(moved_without_need(weighted.identities(), 1), 0.01);
  EXPECT_LT(moved_without_need(TestMembers::equal(300).identities(), 150), 0.01);
}

TEST(MaglevTable, WhatAMemberLeavesSpreadsOverTheOthers) {
  std::vector<std::uint32_t> weights(10, 1);
  const MaglevTable before(TestMembers(weights).identities());
  weights[4] = 0;
  const MaglevTable after(TestMembers(weights).identities());
  std::vector<double> heirs(10);
  for (std::size_t i = 0; i < before.size(); ++i) heirs[after.at(i)] += before.at(i) == 4 ? 1 : 0;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i != 4) EXPECT_NEAR(heirs[i], 6'553.0 / 9, 200) << i;
  }
}

}  // namespace
}  // namespace penstock
