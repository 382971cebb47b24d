#include "upstream/rendezvous.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "upstream/balance_test.h"

namespace penstock {
namespace {

std::vector<NodeIdentity> nodes_of(const std::vector<std::uint32_t>& weights) {
  std::vector<NodeIdentity> nodes;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    nodes.push_back({.id = hash_key("peer" + std::to_string(i)), .weight = weights[i]});
  }
  return nodes;
}

std::vector<std::uint32_t> order_of(const std::vector<NodeIdentity>& nodes, std::uint64_t key) {
  std::vector<std::uint32_t> order(nodes.size());
  rendezvous_order(nodes, key, order);
  return order;
}

TEST(RendezvousOrder, HasEveryNodeOnce) {
  const auto nodes = nodes_of({1, 5, 0, 2, 0, 7});
  for (std::uint64_t key = 0; key < 100; ++key) {
    std::vector<std::uint32_t> order = order_of(nodes, key);
    EXPECT_EQ(order, order_of(nodes, key));
    // Those of no weight come last.
    EXPECT_TRUE(order[4] + order[5] == 6 && order[4] % 2 == 0 && order[4] != order[5]);
    std::ranges::sort(order);
    std::vector<std::uint32_t> all(6);
    std::iota(all.begin(), all.end(), 0U);
    EXPECT_EQ(order, all);
  }
  EXPECT_TRUE(order_of({}, 1).empty());
  EXPECT_EQ(order_of(nodes_of({0}), 1).size(), 1U);
}

// Without a node the order of all others stays, exactly.
TEST(RendezvousOrder, ANodeThatGoesMovesOnlyItsOwnKeys) {
  auto nodes = nodes_of({1, 2, 3, 4, 5});
  for (std::uint64_t key = 0; key < 1'000; ++key) {
    std::vector<std::uint32_t> expected = order_of(nodes, key);
    std::erase(expected, 2U);
    auto fewer = nodes;
    fewer.erase(fewer.begin() + 2);
    std::vector<std::uint32_t> order = order_of(fewer, key);
    for (std::uint32_t& index : order) index += index >= 2 ? 1 : 0;
    ASSERT_EQ(order, expected);
  }
}

TEST(RendezvousOrder, FirstPlacesFollowWeights) {
  const std::vector<std::uint32_t> weights = {1, 3, 6, 10, 0};
  const auto nodes = nodes_of(weights);
  std::vector<std::size_t> first(5);
  std::vector<std::size_t> heirs(5);
  for (std::uint64_t key = 0; key < 40'000; ++key) {
    const auto order = order_of(nodes, key);
    ++first[order[0]];
    if (order[0] == 3) ++heirs[order[1]];
  }
  EXPECT_LT(surprise(first, weights), 4);
  // Its keys go to the others as their weights are.
  EXPECT_LT(surprise(heirs, std::vector<std::uint32_t>{1, 3, 6, 0, 0}), 4);
}

TEST(RendezvousOrder, AWeightThatGrowsOnlyTakesKeys) {
  const auto before = nodes_of({2, 2, 2, 2});
  const auto after = nodes_of({2, 4, 2, 2});
  for (std::uint64_t key = 0; key < 2'000; ++key) {
    const std::uint32_t was = order_of(before, key)[0];
    const std::uint32_t is = order_of(after, key)[0];
    EXPECT_TRUE(is == was || is == 1);
  }
}

}  // namespace
}  // namespace penstock
