// Rendezvous hashing (highest random weight; Thaler and Ravishankar, 1998): for each key an order
// of all nodes.
#pragma once

#include <cstdint>
#include <span>

namespace penstock {

struct NodeIdentity {
  std::uint64_t id = 0;      // hash_key() of what names the node (base/hash.h)
  std::uint32_t weight = 1;  // its share of the keys
};

// How much the node is wanted for a key: -weight / ln(h), where h is a hash of node and key between
// 0 and 1. A node is wanted most for a part of all keys in proportion to its weight. Below 0 for
// nodes of weight 0, above 0 for all others.
[[nodiscard]] double rendezvous_score(const NodeIdentity& node, std::uint64_t key);

// The indices of all nodes, the most wanted for `key` first. What comes after a node does not
// depend on it: when it fails, its keys spread over the others, and all come back to it. `order` is
// as long as `nodes`.
void rendezvous_order(std::span<const NodeIdentity> nodes, std::uint64_t key,
                      std::span<std::uint32_t> order);

}  // namespace penstock
