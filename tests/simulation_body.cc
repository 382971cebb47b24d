#include "tests/simulation_body.h"

#include <utility>

#include "async/sleep.h"

namespace penstock::simulation {
namespace {
constexpr std::size_t kLargestPiece = 40'000;
constexpr Duration kLongestPause = std::chrono::milliseconds(300);
constexpr Duration kLongestDawdle = std::chrono::seconds(2);
}  // namespace

Task<bool> Dawdler::dawdle() {
  if (pauses_left_ == 0 || !random_->chance(chance_)) co_return true;
  --pauses_left_;
  const TaskContext& context = co_await this_context();
  const Duration pause = random_->between(Duration{}, kLongestDawdle);
  const bool slept = co_await sleep_until(context.executor().now() + pause);
  co_return slept;
}

void PacedBody::cut(std::size_t after, Duration wait, std::function<void()> act) {
  rest_ = rest_.substr(0, after);
  wait_ = wait;
  act_ = std::move(act);
}

Slice PacedBody::take_piece() {
  if (rest_.empty()) return Slice();
  const std::size_t size = std::min<std::size_t>(rest_.size(), random_.skewed(1, kLargestPiece));
  const std::string_view piece = rest_.substr(0, size);
  rest_.remove_prefix(size);
  pausing_ = pauses_left_ > 0 && random_.chance(pause_);
  if (pausing_) --pauses_left_;
  return Slice(piece);
}

Slice PacedBody::take_ready() { return pausing_ ? Slice() : take_piece(); }

Task<Result<Slice>> PacedBody::next() {
  const TaskContext& context = co_await this_context();
  if (std::exchange(pausing_, false)) {
    const Duration pause = random_.between(Duration{}, kLongestPause);
    if (!co_await sleep_until(context.executor().now() + pause))
      co_return fail(ErrorKind::cancelled);
  }
  if (rest_.empty() && act_) {
    if (!co_await sleep_until(context.executor().now() + wait_))
      co_return fail(ErrorKind::cancelled);
    act_();
    co_return fail(ErrorKind::reset);
  }
  co_return take_piece();
}

}  // namespace penstock::simulation
