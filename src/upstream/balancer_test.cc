#include "upstream/balancer.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "upstream/balance_test.h"

namespace penstock {
namespace {

constexpr Balance kAll[] = {Balance::round_robin, Balance::least_connections,
                            Balance::two_choices, Balance::random,
                            Balance::hash,        Balance::first};

// A balancer with its members, whose state a test changes at will.
struct Fixture {
  Fixture(Balance algorithm, const TestMembers& all, std::uint64_t seed = 1)
      : identities(all), members(all.members()), balancer({.algorithm = algorithm}, seed) {
    balancer.set_members(identities.identities());
  }
  static Fixture equal(Balance algorithm, std::size_t count) {
    return {algorithm, TestMembers::equal(count)};
  }

  std::optional<std::size_t> pick(std::uint64_t key = 0,
                                  const std::vector<std::uint32_t>& tried = {}) {
    return balancer.pick(members, key, random, tried);
  }
  // How often each was picked for the keys 0 to count - 1.
  std::vector<std::size_t> counts(std::size_t count) {
    std::vector<std::size_t> result(members.size());
    for (std::size_t key = 0; key < count; ++key) ++result[pick(key).value()];
    return result;
  }

  TestMembers identities;
  std::vector<Member> members;
  Balancer balancer;
  Random random{42};
};

TEST(Balancer, OnlyPicksWhatIsToBeHad) {
  for (const Balance algorithm : kAll) {
    Fixture f = Fixture::equal(algorithm, 5);
    f.members[1].available = false;
    f.members[3].weight = 0;
    for (std::uint64_t key = 0; key < 200; ++key) {
      const auto choice = f.pick(key);
      EXPECT_TRUE(choice == 0U || choice == 2U || choice == 4U);
      const auto other = f.pick(key, {0, 4});
      EXPECT_EQ(other, 2U);
    }
    for (Member& member : f.members) member.available = false;
    EXPECT_FALSE(f.pick());
    EXPECT_FALSE(f.pick(0, {1}));
  }
}

TEST(Balancer, TriesAgainWhatWasTriedWhenNothingElseIsLeft) {
  for (const Balance algorithm : kAll) {
    Fixture f = Fixture::equal(algorithm, 3);
    f.members[2].available = false;
    EXPECT_EQ(f.pick(7, {1}), 0U);
    EXPECT_EQ(f.pick(7, {0}), 1U);
    const auto again = f.pick(7, {0, 1});
    EXPECT_TRUE(again == 0U || again == 1U);
  }
}

TEST(Balancer, TakesOneMemberOrNone) {
  for (const Balance algorithm : kAll) {
    Fixture one = Fixture::equal(algorithm, 1);
    EXPECT_EQ(one.pick(), 0U);
    EXPECT_EQ(one.pick(5, {0}), 0U);
    one.members[0].weight = 0;
    EXPECT_FALSE(one.pick());
    Fixture none = Fixture::equal(algorithm, 0);
    EXPECT_FALSE(none.pick());
    Balancer unset({.algorithm = algorithm}, 1);
    EXPECT_FALSE(unset.pick({}, 1, none.random));
  }
}

TEST(Balancer, TriedIndicesMayBeAnything) {
  for (const Balance algorithm : kAll) {
    Fixture f = Fixture::equal(algorithm, 2);
    EXPECT_EQ(f.pick(0, {0, 0, 7, 0xffffffff}), 1U);
  }
}

TEST(BalanceFirst, IsTheFirstOfTheAvailable) {
  Fixture f(Balance::first, TestMembers({1, 9, 9}));
  EXPECT_EQ(f.pick(), 0U);
  f.members[0].available = false;
  EXPECT_EQ(f.pick(), 1U);
}

TEST(BalanceRandom, FollowsWeights) {
  const std::vector<std::uint32_t> equal(30, 1);
  EXPECT_LT(surprise(Fixture(Balance::random, TestMembers(equal)).counts(60'000), equal), 4);
  const std::vector<std::uint32_t> mixed = {100, 300, 50, 0, 1, 250, 299};
  EXPECT_LT(surprise(Fixture(Balance::random, TestMembers(mixed)).counts(60'000), mixed), 4);
  std::vector<std::uint32_t> one_heavy(50, 1);
  one_heavy[17] = 1'000;
  EXPECT_LT(surprise(Fixture(Balance::random, TestMembers(one_heavy)).counts(60'000), one_heavy),
            4);
}

// Weights that fall leave nothing behind, and few that are available get their shares.
TEST(BalanceRandom, FollowsWhatChanges) {
  Fixture f(Balance::random, TestMembers(std::vector<std::uint32_t>(20, 1'000)));
  f.counts(100);
  std::vector<std::uint32_t> weights(20, 0);
  for (std::size_t i = 0; i < 20; ++i) {
    f.members[i].weight = i % 4 == 0 ? 2 : 1;
    f.members[i].available = i < 6;
    if (i < 6) weights[i] = f.members[i].weight;
  }
  EXPECT_LT(surprise(f.counts(40'000), weights), 4);
}

TEST(BalanceTwoChoices, EqualLoadsFollowWeights) {
  const std::vector<std::uint32_t> equal(30, 1);
  EXPECT_LT(surprise(Fixture(Balance::two_choices, TestMembers(equal)).counts(60'000), equal), 4);
}

TEST(BalanceTwoChoices, NeverTheMostLoaded) {
  Fixture f = Fixture::equal(Balance::two_choices, 5);
  for (std::size_t i = 0; i < 5; ++i) f.members[i].load = static_cast<std::uint32_t>(i);
  const auto counts = f.counts(20'000);
  // Of the ten pairs, four contain the least loaded, three more the next, and so on.
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(static_cast<double>(counts[i]), 2'000.0 * static_cast<double>(4 - i), 250) << i;
  }
  EXPECT_EQ(counts[4], 0U);
}

TEST(BalanceTwoChoices, LoadCountsForItsWeight) {
  Fixture f(Balance::two_choices, TestMembers({1, 10}));
  f.members[0].load = 2;
  f.members[1].load = 19;
  EXPECT_EQ(f.counts(100)[1], 100U);
  f.members[1].load = 21;
  EXPECT_EQ(f.counts(100)[0], 100U);
}

// Requests that stay: two choices keep the loads closer together than chance does.
TEST(BalanceTwoChoices, KeepsLoadsTogether) {
  const auto spread = [](Balance algorithm) {
    Fixture f = Fixture::equal(algorithm, 100);
    for (int i = 0; i < 10'000; ++i) ++f.members[f.pick().value()].load;
    const auto [least, most] = std::ranges::minmax(f.members, {}, &Member::load);
    return most.load - least.load;
  };
  EXPECT_LE(spread(Balance::two_choices), 12U);
  EXPECT_GE(spread(Balance::random), 30U);
  EXPECT_LE(spread(Balance::least_connections), 0U);
}

TEST(BalanceLeastConnections, TakesTheLeastLoadForItsWeight) {
  Fixture f(Balance::least_connections, TestMembers({1, 2, 4}));
  f.members[0].load = 10;
  f.members[1].load = 19;
  f.members[2].load = 39;
  EXPECT_EQ(f.pick(), 1U);
  f.members[1].load = 20;
  EXPECT_EQ(f.pick(), 2U);
  // The other two are equal now.
  const auto one = f.pick(0, {2});
  const auto other = f.pick(0, {2});
  EXPECT_EQ(one.value() + other.value(), 1U);
}

TEST(BalanceLeastConnections, TiesTakeTurns) {
  Fixture f = Fixture::equal(Balance::least_connections, 6);
  f.members[2].load = 1;
  f.members[4].load = 1;
  EXPECT_EQ(f.counts(400), (std::vector<std::size_t>{100, 100, 0, 100, 0, 100}));
  Fixture weighted(Balance::least_connections, TestMembers({300, 100}));
  const auto counts = weighted.counts(400);
  EXPECT_EQ(counts, (std::vector<std::size_t>{300, 100}));
}

// At a low load nearly all choices are ties among some: each still gets its share.
TEST(BalanceLeastConnections, IsFairAtLowLoad) {
  Fixture f = Fixture::equal(Balance::least_connections, 5);
  std::vector<std::size_t> counts(5);
  std::vector<std::size_t> under_way;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t choice = f.pick().value();
    ++counts[choice];
    ++f.members[choice].load;
    under_way.push_back(choice);
    while (under_way.size() > f.random.below(3)) {
      std::swap(under_way[f.random.below(under_way.size())], under_way.back());
      --f.members[under_way.back()].load;
      under_way.pop_back();
    }
  }
  for (const std::size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 2'000, 60);
}

TEST(BalanceRoundRobin, GoesOnWhenMembershipChanges) {
  Fixture f = Fixture::equal(Balance::round_robin, 4);
  f.counts(6);
  const TestMembers more = TestMembers::equal(6);
  f.balancer.set_members(more.identities());
  f.members = more.members();
  const auto counts = f.counts(60);
  for (const std::size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 10, 1);
}

TEST(BalanceHash, OneKeyStaysWithOneMember) {
  Fixture f = Fixture::equal(Balance::hash, 10);
  Fixture other(Balance::hash, TestMembers::equal(10), 99);
  for (std::uint64_t key = 0; key < 1'000; ++key) {
    const auto choice = f.pick(key);
    f.members[key % 10].load = static_cast<std::uint32_t>(key);
    EXPECT_EQ(f.pick(key), choice);
    EXPECT_EQ(other.pick(key), choice);
  }
}

// Warming up does not move keys.
TEST(BalanceHash, OnlyConfiguredWeightsGiveShares) {
  const std::vector<std::uint32_t> weights = {1, 3, 1, 3};
  Fixture f{Balance::hash, TestMembers(weights)};
  const auto counts = f.counts(40'000);
  EXPECT_LT(surprise(counts, weights), 4);
  for (Member& member : f.members) member.weight = 10;
  EXPECT_EQ(f.counts(40'000), counts);
}

TEST(BalanceHash, KeysOfAMemberThatFailsSpreadAndComeBack) {
  const std::vector<std::uint32_t> weights = {2, 2, 1, 1, 1, 1};
  Fixture f{Balance::hash, TestMembers(weights)};
  std::vector<std::size_t> before;
  for (std::uint64_t key = 0; key < 60'000; ++key) before.push_back(f.pick(key).value());
  f.members[1].available = false;
  std::vector<std::size_t> heirs(6);
  for (std::uint64_t key = 0; key < 60'000; ++key) {
    const std::size_t choice = f.pick(key).value();
    if (before[key] != 1) {
      ASSERT_EQ(choice, before[key]);
    } else {
      ++heirs[choice];
      EXPECT_EQ(f.pick(key), choice);
      // A retry goes where a failure of the member sends the key.
      f.members[1].available = true;
      EXPECT_EQ(f.pick(key, {1}), choice);
      f.members[1].available = false;
    }
  }
  EXPECT_LT(surprise(heirs, std::vector<std::uint32_t>{2, 0, 1, 1, 1, 1}), 4);
  f.members[1].available = true;
  for (std::uint64_t key = 0; key < 60'000; ++key) ASSERT_EQ(f.pick(key), before[key]);
}

// Where hardly anyone is left, the few share the keys too, each key staying where it is.
TEST(BalanceHash, FewLeftShareAllKeys) {
  Fixture f = Fixture::equal(Balance::hash, 300);
  for (std::size_t i = 0; i < 300; ++i) f.members[i].available = i % 100 == 0;
  std::vector<std::uint32_t> weights(300);
  for (std::size_t i = 0; i < 300; i += 100) weights[i] = 1;
  EXPECT_LT(surprise(f.counts(30'000), weights), 4);
  EXPECT_EQ(f.pick(12'345), f.pick(12'345));
}

// Without any configured weight, whoever has one now is taken.
TEST(BalanceHash, WorksWithoutATable) {
  Fixture f{Balance::hash, TestMembers({0, 0, 0})};
  EXPECT_FALSE(f.pick(1));
  f.members[1].weight = 5;
  EXPECT_EQ(f.pick(1), 1U);
}

}  // namespace
}  // namespace penstock
