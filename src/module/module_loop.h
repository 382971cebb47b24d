// Time, descriptors and calls on the one worker that runs what modules have asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "async/timer.h"
#include "async/worker_gate.h"
#include "base/time.h"
#include "module/loop_port.h"
#include "module/subrequest_runner.h"
#include "module/watchdog.h"
#include "net/event_loop.h"
#include "net/fd.h"

namespace penstock {

// What a worker offers for all instances. What is pointed to must live until detach().
struct LoopWorker {
  std::shared_ptr<WorkerGate> gate;
  LoopPort* port = nullptr;
  SubrequestRunner* subrequests = nullptr;  // null: requests are not possible
  WatchdogSlot* slot = nullptr;             // null: the watchdog does not look at this worker
};

// Shared by all instances. Its functions may be called from any thread unless they say otherwise,
// also before there is a worker: what is to happen then happens once there is one. What is called
// back is called on the worker's thread.
//
// Stopping a timer or watch: when stop_timer() or stop_watch() is called on the worker's thread,
// its function is not called any more; otherwise it may be about to be called just then, or under
// way, and so is called at most once more. Ids are never used again; those of nothing are ignored.
// Functions are told their own id.
class ModuleLoop final : private Timer, private EventSource {
 public:
  ModuleLoop();
  // After detach(), or without a worker.
  ~ModuleLoop() override;
  ModuleLoop(const ModuleLoop&) = delete;
  ModuleLoop& operator=(const ModuleLoop&) = delete;

  // Once, on the worker's thread, or before that runs. It must outlive that thread.
  void attach(LoopWorker worker);
  // On the worker's thread, or when it does not run any more: nothing is called back after this.
  void detach();

  // Runs f on the worker's thread; false: there is no worker any more, and f will not be run.
  bool call(std::function<void()> f);
  // On the worker's thread only.
  [[nodiscard]] const LoopWorker& worker() const { return worker_; }

  // Calls f every `period`, the first time after one period. Calls that come too late are not made
  // up for. 0: the period is none, or there is no worker any more.
  using OnTimer = std::function<void(std::uint64_t id)>;
  [[nodiscard]] std::uint64_t start_timer(Duration period, OnTimer f);
  void stop_timer(std::uint64_t id);

  // Calls f, with what has happened, whenever the descriptor has one of the events: as poll(2) has
  // them, level-triggered; POLLERR and POLLHUP are always among them. The descriptor is duplicated,
  // so that the original may be closed and used again even if that is done too early; nothing of
  // ours is left of it after stop_watch(). 0, with errno: it cannot be watched (a regular file),
  // there are too many descriptors, or events are asked for that there are not.
  // `once`: f is not called again before rearm_watch().
  using OnEvents = std::function<void(std::uint64_t id, short events)>;
  [[nodiscard]] std::uint64_t start_watch(int descriptor, short events, bool once, OnEvents f);
  void rearm_watch(std::uint64_t id);
  void stop_watch(std::uint64_t id);

 private:
  struct TimerEntry {
    Duration period{};
    TimePoint due = kNever;  // the next time; kNever: not known to the worker yet
    std::shared_ptr<const OnTimer> f;
  };
  struct WatchEntry {
    Fd fd;
    std::uint32_t events = 0;
    std::shared_ptr<const OnEvents> f;
  };
  enum class State : std::uint8_t { waiting, attached, detached };

  void on_timer() override;
  void on_events(std::uint32_t events) override;
  void schedule(std::uint64_t id);
  [[nodiscard]] bool begin_watching_locked();
  void watch_locked();
  // One that is due, and its next time settled; no function: none is.
  struct Due {
    std::uint64_t id = 0;
    std::shared_ptr<const OnTimer> f;
  };
  [[nodiscard]] Due take_due(TimePoint now);
  void arm_locked();
  bool call_locked(std::function<void()> f);

  Fd epoll_;               // of all watches; none until there is one
  bool watching_ = false;  // it is on the worker's loop
  LoopWorker worker_;
  std::mutex mutex_;
  State state_ = State::waiting;
  std::vector<std::function<void()>> waiting_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, TimerEntry> timers_;
  std::set<std::pair<TimePoint, std::uint64_t>> due_;
  std::unordered_map<std::uint64_t, WatchEntry> watches_;
};

}  // namespace penstock
