// How the connections of one listener are spread over the workers that accept them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.h"
#include "net/event_loop.h"
#include "net/fd.h"
#include "net/network.h"

namespace penstock {

// An accepted connection for which there is no stream yet.
struct AcceptedSocket {
  Fd socket;
  Address peer;
  Address local;
};

class AcceptSpread;

// One worker's place at a listener. The kernel gives connections to workers by hash, or to whoever
// wakes first; a worker that accepts one while it has clearly more than another hands the socket
// over to that one, which keeps it whatever happens: nothing moves twice.
//
// What others read are two words on a cache line of its own that only its worker writes, and the
// number of those on their way to it. All functions are for its worker's thread, but for those that
// AcceptSpread calls.
class alignas(64) AcceptSeat {
 public:
  AcceptSeat() = default;
  AcceptSeat(const AcceptSeat&) = delete;
  AcceptSeat& operator=(const AcceptSeat&) = delete;

  // From now on others may hand over to it, on the loop, into the handler. Both must outlive the
  // seat's leave(). To be called for all seats before any worker runs.
  void sit_down(EventLoop& loop, AcceptHandler& handler);

  // Of each connection that its worker serves.
  void opened(TimePoint now);
  void closed();

  // True: another worker gets it, with the next flush(). `now`: the loop's time.
  [[nodiscard]] bool hand_over(AcceptedSocket& accepted, TimePoint now);
  // Sends off what was handed over, in one go for each worker. What a worker that has left does not
  // take comes to this seat's own handler.
  void flush();

  // Takes up what is on its way, and neither takes nor hands over more: nothing is lost.
  void leave();

  // Connections of its worker, with those on their way to it.
  [[nodiscard]] std::uint32_t load() const {
    return open_.load(std::memory_order_relaxed) + coming_.load(std::memory_order_relaxed);
  }

 private:
  friend class AcceptSpread;

  // Connections accepted lately, old ones counting less and less.
  [[nodiscard]] std::uint32_t recent(std::uint32_t tick) const;
  void take_up();
  void begin(AcceptedSocket& accepted);
  // False: it has left.
  bool receive(std::vector<AcceptedSocket>& accepted);

  std::atomic<std::uint32_t> open_ = 0;
  std::atomic<std::uint32_t> coming_ = 0;
  std::atomic<std::uint64_t> recent_ = 0;  // a tick, and below it the number at that time

  AcceptSpread* spread_ = nullptr;
  EventLoop* loop_ = nullptr;
  AcceptHandler* handler_ = nullptr;
  std::size_t next_look_ = 0;
  std::vector<std::pair<AcceptSeat*, AcceptedSocket>> outgoing_;
  bool left_ = false;

  std::mutex mutex_;  // of what follows
  std::vector<AcceptedSocket> inbox_;
  bool closed_ = true;
};

// The seats of a listener's workers; outlives them.
class AcceptSpread {
 public:
  // Without seats: workers keep what they accept.
  AcceptSpread() = default;
  AcceptSpread(const AcceptSpread&) = delete;
  AcceptSpread& operator=(const AcceptSpread&) = delete;

  // `connections`: how many the listener has, over all workers. Those on their way count, and near
  // `most` none is handed over, so that the worker that accepts notices the bound.
  void make_seats(std::size_t workers, std::atomic<std::size_t>& connections, std::size_t most);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] AcceptSeat& seat(std::size_t worker) { return seats_[worker]; }

 private:
  friend class AcceptSeat;

  // One that has clearly fewer connections than `from`, or got clearly fewer lately; else null.
  [[nodiscard]] AcceptSeat* lighter_than(AcceptSeat& from, TimePoint now);

  std::unique_ptr<AcceptSeat[]> seats_;
  std::size_t size_ = 0;
  std::atomic<std::size_t>* connections_ = nullptr;
  std::size_t most_ = 0;
};

}  // namespace penstock
