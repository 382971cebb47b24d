// From the [module.NAME] tables of a configuration to instances whose callbacks may be called.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "module/instance.h"
#include "module/loader.h"
#include "module/schema.h"
#include "module/settings.h"

namespace penstock {

// Closes instances on the thread that made them, whoever was the last to use them.
class InstanceReaper {
 public:
  InstanceReaper() : queue_(std::make_shared<Queue>()) {}
  // All instances must be gone, or never be used again.
  ~InstanceReaper() { reap(); }
  InstanceReaper(const InstanceReaper&) = delete;
  InstanceReaper& operator=(const InstanceReaper&) = delete;

  // The instance, to be closed some time after its last user has let it go.
  [[nodiscard]] std::shared_ptr<ModuleInstance> own(std::unique_ptr<ModuleInstance> instance);
  // Closes those that nobody uses any more.
  void reap();

 private:
  struct Queue {
    std::mutex mutex;
    std::vector<std::unique_ptr<ModuleInstance>> waiting;
  };
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
