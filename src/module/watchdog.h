// Notices callbacks of modules that hold a worker's loop: while one runs, all other connections of
// that worker wait.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "module/event.h"
#include "module/line_budget.h"

namespace penstock {

class Watchdog;

// What a worker is doing for modules, for the watchdog to see: one word, written by the worker and
// read by the watchdog's thread. It is a value and points to nothing, so that nothing can be gone
// when it is looked at.
class alignas(64) WatchdogSlot {
 private:
  friend class WatchedCall;
  friend class Watchdog;
  static constexpr int kEventBits = 8;
  static constexpr int kInstanceBits = 16;

  // Zero while no callback runs, else the number of the call, the instance, and the event. The
  // number tells one call from the next; it starts anew after 2^40.
  std::atomic<std::uint64_t> word_ = 0;
  std::uint64_t calls_ = 0;  // the worker's
};

// Registers an instance with the watchdog, for as long as it lives. Movable; the watchdog must
// outlive it. Without a watchdog: one whose calls nobody looks at.
class WatchedInstance {
 public:
  WatchedInstance() = default;
  WatchedInstance(WatchedInstance&& other) noexcept;
  WatchedInstance& operator=(WatchedInstance&& other) noexcept;
  ~WatchedInstance();

 private:
  friend class Watchdog;
  friend class WatchedCall;
  WatchedInstance(Watchdog& watchdog, std::uint16_t id) : watchdog_(&watchdog), id_(id) {}
  Watchdog* watchdog_ = nullptr;
  std::uint16_t id_ = 0;
};

// Around a callback on a worker's thread. Costs two relaxed stores. May be nested: the outer call
// is then looked at as a new one when the inner one has ended.
class WatchedCall {
 public:
  // `slot`: of the calling thread's worker; null: nobody looks. It must outlive the guard, the
  // instance need not.
  WatchedCall(WatchdogSlot* slot, const WatchedInstance& instance, ModuleEvent event)
      : slot_(slot) {
    if (slot_ == nullptr) return;
    outer_ = slot_->word_.load(std::memory_order_relaxed);
    const std::uint64_t what = (std::uint64_t{instance.id_} << WatchdogSlot::kEventBits) |
                               static_cast<std::uint64_t>(event);
    const std::uint64_t number = ++slot_->calls_;
    slot_->word_.store((number << (WatchdogSlot::kInstanceBits + WatchdogSlot::kEventBits)) | what,
                       std::memory_order_relaxed);
  }
  ~WatchedCall() {
    if (slot_ != nullptr) slot_->word_.store(outer_, std::memory_order_relaxed);
  }
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;

 private:
  WatchdogSlot* slot_;
  std::uint64_t outer_ = 0;
};

// Looks at the slots of all workers, every quarter of the shortest limit, while there are
// instances. A call that is the same over a time as long as its instance's limit is said in the
// log: once while it lasts, and once when it has ended. As workers read no clock for this, how long
// a call has lasted is known only from the looks: it has lasted at least as long as is said. One
// that is shorter than the limit is never reported, one of 1.5 times the limit always is, if the
// watchdog's thread is not kept waiting itself. At most 10 calls of an instance are described in
// 10 seconds; how many more there were is said.
class Watchdog {
 public:
  // `warn` writes a line into the log. `count`, which may be null, is told once of each slow call,
  // with the instance's name. Both are called on the watchdog's thread, and must outlive it; they
  // may not use the watchdog.
  using Warn = std::function<void(std::string_view line)>;
  using Count = std::function<void(std::string_view instance)>;
  Watchdog(Warn warn, Count count) : warn_(std::move(warn)), count_(std::move(count)) {}
  // Ends the thread. The instances must be gone.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Starts the thread. It sleeps while there are no instances.
  void start();

  // A worker's slot; stays as long as the watchdog. From any thread.
  [[nodiscard]] WatchdogSlot& add_slot();
  // From any thread. A limit of zero or less: calls are not looked at. What is still to be said of
  // the instance is said when it goes.
  [[nodiscard]] WatchedInstance add_instance(std::string name, Duration limit);

  // One look, at a time that never goes back; for tests without a thread.
  void look(TimePoint now);
  // Until the next look; zero: none is needed.
  [[nodiscard]] Duration interval();

 private:
  friend class WatchedInstance;
  struct Instance {
    std::string name;
    Duration limit;
    LineBudget budget;
  };
  // A worker, with what was seen of it.
  struct Seen {
    WatchdogSlot slot;
    std::uint64_t word = 0;
    TimePoint since;
    TimePoint last;
    bool reported = false;   // it was slow
    bool described = false;  // and there was room to say so
  };
  void run();
  void remove(std::uint16_t id);
  [[nodiscard]] Duration interval_locked() const;
  void look_locked(TimePoint now);
  void look_at(Seen& seen, TimePoint now);
  void say_slow(Seen& seen, Instance& instance, TimePoint now);
  void say_ended(const Seen& seen);
  [[nodiscard]] static ModuleEvent event_of(std::uint64_t word);
  [[nodiscard]] Instance* instance_of(std::uint64_t word);
  void say_left_out(const Instance& instance, std::uint64_t left_out) const;

  const Warn warn_;
  const Count count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::uint16_t last_id_ = 0;
  std::unordered_map<std::uint16_t, Instance> instances_;
  std::vector<std::unique_ptr<Seen>> seen_;
  std::thread thread_;
};

}  // namespace penstock
