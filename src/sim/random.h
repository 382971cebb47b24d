// A seeded generator whose numbers are the same with every compiler and library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace penstock {

// xoshiro256**, seeded by splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  [[nodiscard]] std::uint64_t next();
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

// One step of splitmix64: a good hash of one number.
[[nodiscard]] std::uint64_t mix(std::uint64_t value);

}  // namespace penstock
