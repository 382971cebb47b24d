// Draws members at random, each with a chance in proportion to its weight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "upstream/member.h"

namespace penstock {

// In constant time while most members are eligible and their weights are similar. Only then: it
// draws any member and rejects it as often as its weight falls short of the highest, and after a
// few rejections looks at all.
class WeightedDraw {
 public:
  // An eligible member other than `except`; none if there are none.
  std::optional<std::size_t> draw(const Eligible& eligible, Random& random,
                                  std::optional<std::size_t> except = std::nullopt);

 private:
  std::optional<std::size_t> draw_from_all(const Eligible& eligible, Random& random,
                                           std::optional<std::size_t> except);

  std::uint32_t highest_ = 0;  // weight seen since all were last looked at
};

}  // namespace penstock
