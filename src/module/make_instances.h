// From the [module.NAME] tables of a configuration to instances whose callbacks may be called.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/time.h"
#include "module/instance.h"
#include "module/loader.h"
#include "module/schema.h"
#include "module/settings.h"

namespace penstock {

// Closes instances on the thread that made them, whoever was the last to use them. What their
// callbacks still do beside that thread is waited for by other threads.
class InstanceReaper {
 public:
  InstanceReaper() : queue_(std::make_shared<Queue>()) {}
  // All instances must be gone, or never be used again. Waits as long as it takes.
  ~InstanceReaper() { static_cast<void>(finish(kNever)); }
  InstanceReaper(const InstanceReaper&) = delete;
  InstanceReaper& operator=(const InstanceReaper&) = delete;

  // The instance, to be closed some time after its last user has let it go.
  [[nodiscard]] std::shared_ptr<ModuleInstance> own(std::unique_ptr<ModuleInstance> instance);
  // Closes those that nobody uses any more and that have come to rest. To be called now and then.
  void reap();
  // Until all of those are closed. False: some have not come to rest until then, and go on using
  // what they have: this must not be destroyed.
  [[nodiscard]] bool finish(TimePoint deadline);
  // The names of those that have yet to come to rest.
  [[nodiscard]] std::vector<std::string> unfinished() const;

 private:
  using Instances = std::vector<std::unique_ptr<ModuleInstance>>;
  struct Queue {
    std::mutex mutex;
    std::condition_variable changed;
    Instances let_go;  // by their last user
    std::vector<std::string> coming_to_rest;
    Instances at_rest;
  };
  static void bring_to_rest(const std::shared_ptr<Queue>& queue,
                            std::unique_ptr<ModuleInstance> instance);
  std::shared_ptr<Queue> queue_;
};

struct MadeInstances {
  // In the order of the settings; empty where something is wrong.
  std::vector<std::shared_ptr<ModuleInstance>> instances;
  std::vector<ModuleProblem> problems;
};

// What an instance works with beside its callbacks. May fill in how the watchdog knows it.
using ServicesFactory = std::function<std::unique_ptr<ModuleServices>(const ModuleSettings& of,
                                                                      ModuleInstance& instance)>;

// Loads the modules, checks their tables, and calls `configure` of each. All that is wrong is told.
// To be called on one thread, always the same.
[[nodiscard]] MadeInstances make_instances(const ModulesSettings& settings, ModuleLoader& loader,
                                           InstanceReaper& reaper, const ServicesFactory& services);

}  // namespace penstock
