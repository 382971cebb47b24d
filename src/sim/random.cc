#include "sim/random.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace penstock {

std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    word = mix(seed);
    seed += 0x9e3779b97f4a7c15U;
  }
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
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
