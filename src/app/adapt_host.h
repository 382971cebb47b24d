// The filters and modules of a configuration, and their exchange for those of another one while the
// proxy runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapt/adaptation.h"
#include "async/worker_gate.h"
#include "base/log.h"
#include "config/diagnostic.h"
#include "config/snapshot.h"
#include "module/call.h"
#include "module/loader.h"
#include "module/make_instances.h"
#include "module/watchdog.h"

namespace penstock {

// What workers make their filters of. Shared by all; goes with the last transaction that uses it.
struct AdaptGeneration {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::shared_ptr<ModuleInstance>> instances;  // in the order of the snapshot's
};

class IcapServices;

// What one worker brings.
struct FilterWorker {
  unsigned number = 0;
  std::uint64_t last_id = 0;  // of the transactions of filters before; 0: there were none
  const Executor* executor = nullptr;
  std::shared_ptr<WorkerGate> gate;
  Network* network = nullptr;
  EventLoop* loop = nullptr;
  IcapServices* icap = nullptr;
  WatchdogSlot* slot = nullptr;
  Log* log = nullptr;
};

// The filters of a worker; null where the configuration has none. On that worker's thread, or while
// it does not run.
[[nodiscard]] std::shared_ptr<FilterSet> make_filter_set(
    const std::shared_ptr<const AdaptGeneration>& generation, const FilterWorker& worker);

// Makes generations. Belongs to the main thread; outlives the workers.
class AdaptHost {
 public:
  // `workers`: how many there will be. `log` must outlive it; null where no module has a process.
  AdaptHost(ServicesFactory services, unsigned workers, Log* log)
      : services_(std::move(services)), workers_(workers), log_(log) {}

  // The filters and modules of a snapshot. `path`: of its file, for what is said of it.
  [[nodiscard]] std::expected<std::shared_ptr<const AdaptGeneration>,
                              std::vector<config::Diagnostic>>
  make(const std::shared_ptr<const Snapshot>& snapshot, const std::string& path);
  // Closes instances that are not used any more. To be called now and then.
  void tick() { reaper_.reap(); }
  // Opens log files of modules anew that other processes have.
  void reopen_log_files();
  // At the end: as InstanceReaper::finish(), and the names of those that have not come to rest.
  [[nodiscard]] std::vector<std::string> finish(TimePoint deadline) {
    return reaper_.finish(deadline) ? std::vector<std::string>() : reaper_.unfinished();
  }

 private:
  ServicesFactory services_;
  unsigned workers_;
  Log* log_;
  ModuleLoader loader_{module_api()};
  InstanceReaper reaper_;
  std::vector<std::weak_ptr<ModuleInstance>> in_processes_;
};

}  // namespace penstock
