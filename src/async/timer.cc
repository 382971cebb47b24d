#include "async/timer.h"

#include <algorithm>
#include <bit>

namespace penstock {

void TimerWheel::arm(Timer& timer, TimePoint when) {
  timer.unlink();
  if (when == kNever) return;
  const Duration since_epoch = when.time_since_epoch();
  const std::int64_t rounded_up = (since_epoch + kTick - Duration(1)) / kTick;
  timer.tick_ = std::max(rounded_up, current_ + 1);
  insert(timer);
}

// A timer lies on the lowest level on which its tick and the current one share all higher digits.
void TimerWheel::insert(Timer& timer) {
  const auto differing = static_cast<std::uint64_t>(timer.tick_ ^ current_);
  const int highest = differing == 0 ? 0 : 63 - std::countl_zero(differing);
  const int level = highest / kSlotBits;
  if (level >= kLevels) {
    // In another turn of the wheel (one takes some 12 days, and the next may begin at once): waits
    // in the top level's first slot, that is, for the next turn's beginning, and is sorted in then.
    Level& top = levels_[kLevels - 1];
    top.slots[0].push_back(timer);
    top.used |= 1;
    return;
  }
  const auto slot = static_cast<std::size_t>(timer.tick_ >> (kSlotBits * level)) & (kSlots - 1);
  Level& at = levels_[static_cast<std::size_t>(level)];
  at.slots[slot].push_back(timer);
  at.used |= std::uint64_t{1} << slot;
}

void TimerWheel::sort_down(int level, int slot) {
  Level& at = levels_[static_cast<std::size_t>(level)];
  at.used &= ~(std::uint64_t{1} << slot);
  IntrusiveList<Timer>& list = at.slots[static_cast<std::size_t>(slot)];
  IntrusiveList<Timer> moving;
  while (!list.empty()) moving.push_back(list.pop_front());
  while (!moving.empty()) insert(moving.pop_front());
}

TimePoint TimerWheel::next() const {
  for (int level = 0; level < kLevels; ++level) {
    const Level& at = levels_[static_cast<std::size_t>(level)];
    const int shift = kSlotBits * level;
    const auto position = static_cast<int>((current_ >> shift) & (kSlots - 1));
    while (at.used != 0) {
      // The first used slot after the current position, going round.
      const std::uint64_t turned = std::rotr(at.used, (position + 1) & (kSlots - 1));
      const int distance = std::countr_zero(turned) + 1;
      const int slot = (position + distance) & (kSlots - 1);
      if (at.slots[static_cast<std::size_t>(slot)].empty()) {
        at.used &= ~(std::uint64_t{1} << slot);
        continue;
      }
      return TimePoint{kTick * (((current_ >> shift) + distance) << shift)};
    }
  }
  return kNever;
}

void TimerWheel::advance(TimePoint now) {
  const std::int64_t target = tick_of(now);
  while (current_ < target) {
    const TimePoint first = next();
    if (first == kNever || tick_of(first) > target) {
      current_ = target;
      return;
    }
    current_ = tick_of(first);
    for (int level = kLevels - 1; level > 0; --level) {
      if ((current_ & ((std::int64_t{1} << (kSlotBits * level)) - 1)) != 0) continue;
      sort_down(level, static_cast<int>(current_ >> (kSlotBits * level)) & (kSlots - 1));
    }
    const auto slot = static_cast<std::size_t>(current_ & (kSlots - 1));
    IntrusiveList<Timer>& due = levels_[0].slots[slot];
    while (!due.empty()) due.pop_front().on_timer();
    levels_[0].used &= ~(std::uint64_t{1} << slot);
  }
}

}  // namespace penstock
