#include "module/local_services.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace penstock {
namespace {

constexpr std::string_view kSlowCallbacks = "slow_callbacks_total";
constexpr std::string_view kSlowCallbacksHelp =
    "Callbacks that held a worker for longer than the watchdog allows.";
constexpr Duration kLogSecond = std::chrono::seconds(1);

}  // namespace

LocalShare::LocalShare(Log& to)
    : log(to),
      watchdog([this](std::string_view line) { log.warning("{}", line); },
               [this](std::string_view instance) {
                 metrics.get(instance, kSlowCallbacks, kSlowCallbacksHelp)->add(1);
               }) {
  watchdog.start();
}

LocalServices::LocalServices(LocalShare& share, std::string name, const WatchedInstance* watched,
                             CallbackStrand::Elsewhere elsewhere)
    : share_(share),
      name_(std::move(name)),
      strand_(std::make_shared<CallbackStrand>(watched, std::move(elsewhere))),
      log_(std::make_shared<InstanceLog>(name_, share.log, share.log_files)),
      slow_callbacks_(watched != nullptr
                          ? share.metrics.get(name_, kSlowCallbacks, kSlowCallbacksHelp)
                          : nullptr),
      subrequests_(std::make_shared<std::atomic<std::size_t>>(0)),
      owed_(std::make_shared<Owed>()) {}

// The end of the strand comes before that of the jobs: then none is handed over any more.
LocalServices::LocalServices(LocalShare& share, std::string name, OnThreads /*on_threads*/)
    : LocalServices(share, std::move(name), nullptr,
                    [&pool = share.blocking, owner = this](CallbackStrand::Call f) {
                      pool.run_anyway(owner, std::move(f));
                    }) {}

LocalServices::~LocalServices() {
  stop();
  log_->say_left_out(kNever);
}

void LocalServices::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
  }
  strand_->end();
  share_.blocking.end(this);
  for (const auto& [id, callee] : timers_) share_.loop.stop_timer(id);
  for (const auto& [id, callee] : watches_) share_.loop.stop_watch(id);
  // What it has asked for comes to the worker before this does.
  share_.loop.call([&loop = share_.loop, owner = this] {
    if (loop.worker().subrequests != nullptr) loop.worker().subrequests->cancel(owner);
  });
  // The module may have given them what they are to free.
  SubrequestResult cancelled;
  cancelled.error = "cancelled";
  for (const Owed::Done& done : owed_->take_all()) done(cancelled);
}

std::uint64_t LocalServices::Owed::add(Done done) {
  const std::lock_guard lock(mutex_);
  calls_.emplace(++last_, std::move(done));
  return last_;
}

LocalServices::Owed::Done LocalServices::Owed::take(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto node = calls_.extract(number);
  return node ? std::move(node.mapped()) : Done();
}

std::vector<LocalServices::Owed::Done> LocalServices::Owed::take_all() {
  std::map<std::uint64_t, Done> calls;
  {
    const std::lock_guard lock(mutex_);
    calls.swap(calls_);
  }
  std::vector<Done> all;
  for (auto& [number, done] : calls) all.push_back(std::move(done));
  return all;
}

std::uint64_t LocalServices::start_timer(std::uint64_t period_ms, std::function<void()> f) {
  // About a century: what is longer would not be a duration any more.
  constexpr std::uint64_t kLongest = std::uint64_t{100} * 365 * 86'400'000;
  const auto period = std::chrono::milliseconds(std::min(period_ms, kLongest));
  auto callee = std::make_shared<TimerCallee>(std::move(f));
  const std::lock_guard lock(mutex_);
  if (ended_ || timers_.size() >= kMaxTimers) return 0;
  const std::uint64_t id = share_.loop.start_timer(
      period, [strand = strand_, callee, &loop = share_.loop](std::uint64_t /*id*/) {
        // Where it could not be called for the time before, once is enough.
        if (callee->queued.exchange(true)) return;
        strand->run(
            ModuleEvent::timer,
            [callee] {
              callee->queued = false;
              if (!callee->stopped) callee->f();
            },
            loop.worker().slot);
      });
  if (id != 0) timers_.emplace(id, std::move(callee));
  return id;
}

void LocalServices::stop_timer(std::uint64_t id) {
  std::shared_ptr<TimerCallee> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = timers_.find(id);
  if (ended_ || at == timers_.end()) return;
  share_.loop.stop_timer(id);
  dropped = std::move(at->second);
  dropped->stopped = true;
  timers_.erase(at);
}

