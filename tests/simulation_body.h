// Content that comes in pieces of random sizes, with pauses between them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "message/body.h"

namespace penstock::simulation {

// Of one message, so that small windows and many pauses do not come to more than anybody's
// patience.
inline constexpr int kMostPauses = 50;

// Somebody who stops now and then in taking a message.
class Dawdler {
 public:
  // `chance`: probability, before each piece.
  Dawdler(Random& random, double chance) : random_(&random), chance_(chance) {}
  // False when it was cancelled.
  Task<bool> dawdle();

 private:
  Random* random_;
  double chance_;
  int pauses_left_ = kMostPauses;
};

class PacedBody final : public BodySource {
 public:
  // The bytes must outlive it. `pause`: probability, after each piece.
  PacedBody(std::string_view bytes, Random random, double pause)
      : rest_(bytes), random_(random), pause_(pause) {}

  // Fails after so many bytes: waits that long, then does `act`.
  void cut(std::size_t after, Duration wait, std::function<void()> act);
  [[nodiscard]] FieldSection& own_trailers() { return trailers_; }

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return rest_.empty() && !act_; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return std::nullopt; }
  [[nodiscard]] FieldSection* trailers() override {
    return trailers_.empty() ? nullptr : &trailers_;
  }

 private:
  Slice take_piece();

  std::string_view rest_;
  Random random_;
  double pause_;
  bool pausing_ = false;
  int pauses_left_ = kMostPauses;
  FieldSection trailers_;
  Duration wait_{};
  std::function<void()> act_;  // in place of the end
};

}  // namespace penstock::simulation
