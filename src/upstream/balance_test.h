// What the tests of choosing share: members, and whether counts are what chance allows.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "upstream/member.h"

namespace penstock {

// Identities "10.0.0.1:80" and so on, of the given weights.
class TestMembers {
 public:
  explicit TestMembers(std::vector<std::uint32_t> weights) : weights_(std::move(weights)) {
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      texts_.push_back("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) +
                       ":80");
    }
  }
  static TestMembers equal(std::size_t count, std::uint32_t weight = 1) {
    return TestMembers(std::vector<std::uint32_t>(count, weight));
  }

  [[nodiscard]] std::vector<MemberIdentity> identities() const {
    std::vector<MemberIdentity> all;
    for (std::size_t i = 0; i < weights_.size(); ++i) all.push_back({texts_[i], weights_[i]});
    return all;
  }
  [[nodiscard]] std::vector<Member> members() const {
    std::vector<Member> all;
    for (const std::uint32_t weight : weights_) all.push_back({.weight = weight});
    return all;
  }

 private:
  std::vector<std::uint32_t> weights_;
  std::vector<std::string> texts_;
};

// Pearson's statistic of counts that should be in proportion to the weights, brought to a standard
// normal variable (Wilson and Hilferty): above 4 once in 30,000 times.
inline double surprise(std::span<const std::size_t> counts,
                       std::span<const std::uint32_t> weights) {
  double total = 0;
  double weight = 0;
  double classes = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += static_cast<double>(counts[i]);
    weight += weights[i];
    classes += weights[i] != 0 ? 1 : 0;
    if (weights[i] == 0 && counts[i] != 0) return HUGE_VAL;
  }
  double chi = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (weights[i] == 0) continue;
    const double expected = total * weights[i] / weight;
    const double off = static_cast<double>(counts[i]) - expected;
    chi += off * off / expected;
  }
  const double freedom = classes - 1;
  const double spread = 2 / (9 * freedom);
  return (std::cbrt(chi / freedom) - (1 - spread)) / std::sqrt(spread);
}

}  // namespace penstock
