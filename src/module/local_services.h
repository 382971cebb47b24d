// The services of instances whose callbacks run in the proxy's own process.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "module/blocking_pool.h"
#include "module/callback_strand.h"
#include "module/log_lines.h"
#include "module/metrics.h"
#include "module/module_loop.h"
#include "module/services.h"
#include "module/watchdog.h"

namespace penstock {

// What all instances share. Made before the first of them and before the workers; outlives both.
// One worker, the first, is attached to `loop` while it is there.
struct LocalShare {
  // Starts the watchdog, which sleeps while there are no instances for it.
  explicit LocalShare(Log& to);

  Log& log;
  ModuleMetrics metrics;
  ModuleLogFiles log_files;
  Watchdog watchdog;
  BlockingPool blocking;
  ModuleLoop loop;
};

// Of one instance. What it calls back is called one at a time: on the worker's thread, which must
// not be held, or elsewhere, where the instance has threads of its own.
//
// A timer or watch that is stopped on the thread that calls back is not called any more; one that
// is stopped on another thread may be under way there, or about to be called once more.
class LocalServices final : public ModuleServices {
 public:
  static constexpr std::size_t kMaxTimers = 1024;
  static constexpr std::size_t kMaxWatches = 1024;
  static constexpr std::size_t kMaxSubrequests = 256;  // under way
  static constexpr std::size_t kMaxMetrics = 256;

  // Calls back on the worker's thread. `watched`: how the watchdog knows the instance; null: it
  // does not. Must outlive it, as must `share`.
  LocalServices(LocalShare& share, std::string name, const WatchedInstance* watched)
      : LocalServices(share, std::move(name), watched, {}) {}
  // Calls back on the threads for what blocks.
  struct OnThreads {};
  LocalServices(LocalShare& share, std::string name, OnThreads on_threads);
  // Calls back elsewhere, or where the strand has nowhere else to go.
  LocalServices(LocalShare& share, std::string name, const WatchedInstance* watched,
                CallbackStrand::Elsewhere elsewhere);
  // Ends it.
  ~LocalServices() override;
  LocalServices(const LocalServices&) = delete;
  LocalServices& operator=(const LocalServices&) = delete;

  // Nothing is called back any more when this returns; callbacks and blocking work that are under
  // way are waited for, unless this is called by one of them. The `done` that are still owed are
  // called here, on the calling thread. Nothing new begins; logs and metrics still work, so that an
  // instance that closes may use them.
  void stop() override;

  // A period of 0 is none, and at most 1024 at a time: 0.
  std::uint64_t start_timer(std::uint64_t period_ms, std::function<void()> f) override;
  void stop_timer(std::uint64_t id) override;
  // As ModuleLoop::start_watch(). At most 1024 at a time. A descriptor that is ready all the time
  // and whose function does nothing about it keeps the worker busy, as poll(2) would.
  std::uint64_t start_watch(int descriptor, short events, std::function<void(short)> f) override;
  void stop_watch(std::uint64_t id) override;
  // At most 1024 jobs of all instances wait for one of 8 threads. At the end of the instance the
  // work of those that wait is left out.
  bool run_blocking(std::function<void()> work, std::function<void()> done) override;
  // At most 256 are under way. At the end of the instance they are broken off: "cancelled".
  bool subrequest(SubrequestJob job, std::function<void(SubrequestResult)> done) override;

  void log(int level, std::string_view text) override;
  std::uint64_t open_log_file(const std::string& path) override;
  void write_log_file(std::uint64_t id, std::string_view line) override;
  // At most 256. Counting takes no lock and no memory. "slow_callbacks_total" is the proxy's own
  // name.
  std::uint64_t metric(std::string_view name, std::string_view help) override;
  void add_to_metric(std::uint64_t id, std::int64_t n) override;
  void set_metric(std::uint64_t id, std::int64_t n) override;

 private:
  // What a timer or watch calls, as long as it is not stopped.
  template <class Function>
  struct Callee {
    explicit Callee(Function function) : f(std::move(function)) {}
    const Function f;
    std::atomic<bool> stopped = false;
    std::atomic<bool> queued = false;  // it has yet to be called for the time before
  };
  using TimerCallee = Callee<std::function<void()>>;
  using WatchCallee = Callee<std::function<void(short)>>;

  // Calls of `done` that the instance has yet to get, by number: each is taken out by who makes it.
  class Owed {
   public:
    using Done = std::function<void(SubrequestResult)>;
    std::uint64_t add(Done done);
    // Null: it has been taken.
    Done take(std::uint64_t number);
    std::vector<Done> take_all();

   private:
    std::mutex mutex_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, Done> calls_;
  };

  [[nodiscard]] ModuleMetric* metric_of(std::uint64_t id) const;

  LocalShare& share_;
  const std::string name_;
  const std::shared_ptr<CallbackStrand> strand_;
  const std::shared_ptr<InstanceLog> log_;
  const std::shared_ptr<ModuleMetric> slow_callbacks_;  // so that it is published from the start
  // How many requests are under way; their ends may come after this has gone.
  const std::shared_ptr<std::atomic<std::size_t>> subrequests_;
  const std::shared_ptr<Owed> owed_;

  std::mutex mutex_;
  bool ended_ = false;
  std::unordered_map<std::uint64_t, std::shared_ptr<TimerCallee>> timers_;
  std::unordered_map<std::uint64_t, std::shared_ptr<WatchCallee>> watches_;
  std::unordered_map<std::string, std::uint64_t> metric_ids_;
  std::vector<std::shared_ptr<ModuleMetric>> kept_metrics_;
  // By id, from 1: read without the lock.
  std::array<std::atomic<ModuleMetric*>, kMaxMetrics> metrics_{};
};

}  // namespace penstock
