// Chooses the member of a group that gets a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "upstream/balance_settings.h"
#include "upstream/maglev.h"
#include "upstream/member.h"
#include "upstream/rendezvous.h"
#include "upstream/round_robin.h"
#include "upstream/weighted_draw.h"

namespace penstock {

// Only the algorithm: who is available, how loaded and how weighted is told with each choice.
// Belongs to one thread.
class Balancer {
 public:
  // Threads should have different seeds, so that their turns do not meet. The choice by hash does
  // not depend on it.
  Balancer(const BalanceSettings& settings, std::uint64_t seed);

  // When members or configured weights have changed. The texts are not kept. For Balance::hash this
  // makes the table anew (see MaglevTable); for the others it is cheap.
  void set_members(std::span<const MemberIdentity> members);

  // The index of the member to use; none if none is available with a weight. `members` are those
  // that were set, in that order. Those in `tried`, a few indices, are avoided as long as there are
  // others. Allocates nothing.
  //
  // `hash` is that of the request's key (hash_key() in base/hash.h) and only matters for
  // Balance::hash. There a member's weight only matters when it is 0: the shares are those of the
  // configured weights, so that a member that warms up does not give its keys away.
  //
  // Constant time for hash, and for random and two_choices while most members are available and
  // their weights are similar; else O(members).
  [[nodiscard]] std::optional<std::size_t> pick(std::span<const Member> members, std::uint64_t hash,
                                                Random& random,
                                                std::span<const std::uint32_t> tried = {});

 private:
  std::optional<std::size_t> pick_from(const Eligible& eligible, std::uint64_t hash,
                                       Random& random);
  std::optional<std::size_t> least_loaded(Eligible eligible);
  std::optional<std::size_t> better_of_two(const Eligible& eligible, Random& random);
  [[nodiscard]] std::optional<std::size_t> by_hash(const Eligible& eligible,
                                                   std::uint64_t hash) const;

  Balance algorithm_;
  std::uint64_t seed_;
  RoundRobin round_robin_;
  WeightedDraw draw_;
  MaglevTable table_;
  std::vector<NodeIdentity> nodes_;  // for when the table's members are not to be had
};

}  // namespace penstock
