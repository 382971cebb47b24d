// What a simulated network does to the connections made through it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/random.h"
#include "base/time.h"

namespace penstock {

struct DelayRange {
  Duration min = std::chrono::milliseconds(1);
  Duration max = std::chrono::milliseconds(1);
};

// Probabilities are from 0 to 1. The default is a network that works: one millisecond away, with
// ordinary buffers.
struct Faults {
  // Of a connect, decided once each.
  double refuse = 0;  // refused
  double vanish = 0;  // never answered

  // Of a connection, decided once for each direction: it breaks for both sides, or silently stops
  // delivering in that direction, after 0 to `break_within` bytes (small numbers preferred).
  double reset = 0;
  double stall = 0;
  std::uint64_t break_within = 128 * 1024;

  // How long bytes, and the signs of connecting and closing, are on their way.
  DelayRange latency = {};

  // Of each arrival: only a part of what is on its way arrives, the rest later.
  double fragment = 0;
  // Of each operation: takes less than it could; waits although it need not.
  double short_read = 0;
  double short_write = 0;
  double hesitate = 0;
  // Bytes that one direction holds before its writer has to wait (small numbers preferred).
  std::size_t min_buffer = 64 * 1024;
  std::size_t max_buffer = 64 * 1024;
  // Of each reset: bytes that had arrived but were not read are lost too.
  double lose_unread = 0;

  // Awkward, but every byte arrives.
  [[nodiscard]] static Faults rough();
  // Everything that can go wrong, now and then.
  [[nodiscard]] static Faults hostile();
};

inline constexpr std::uint64_t kNoByte = std::numeric_limits<std::uint64_t>::max();

// What happens in one direction once so many bytes have arrived.
struct DirectionFate {
  std::uint64_t reset_after = kNoByte;
  std::uint64_t stall_after = kNoByte;
};

// What is to become of one connection: drawn from Faults, or written down by a test
// (SimWorld::script).
struct Fate {
  enum class Connect : std::uint8_t { succeed, refuse, vanish };
  Connect connect = Connect::succeed;
  DirectionFate up = {};    // from the side that connects
  DirectionFate down = {};  // to it

  [[nodiscard]] static Fate draw(const Faults& faults, Random& random);
};

}  // namespace penstock
