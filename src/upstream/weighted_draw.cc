#include "upstream/weighted_draw.h"

#include <algorithm>

namespace penstock {
namespace {
constexpr int kTries = 8;
}  // namespace

std::optional<std::size_t> WeightedDraw::draw(const Eligible& eligible, Random& random,
                                              std::optional<std::size_t> except) {
  if (eligible.size() == 0) return std::nullopt;
  for (int i = 0; i < kTries; ++i) {
    const std::size_t index = random.below(eligible.size());
    if (index == except || !eligible.contains(index)) continue;
    const std::uint32_t weight = eligible[index].weight;
    highest_ = std::max(highest_, weight);
    if (weight == highest_ || random.below(highest_) < weight) return index;
  }
  return draw_from_all(eligible, random, except);
}

std::optional<std::size_t> WeightedDraw::draw_from_all(const Eligible& eligible, Random& random,
                                                       std::optional<std::size_t> except) {
  std::uint64_t total = 0;
  highest_ = 0;
  for (std::size_t i = 0; i < eligible.size(); ++i) {
    if (i == except || !eligible.contains(i)) continue;
    total += eligible[i].weight;
    highest_ = std::max(highest_, eligible[i].weight);
  }
  if (total == 0) return std::nullopt;
  std::uint64_t rest = random.below(total);
  for (std::size_t i = 0; i < eligible.size(); ++i) {
    if (i == except || !eligible.contains(i)) continue;
    if (rest < eligible[i].weight) return i;
    rest -= eligible[i].weight;
  }
  return std::nullopt;
}

}  // namespace penstock
