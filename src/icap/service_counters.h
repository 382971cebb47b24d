// What a service has done so far, for metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "icap/consulted.h"

namespace penstock::icap {

// All members may be called from any thread; no locks.
class alignas(64) ServiceCounters {
 public:
  // Of messages of one method: requests, or responses.
  struct Totals {
    std::array<std::uint64_t, kOutcomes> outcomes{};  // messages
    std::uint64_t repeats = 0;
    std::uint64_t sent = 0;  // bytes
    std::uint64_t received = 0;
    std::uint64_t new_connections = 0;     // messages that went by a new one
    std::uint64_t reused_connections = 0;  // and by one that had served others
    std::uint64_t microseconds = 0;        // until the verdicts
  };

  void count(const Consulted& one);
  [[nodiscard]] Totals totals(IcapMethod method) const;

 private:
  using Counter = std::atomic<std::uint64_t>;
  struct Counters {
    std::array<Counter, kOutcomes> outcomes{};
    Counter repeats = 0;
    Counter sent = 0;
    Counter received = 0;
    Counter new_connections = 0;
    Counter reused_connections = 0;
    Counter microseconds = 0;
  };
  [[nodiscard]] static std::size_t index(IcapMethod method) {
    return method == IcapMethod::respmod ? 1 : 0;
  }
  std::array<Counters, 2> methods_;
};

}  // namespace penstock::icap
