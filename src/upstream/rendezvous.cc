#include "upstream/rendezvous.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/frame_pool.h"
#include "base/random.h"

namespace penstock {

double rendezvous_score(const NodeIdentity& node, std::uint64_t key) {
  const std::uint64_t hash = mix(node.id ^ mix(key));
  // 52 bits and a half, so that neither 0 nor 1 comes out.
  const double h = (static_cast<double>(hash >> 12) + 0.5) * 0x1p-52;
  return node.weight == 0 ? h - 1 : -static_cast<double>(node.weight) / std::log(h);
}

void rendezvous_order(std::span<const NodeIdentity> nodes, std::uint64_t key,
                      std::span<std::uint32_t> order) {
  PENSTOCK_CHECK(nodes.size() == order.size());
  std::vector<double, PoolAllocator<double>> scores;
  scores.reserve(nodes.size());
  for (const NodeIdentity& node : nodes) scores.push_back(rendezvous_score(node, key));
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
}

}  // namespace penstock