std::uint64_t LocalServices::start_watch(int descriptor, short events,
                                         std::function<void(short)> f) {
  auto callee = std::make_shared<WatchCallee>(std::move(f));
  const bool once = strand_->elsewhere();
  const std::lock_guard lock(mutex_);
  if (ended_ || watches_.size() >= kMaxWatches) return 0;
  const std::uint64_t id = share_.loop.start_watch(
      descriptor, events, once,
      [strand = strand_, callee, once, &loop = share_.loop](std::uint64_t own, short seen) {
        strand->run(
            ModuleEvent::watch,
            [callee, own, seen, once, &loop] {
              if (callee->stopped) return;
              callee->f(seen);
              if (once) loop.rearm_watch(own);
            },
            loop.worker().slot);
      });
  if (id != 0) watches_.emplace(id, std::move(callee));
  return id;
}

void LocalServices::stop_watch(std::uint64_t id) {
  std::shared_ptr<WatchCallee> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = watches_.find(id);
  if (ended_ || at == watches_.end()) return;
  share_.loop.stop_watch(id);
  dropped = std::move(at->second);
  dropped->stopped = true;
  watches_.erase(at);
}

bool LocalServices::run_blocking(std::function<void()> work, std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  if (!done) return share_.blocking.run(this, std::move(work), {});
  const std::uint64_t number =
      owed_->add([done = std::move(done)](const SubrequestResult& /*result*/) { done(); });
  const auto tell = [strand = strand_, owed = owed_, number, &loop = share_.loop] {
    const auto call = [owed, number] {
      if (const Owed::Done due = owed->take(number)) due({});
    };
    loop.call([strand, call, &loop] {
      strand->run(ModuleEvent::blocking_done, call, loop.worker().slot);
    });
  };
  if (share_.blocking.run(this, std::move(work), tell)) return true;
  static_cast<void>(owed_->take(number));
  return false;
}

bool LocalServices::subrequest(SubrequestJob job, std::function<void(SubrequestResult)> done) {
  const std::lock_guard lock(mutex_);
  if (ended_ || subrequests_->load() >= kMaxSubrequests) return false;
  subrequests_->fetch_add(1);
  const std::uint64_t number = owed_->add(std::move(done));
  auto finish = [strand = strand_, owed = owed_, count = subrequests_, number,
                 &loop = share_.loop](SubrequestResult result) {
    count->fetch_sub(1);
    strand->run(
        ModuleEvent::subrequest_done,
        [owed, number, shared = std::make_shared<SubrequestResult>(std::move(result))] {
          if (const Owed::Done due = owed->take(number)) due(std::move(*shared));
        },
        loop.worker().slot);
  };
  const bool taken = share_.loop.call([&loop = share_.loop, owner = this, job = std::move(job),
                                       finish = std::move(finish)] mutable {
    SubrequestRunner* const runner = loop.worker().subrequests;
    if (runner != nullptr) {
      runner->start(owner, std::move(job), std::move(finish));
    } else {
      finish({.status = 0, .error = "unavailable", .fields = {}, .content = {}});
    }
  });
  if (taken) return true;
  subrequests_->fetch_sub(1);
  static_cast<void>(owed_->take(number));
  return false;
}

void LocalServices::log(int level, std::string_view text) {
  if (!log_->write(level, text, monotonic_now())) return;
  // Nothing more may come that would say it.
  static_cast<void>(
      share_.loop.start_timer(kLogSecond, [log = log_, &loop = share_.loop](std::uint64_t id) {
        if (log->say_left_out(monotonic_now())) loop.stop_timer(id);
      }));
}

std::uint64_t LocalServices::open_log_file(const std::string& path) {
  return log_->open_file(path);
}

void LocalServices::write_log_file(std::uint64_t id, std::string_view line) {
  log_->write_file(id, line);
}

std::uint64_t LocalServices::metric(std::string_view name, std::string_view help) {
  if (name == kSlowCallbacks) return 0;
  const std::lock_guard lock(mutex_);
  const std::string key(name);
  if (const auto at = metric_ids_.find(key); at != metric_ids_.end()) return at->second;
  if (kept_metrics_.size() == kMaxMetrics) return 0;
  auto metric = share_.metrics.get(name_, name, help);
  if (!metric) return 0;
  metrics_[kept_metrics_.size()].store(metric.get(), std::memory_order_release);
  kept_metrics_.push_back(std::move(metric));
  metric_ids_.emplace(key, kept_metrics_.size());
  return kept_metrics_.size();
}

ModuleMetric* LocalServices::metric_of(std::uint64_t id) const {
  return id - 1 < metrics_.size() ? metrics_[id - 1].load(std::memory_order_acquire) : nullptr;
}

void LocalServices::add_to_metric(std::uint64_t id, std::int64_t n) {
  if (ModuleMetric* const metric = metric_of(id)) metric->add(n);
}

void LocalServices::set_metric(std::uint64_t id, std::int64_t n) {
  if (ModuleMetric* const metric = metric_of(id)) metric->set(n);
}

}  // namespace penstock
