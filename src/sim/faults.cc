#include "sim/faults.h"

namespace penstock {
namespace {

DirectionFate draw_direction(const Faults& faults, Random& random) {
  DirectionFate fate;
  if (random.chance(faults.reset)) fate.reset_after = random.skewed(0, faults.break_within);
  if (random.chance(faults.stall)) fate.stall_after = random.skewed(0, faults.break_within);
  return fate;
}

}  // namespace

Faults Faults::rough() {
  return {.latency = {std::chrono::microseconds(20), std::chrono::milliseconds(30)},
          .fragment = 0.5,
          .short_read = 0.2,
          .short_write = 0.2,
          .hesitate = 0.2,
          .min_buffer = 64,
          .max_buffer = 64 * 1024};
}

Faults Faults::hostile() {
  Faults faults = rough();
  faults.refuse = 0.02;
  faults.vanish = 0.01;
  faults.reset = 0.02;
  faults.stall = 0.01;
  faults.lose_unread = 0.3;
  return faults;
}

Fate Fate::draw(const Faults& faults, Random& random) {
  Fate fate;
  if (random.chance(faults.refuse)) fate.connect = Connect::refuse;
  if (random.chance(faults.vanish)) fate.connect = Connect::vanish;
  fate.up = draw_direction(faults, random);
  fate.down = draw_direction(faults, random);
  return fate;
}

}  // namespace penstock
