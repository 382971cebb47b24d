// In which order a client numbers its streams.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace penstock::http2 {

// RFC 9113 section 5.1.1: numbers only rise, and a stream that is passed over is closed. What was
// passed over is remembered, the latest gaps of it, as HEADERS with a lower number are in order
// where they are the trailers of a stream that is over here already.
class StreamNumbers {
 public:
  static constexpr std::size_t kGaps = 4;

  // HEADERS of the stream `id` begin. False: it was passed over, and cannot be opened any more.
  [[nodiscard]] bool on_headers(std::uint32_t id) {
    if (id <= highest_) return !std::ranges::any_of(gaps_, [id](Gap gap) { return gap.has(id); });
    if (id > highest_ + 2) gaps_[gap_count_++ % kGaps] = {.first = highest_ + 1, .last = id - 1};
    highest_ = id;
    return true;
  }

 private:
  struct Gap {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    [[nodiscard]] bool has(std::uint32_t id) const { return first <= id && id <= last; }
  };

  std::uint32_t highest_ = 0;
  std::uint32_t gap_count_ = 0;
  std::array<Gap, kGaps> gaps_{};
};

}  // namespace penstock::http2
