// The seeds that a simulation runs with.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::simulation {

// With a sanitizer, which takes its time, there are fewer.
#if __has_feature(address_sanitizer)
inline constexpr std::uint64_t kSlowness = 4;
#else
inline constexpr std::uint64_t kSlowness = 1;
#endif

// Those that run every time; fresh ones are drawn from far more.
inline constexpr std::uint64_t kMostFixedSeeds = 1000;
[[nodiscard]] constexpr bool is_fixed(std::uint64_t seed) { return seed <= kMostFixedSeeds; }

// 1 to `count`, and a fresh one. PENSTOCK_SIM_SEED=<seed> replays just that, PENSTOCK_SIM_SEEDS=<n>
// takes so many fresh ones.
[[nodiscard]] inline std::vector<std::uint64_t> seeds(std::uint64_t count) {
  if (const char* seed = std::getenv("PENSTOCK_SIM_SEED")) {
    return {std::strtoull(seed, nullptr, 0)};
  }
  std::vector<std::uint64_t> result;
  std::random_device fresh;
  const char* const many = std::getenv("PENSTOCK_SIM_SEEDS");
  for (std::uint64_t i = many != nullptr ? std::strtoull(many, nullptr, 0) : 0; i > 0; --i) {
    result.push_back(fresh());
  }
  if (many != nullptr) return result;
  for (std::uint64_t seed = 1; seed <= count / kSlowness; ++seed) result.push_back(seed);
  result.push_back(fresh());
  return result;
}

// Runs simulate(setting, seed) for each, up to the first that fails.
template <class Setting>
void run_seeds(const Setting& setting, std::uint64_t count) {
  for (const std::uint64_t seed : seeds(count)) {
    const auto report = simulate(setting, seed);
    std::printf("%s, seed %llu: %s\n", setting.name, static_cast<unsigned long long>(seed),
                report.summary.c_str());
    for (const std::string& problem : report.problems) {
      ADD_FAILURE() << setting.name << ", PENSTOCK_SIM_SEED=" << seed << ": " << problem;
    }
    if (testing::Test::HasFailure()) return;  // one seed's failures are enough to read
  }
}

}  // namespace penstock::simulation
