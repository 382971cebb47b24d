#include "http2/flood_guard.h"

#include <algorithm>
#include <chrono>

namespace penstock::http2 {

void FloodGuard::fill(TimePoint now) {
  constexpr Duration kSecond = std::chrono::seconds(1);
  if (now - filled_at_ < kSecond) return;
  const std::uint64_t seconds =
      std::min<std::uint64_t>(static_cast<std::uint64_t>((now - filled_at_) / kSecond), kFrames);
  filled_at_ = now;
  resets_left_ = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kResets, resets_left_ + seconds * kResetsASecond));
  frames_left_ = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kFrames, frames_left_ + seconds * kFramesASecond));
}

bool FloodGuard::on_reset(TimePoint now) {
  fill(now);
  if (resets_left_ == 0) return false;
  --resets_left_;
  return true;
}

bool FloodGuard::on_idle_frame(TimePoint now) {
  fill(now);
  if (frames_left_ == 0) return false;
  --frames_left_;
  return true;
}

void FloodGuard::on_useful_frame() {
  frames_left_ = std::min(kFrames, frames_left_ + kFramesForUseful);
}

}  // namespace penstock::http2
