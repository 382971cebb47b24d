#include "net/accept_spread.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "net/socket_stream.h"

namespace penstock {
namespace {

// Workers that one accept looks at, in turn: all of them on small machines, and few enough lines of
// other cores' caches on large ones.
constexpr std::size_t kLooks = 3;
// How far the connections of two workers may be apart: a part of them, and of those that came
// lately. Short-lived ones even out by themselves, and moving them costs a wake-up.
constexpr std::uint32_t kLeastGap = 1;
constexpr std::uint32_t kPartOfGap = 16;
// How far the numbers of those that came lately may be apart.
constexpr std::uint32_t kLeastRateGap = 16;
constexpr std::uint32_t kPartOfRateGap = 8;
// What came lately counts half as much after this time.
constexpr Duration kHalfLife = std::chrono::milliseconds(128);

std::uint32_t tick_of(TimePoint now) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / kHalfLife);
}

}  // namespace

void AcceptSeat::sit_down(EventLoop& loop, AcceptHandler& handler) {
  loop_ = &loop;
  handler_ = &handler;
  left_ = false;
  const std::lock_guard lock(mutex_);
  closed_ = false;
}

std::uint32_t AcceptSeat::recent(std::uint32_t tick) const {
  const std::uint64_t word = recent_.load(std::memory_order_relaxed);
  // Loops' clocks are apart by a turn: one may be in the next tick already.
  const auto age = static_cast<std::int32_t>(tick - static_cast<std::uint32_t>(word >> 32U));
  return static_cast<std::uint32_t>(word) >> std::clamp(age, 0, 31);
}

void AcceptSeat::opened(TimePoint now) {
  open_.store(open_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const std::uint32_t tick = tick_of(now);
  recent_.store(std::uint64_t{tick} << 32U | (recent(tick) + 1), std::memory_order_relaxed);
}

void AcceptSeat::closed() {
  open_.store(open_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

bool AcceptSeat::hand_over(AcceptedSocket& accepted, TimePoint now) {
  if (left_) return false;
  AcceptSeat* const to = spread_->lighter_than(*this, now);
  if (to == nullptr) return false;
  to->coming_.fetch_add(1, std::memory_order_relaxed);
  spread_->connections_->fetch_add(1, std::memory_order_relaxed);
  outgoing_.emplace_back(to, std::move(accepted));
  return true;
}

void AcceptSeat::flush() {
  std::vector<AcceptedSocket> batch;
  while (!outgoing_.empty()) {
    AcceptSeat* const to = outgoing_.front().first;
    for (auto& [seat, accepted] : outgoing_) {
      if (seat == to) batch.push_back(std::move(accepted));
    }
    std::erase_if(outgoing_, [to](const auto& entry) { return entry.first == to; });
    if (!to->receive(batch)) {
      to->coming_.fetch_sub(static_cast<std::uint32_t>(batch.size()), std::memory_order_relaxed);
      coming_.fetch_add(static_cast<std::uint32_t>(batch.size()), std::memory_order_relaxed);
      for (AcceptedSocket& accepted : batch) begin(accepted);
    }
    batch.clear();
  }
}

bool AcceptSeat::receive(std::vector<AcceptedSocket>& accepted) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    const bool first = inbox_.empty();
    std::ranges::move(accepted, std::back_inserter(inbox_));
    if (!first) return true;  // it has been called already
  }
  // It may have left meanwhile; then its loop runs on, or ends without having called.
  loop_->call([this] { take_up(); });
  return true;
}

void AcceptSeat::take_up() {
  std::vector<AcceptedSocket> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(inbox_);
  }
  for (AcceptedSocket& accepted : arrived) begin(accepted);
}

void AcceptSeat::begin(AcceptedSocket& accepted) {
  // The handler counts it from now on.
  coming_.fetch_sub(1, std::memory_order_relaxed);
  spread_->connections_->fetch_sub(1, std::memory_order_relaxed);
  if (auto stream = SocketStream::create(*loop_, std::move(accepted.socket), false)) {
    handler_->on_accept(std::move(stream), accepted.peer, accepted.local);
  }
}

void AcceptSeat::leave() {
  left_ = true;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  take_up();
}

void AcceptSpread::make_seats(std::size_t workers, std::atomic<std::size_t>& connections,
                              std::size_t most) {
  seats_ = std::make_unique<AcceptSeat[]>(workers);
  size_ = workers;
  connections_ = &connections;
  most_ = most;
  for (std::size_t i = 0; i < workers; ++i) {
    seats_[i].spread_ = this;
    seats_[i].next_look_ = i + 1;
  }
}

AcceptSeat* AcceptSpread::lighter_than(AcceptSeat& from, TimePoint now) {
  if (connections_->load(std::memory_order_relaxed) + 1 >= most_) return nullptr;
  const std::uint32_t tick = tick_of(now);
  const std::uint32_t load = from.load();
  const std::uint32_t recent = from.recent(tick);
  AcceptSeat* lightest = nullptr;
  AcceptSeat* calmest = nullptr;
  for (std::size_t i = 0; i < std::min(kLooks, size_ - 1); ++i) {
    std::size_t look = from.next_look_ % size_;
    if (&seats_[look] == &from) look = (look + 1) % size_;
    from.next_look_ = look + 1;
    AcceptSeat& seat = seats_[look];
    const std::uint32_t coming = seat.coming_.load(std::memory_order_relaxed);
    const std::uint32_t there = seat.open_.load(std::memory_order_relaxed) + coming;
    const std::uint32_t lately = seat.recent(tick) + coming;
    if (load >= there + kLeastGap + (there + recent) / kPartOfGap &&
        (lightest == nullptr || there < lightest->load())) {
      lightest = &seat;
    }
    if (load >= there && recent >= lately + kLeastRateGap + lately / kPartOfRateGap &&
        (calmest == nullptr || lately < calmest->recent(tick))) {
      calmest = &seat;
    }
  }
  return lightest != nullptr ? lightest : calmest;
}

}  // namespace penstock
