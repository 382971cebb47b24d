// Smooth weighted round robin: every member gets its share, and its turns are spread out evenly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "upstream/member.h"

namespace penstock {

// Each member has a lag: how much work it is owed. In every choice each eligible member is owed its
// weight more, the one that is owed most is chosen, and pays the weights of all. With weights of 5,
// 1 and 1 that gives a a b a c a a.
//
// Lags are parts of the total weight, and follow it. So the order stays fair when weights are
// ramped up, and when members leave and come back: over all choices that a member could be part of
// it gets its share, and what it missed while it was away is not made up for.
class RoundRobin {
 public:
  // Members that were there before, by their text, keep their lag. When all are new, the order
  // starts anywhere: where, and how equals are ordered, follows from the seed, so that threads with
  // seeds of their own do not march in step.
  void set_members(std::span<const MemberIdentity> members, std::uint64_t seed);

  // The next one of the eligible members; none if there are none. As many members as were set.
  std::optional<std::size_t> next(const Eligible& eligible);

 private:
  struct Turn {
    std::uint64_t id = 0;    // of the member
    std::uint64_t rank = 0;  // orders members with the same lag; belongs to this thread
    std::int64_t lag = 0;    // in fractions of a weight of 1
  };

  void scale_to(std::uint64_t total);
  void start_anywhere(std::span<const MemberIdentity> members, std::uint64_t seed);

  std::vector<Turn> turns_;
  std::uint64_t total_ = 0;  // weight of all that were eligible last; lags are parts of it
};

}  // namespace penstock
