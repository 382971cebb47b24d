// A seeded generator whose numbers are the same with every compiler and library. Fast, and good
// enough for choices, jitter and tests; what an attacker must not guess needs another one.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace penstock {

// One step of splitmix64: a good hash of one number.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

// xoshiro256**, seeded by splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  [[nodiscard]] std::uint64_t next() {
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
  // 0 to bound - 1; the bound must not be 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  // low to high, both included.
  [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high);
  [[nodiscard]] Duration between(Duration low, Duration high);
  // low to high, both included, each order of magnitude about as likely as any other.
  [[nodiscard]] std::uint64_t skewed(std::uint64_t low, std::uint64_t high);
  // True with that probability. Draws nothing when it is 0.
  [[nodiscard]] bool chance(double probability);
  template <class T, std::size_t N>
  [[nodiscard]] const T& pick(const std::array<T, N>& from) {
    return from[below(N)];
  }
  // A generator of its own, so that what one part draws does not change what another gets.
  [[nodiscard]] Random fork() { return Random(next()); }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace penstock
