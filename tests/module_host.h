// For tests: modules that are part of the test, in filters.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "adapt/adaptation.h"
#include "module/idle_services.h"
#include "module/inline_caller.h"
#include "module/loader.h"
#include "module/module_filter.h"
#include "sim/world.h"

namespace penstock::module_test {

// Instances of modules, and the filters of them. What they are called for runs on one thread.
class ModuleHost {
 public:
  // `log`: for failures; may be null.
  explicit ModuleHost(SimWorld& world, Log* log = nullptr)
      : world_(&world),
        log_(log),
        thread_(std::this_thread::get_id()),
        gate_(
            std::make_shared<WorkerGate>([this](std::function<void()> f) { take(std::move(f)); })) {
  }
  ~ModuleHost() { gate_->close(); }
  ModuleHost(const ModuleHost&) = delete;
  ModuleHost& operator=(const ModuleHost&) = delete;

  // An instance of a module with its filter, behind those that are there. `data`: what it gets.
  // Must outlive this.
  void add(const penstock_module& module, void* data, FilterSettings settings = {},
           std::uint64_t hold_limit = std::uint64_t{16} * 1024 * 1024) {
    auto loaded = loader_.add(module);
    ASSERT_TRUE(loaded) << loaded.error();
    auto instance = std::make_shared<ModuleInstance>();
    instance->name = "test";
    instance->module = *loaded;
    instance->services = std::make_unique<IdleServices>();
    instance->data = data;
    if (settings.name.empty()) settings.name = "filter " + std::to_string(places_.size() + 1);
    places_.push_back({std::move(instance), std::move(settings), hold_limit});
  }
  // For the transactions of a worker that begin from now on.
  [[nodiscard]] std::shared_ptr<FilterSet> make_set(unsigned worker = 0) {
    std::vector<FilterPlace> places;
    for (Place& place : places_) {
      auto caller =
          std::make_unique<InlineCaller>(place.instance, place.hold_limit, gate_, nullptr);
      places.push_back(
          {.filter = std::make_unique<ModuleFilter>(std::move(caller), place.settings.at),
           .settings = &place.settings});
    }
    return std::make_shared<FilterSet>(nullptr, std::move(places), worker, world_->executor(),
                                       log_);
  }
  // Runs what other threads have asked for.
  void run_posted() {
    std::vector<std::function<void()>> posted;
    {
      const std::lock_guard lock(mutex_);
      posted.swap(posted_);
    }
    for (auto& f : posted) world_->call_at(world_->now(), std::move(f));
  }
  [[nodiscard]] WorkerGate& gate() { return *gate_; }

 private:
  struct Place {
    std::shared_ptr<ModuleInstance> instance;
    FilterSettings settings;
    std::uint64_t hold_limit;
  };
  void take(std::function<void()> f) {
    if (std::this_thread::get_id() == thread_) {
      world_->call_at(world_->now(), std::move(f));
      return;
    }
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(f));
  }

  SimWorld* world_;
  Log* log_;
  ModuleLoader loader_{module_api()};
  std::thread::id thread_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::shared_ptr<WorkerGate> gate_;
  std::list<Place> places_;
};

}  // namespace penstock::module_test
