// Notices peers that keep a connection busy without getting anywhere.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace penstock::http2 {

// Two accounts that time fills up again.
//
// Resets: streams that ended by RST_STREAM, whoever sent it, before their response was complete
// (CVE-2023-44487 "rapid reset"; CVE-2025-8671 "MadeYouReset", where the peer makes us send it).
// Each may have started work at a server.
//
// Idle talk: frames that carry nothing: PING, SETTINGS, PRIORITY, PRIORITY_UPDATE, WINDOW_UPDATE,
// RST_STREAM, DATA without content that does not end its stream. Frames with content in either
// direction, and heads, pay for some of them, so that a fast transfer may have as many
// WINDOW_UPDATEs as it needs. Frames of unknown types are skipped, which costs no more than their
// bytes.
class FloodGuard {
 public:
  // At once, and a second from then on.
  static constexpr std::uint32_t kResets = 200;
  static constexpr std::uint32_t kResetsASecond = 20;
  static constexpr std::uint32_t kFrames = 1000;
  static constexpr std::uint32_t kFramesASecond = 100;
  static constexpr std::uint32_t kFramesForUseful = 4;

  explicit FloodGuard(TimePoint now) : filled_at_(now) {}

  // False: that was too much.
  [[nodiscard]] bool on_reset(TimePoint now);
  [[nodiscard]] bool on_idle_frame(TimePoint now);
  void on_useful_frame();

 private:
  void fill(TimePoint now);

  TimePoint filled_at_;
  std::uint32_t resets_left_ = kResets;
  std::uint32_t frames_left_ = kFrames;
};

}  // namespace penstock::http2
