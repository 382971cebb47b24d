#include "upstream/round_robin.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "upstream/balance_test.h"
#include "upstream/slow_start.h"

namespace penstock {
namespace {

// The choices as letters.
std::string turns(RoundRobin& order, const std::vector<Member>& members, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text.push_back(static_cast<char>('a' + order.next(Eligible(members, {})).value()));
  }
  return text;
}

std::string turns_from(const std::vector<std::uint32_t>& weights, std::uint64_t seed,
                       std::size_t count, std::uint32_t unit = 1) {
  const TestMembers all(weights);
  RoundRobin order;
  order.set_members(all.identities(), seed);
  std::vector<Member> members = all.members();
  for (Member& member : members) member.weight *= unit;
  return turns(order, members, count);
}

TEST(RoundRobin, EqualMembersTakeTurns) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::string text = turns_from({1, 1, 1, 1}, seed, 12);
    std::string first = text.substr(0, 4);
    EXPECT_EQ(text.substr(4, 8), text.substr(0, 8));
    std::ranges::sort(first);
    EXPECT_EQ(first, "abcd");
  }
}

// From wherever it starts, the sequence is the one of the smooth order.
TEST(RoundRobin, SpreadsTheTurnsOfFiveOneOne) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    for (const std::uint32_t unit : {1U, 100U}) {
      const std::string text = turns_from({5, 1, 1}, seed, 21, unit);
      const std::string period = text.substr(0, 7);
      EXPECT_EQ(text.substr(7), text.substr(0, 14));
      const std::string twice = period + period;
      EXPECT_TRUE(twice.contains("aabacaa") || twice.contains("aacabaa")) << period;
      seen.insert(period);
    }
  }
  EXPECT_EQ(seen.size(), 14U);  // seven places to start at, two orders of b and c
}

TEST(RoundRobin, GivesEachItsShareInEveryPeriod) {
  const std::vector<std::uint32_t> weights = {7, 3, 2, 1, 1};
  const std::string text = turns_from(weights, 5, 14 * 20);
  for (std::size_t at = 0; at < text.size(); at += 14) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const char letter = static_cast<char>('a' + i);
      EXPECT_EQ(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                           text.begin() + static_cast<std::ptrdiff_t>(at + 14), letter),
                weights[i]);
    }
  }
}

TEST(RoundRobin, ThreadsDoNotMarchInStep) {
  // With equal members the order differs, with unequal ones the place in it.
  std::set<std::string> orders;
  std::set<std::size_t> rare;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    orders.insert(turns_from(std::vector<std::uint32_t>(10, 1), seed, 10));
    rare.insert(turns_from({99, 1}, seed, 100).find('b'));
  }
  EXPECT_GE(orders.size(), 63U);
  EXPECT_GE(rare.size(), 35U);
}

TEST(RoundRobin, NoneIsChosenThatMayNotBe) {
  const TestMembers all = TestMembers::equal(4);
  RoundRobin order;
  order.set_members(all.identities(), 1);
  std::vector<Member> members = all.members();
  members[1].available = false;
  members[2].weight = 0;
  const std::vector<std::uint32_t> tried = {3};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(order.next(Eligible(members, tried)), 0U);
  members[0].available = false;
  EXPECT_FALSE(order.next(Eligible(members, tried)));
  RoundRobin empty;
  empty.set_members({}, 1);
  EXPECT_FALSE(empty.next(Eligible({}, {})));
}

