#include "base/random.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace penstock {

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    word = mix(seed);
    seed += 0x9e3779b97f4a7c15U;
  }
}

std::uint64_t Random::below(std::uint64_t bound) {
  PENSTOCK_CHECK(bound != 0);
  return next() % bound;  // the bias does not matter here
}

std::uint64_t Random::between(std::uint64_t low, std::uint64_t high) {
  PENSTOCK_CHECK(low <= high);
  return low == high ? low : low + below(high - low + 1);
}

Duration Random::between(Duration low, Duration high) {
  const Duration width = high - low;
  return low + Duration(between(0, static_cast<std::uint64_t>(width.count())));
}

std::uint64_t Random::skewed(std::uint64_t low, std::uint64_t high) {
  const auto bits = static_cast<int>(between(static_cast<std::uint64_t>(std::bit_width(low)),
                                             static_cast<std::uint64_t>(std::bit_width(high))));
  const std::uint64_t from = bits == 0 ? 0 : std::uint64_t{1} << (bits - 1);
  const std::uint64_t to = bits == 0 ? 0 : from * 2 - 1;
  return between(std::max(low, from), std::min(high, to));
}

bool Random::chance(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
}

}  // namespace penstock
