// What lies between the two ends of a simulated connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/random.h"
#include "sim/faults.h"
#include "sim/world.h"

namespace penstock {

class SimStream;

// Bytes in the order they came.
class ByteQueue {
 public:
  [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  void push(std::string_view bytes) { bytes_.append(bytes); }
  [[nodiscard]] std::string_view front(std::size_t n) const { return {bytes_.data() + begin_, n}; }
  void drop_front(std::size_t n);
  // Keeps only the first n bytes.
  void truncate(std::size_t n) { bytes_.resize(begin_ + n); }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
};

// Two directions with buffers and delays, and the rules of TCP on what closing does:
// - an end that closes ends its direction after the bytes it has sent (FIN);
// - if it has unread input, or was made abortive, the other end is reset instead, and some or all
//   of what is still on its way to it is lost;
// - bytes that arrive at a closed end reset the sender.
// A direction keeps its order whatever happens. Kept alive by its two streams and by what is on
// its way.
class SimConnection final : public ListNode, public std::enable_shared_from_this<SimConnection> {
 public:
  enum End : std::uint8_t { kConnecting = 0, kAccepting = 1 };
  [[nodiscard]] static End other(End end) { return end == kConnecting ? kAccepting : kConnecting; }

  static std::shared_ptr<SimConnection> create(SimWorld& world, const Faults& faults,
                                               const Fate& fate);
  SimConnection(SimWorld& world, const Faults& faults, const Fate& fate);

  [[nodiscard]] SimWorld& world() const { return *world_; }
  [[nodiscard]] const Faults& faults() const { return faults_; }
  [[nodiscard]] Random& random() { return random_; }
  // A delay drawn from the latency of the connection.
  [[nodiscard]] TimePoint after_latency();
  // Bytes sent and not read, in both directions.
  [[nodiscard]] std::size_t bytes_held() const;

  // For the stream at `end`. Attaching takes an end into use; detaching closes it.
  void attach(End end, SimStream& stream) { ends_[end].stream = &stream; }
  void detach(End end, bool abortive);
  // Takes up to n bytes into the direction from `end`; fewer when its buffer is full.
  std::size_t send(End end, std::string_view bytes);
  void send_fin(End end);
  // Whether a read at `end` can be answered now: with bytes, the end of the stream, or a reset.
  [[nodiscard]] bool readable(End end) const;
  // Bytes that have arrived at `end` and were not read.
  [[nodiscard]] std::string_view arrived(End end) const;
  void consume(End end, std::size_t n);
  [[nodiscard]] bool fin_arrived(End end) const { return direction_to(end).fin_arrived; }
  // The end was reset: nothing can be sent any more, and reading gives what had arrived, then
  // fails.
  [[nodiscard]] bool broken(End end) const { return ends_[end].broken; }
  // Tells the stream at `end` to try its suspended operations again, some time later.
  void retry_later(End end);

 private:
  // What comes after the bytes of a direction.
  enum class Tail : std::uint8_t { open, fin, reset };
  struct Direction {
    ByteQueue on_the_way;
    ByteQueue arrived;
    std::size_t capacity = 0;
    std::uint64_t total = 0;  // bytes that ever arrived
    DirectionFate fate;
    Tail tail = Tail::open;
    bool fin_arrived = false;
    bool arrival_due = false;  // a delivery is scheduled
    bool dead = false;         // nothing is to arrive any more
  };
  struct EndState {
    SimStream* stream = nullptr;
    bool closed = false;
    bool broken = false;
    bool retry_due = false;
  };
  // Each direction is named by its sender.
  [[nodiscard]] Direction& direction_to(End end) { return directions_[other(end)]; }
  [[nodiscard]] const Direction& direction_to(End end) const { return directions_[other(end)]; }
  void schedule_arrival(End sender);
  void arrive(End sender);
  void move_fragment(Direction& direction);
  void reset_both(End sender);
  void send_reset(End sender);
  void receive_reset(End receiver);
  void later(void (SimConnection::*what)(End), End end);
  void retry(End end);
  void trace(std::string_view what, End end, std::uint64_t number);

  SimWorld* world_;
  Faults faults_;
  Random random_;
  std::uint64_t id_;
  std::array<Direction, 2> directions_;
  std::array<EndState, 2> ends_;
};

}  // namespace penstock