// One that comes back gets no more than its share, whatever it missed.
TEST(RoundRobin, MembersThatComeBackHaveSavedUpNothing) {
  const TestMembers all = TestMembers::equal(5);
  RoundRobin order;
  order.set_members(all.identities(), 3);
  std::vector<Member> members = all.members();
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    // All but one leave, one after the other, at any moment.
    for (std::size_t i = 0; i < 4; ++i) {
      turns(order, members, random.below(7));
      members[(i + static_cast<std::size_t>(round)) % 5].available = false;
    }
    turns(order, members, random.below(1'000));
    members = all.members();
    const std::string text = turns(order, members, 20);
    for (char letter = 'a'; letter < 'f'; ++letter) {
      const auto count = std::ranges::count(text, letter);
      EXPECT_GE(count, 3) << text;
      EXPECT_LE(count, 5) << text;
    }
    EXPECT_FALSE(text.contains("aaa") || text.contains("bbb") || text.contains("ccc") ||
                 text.contains("ddd") || text.contains("eee"))
        << text;
  }
}

// Whoever is chosen leaves, until one is left that all the others owe their turns. When they come
// back it gets one turn ahead of its share, and not nine.
TEST(RoundRobin, TheLastOneLeftIsNotOwedMoreThanARound) {
  const TestMembers all = TestMembers::equal(10);
  RoundRobin order;
  order.set_members(all.identities(), 6);
  std::vector<Member> members = all.members();
  for (int i = 0; i < 9; ++i) members[order.next(Eligible(members, {})).value()].available = false;
  const std::string text = turns(order, all.members(), 20);
  for (char letter = 'a'; letter < 'k'; ++letter) {
    EXPECT_GE(std::ranges::count(text, letter), 1) << text;
    EXPECT_LE(std::ranges::count(text, letter), 3) << text;
  }
}

// The others share evenly what one leaves that comes and goes all the time.
TEST(RoundRobin, StaysFairWhileOneFlaps) {
  const TestMembers all = TestMembers::equal(4);
  RoundRobin order;
  order.set_members(all.identities(), 9);
  std::vector<Member> members = all.members();
  Random random(9);
  std::vector<std::size_t> counts(4);
  for (int i = 0; i < 12'000; ++i) {
    members[0].available = random.below(2) == 0;
    ++counts[order.next(Eligible(members, {})).value()];
  }
  // About a quarter of the choices it is there for.
  EXPECT_NEAR(static_cast<double>(counts[0]), 1'500, 100);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_NEAR(static_cast<double>(counts[i]), static_cast<double>(12'000 - counts[0]) / 3, 10);
  }
}

// Over a ramp every member gets what its weights add up to, to within a few turns.
TEST(RoundRobin, FollowsRampedWeights) {
  const TestMembers all({3, 1, 2, 2});
  RoundRobin order;
  order.set_members(all.identities(), 4);
  std::vector<double> due(4);
  std::vector<double> got(4);
  const Duration ramp = std::chrono::seconds(30);
  for (int i = 0; i < 6'000; ++i) {
    std::vector<Member> members = all.members();
    double total = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const TimePoint since = TimePoint() + std::chrono::seconds(20 * k);
      const TimePoint now = TimePoint() + std::chrono::milliseconds(20 * i);
      members[k].weight = slow_start_weight(members[k].weight, since, now, ramp);
      total += members[k].weight;
    }
    for (std::size_t k = 0; k < 4; ++k) due[k] += members[k].weight / total;
    ++got[order.next(Eligible(members, {})).value()];
    for (std::size_t k = 0; k < 4; ++k) ASSERT_NEAR(got[k], due[k], 4) << k << " at " << i;
  }
}

TEST(RoundRobin, GoesOnWhereItWasWhenMembershipChanges) {
  const TestMembers six = TestMembers::equal(6);
  RoundRobin order;
  order.set_members(six.identities(), 8);
  const std::string before = turns(order, six.members(), 6);
  turns(order, six.members(), 3);
  // The first one leaves, which moves the indices of all others.
  std::vector<MemberIdentity> identities = six.identities();
  identities.erase(identities.begin());
  order.set_members(identities, 8);
  const std::vector<Member> five(5);
  std::string expected;
  for (std::size_t i = 3; i < 9; ++i) {
    if (before[i % 6] != 'a') expected.push_back(static_cast<char>(before[i % 6] - 1));
  }
  EXPECT_EQ(turns(order, five, 5), expected);
}

TEST(RoundRobin, TakesTheGreatestWeights) {
  const std::vector<std::uint32_t> weights(300, 0xffffffff);
  const TestMembers all(weights);
  RoundRobin order;
  order.set_members(all.identities(), 2);
  std::vector<std::size_t> counts(300);
  const std::vector<Member> members = all.members();
  for (int i = 0; i < 3'000; ++i) ++counts[order.next(Eligible(members, {})).value()];
  EXPECT_EQ(std::ranges::min(counts), 10U);
  EXPECT_EQ(std::ranges::max(counts), 10U);
}

}  // namespace
}  // namespace penstock
