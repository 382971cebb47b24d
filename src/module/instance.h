// An instance of a module: its callbacks, with one set of settings and the data made of them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "module/helpers.h"
#include "module/loader.h"
#include "module/services.h"
#include "module/settings.h"
#include "module/watchdog.h"
#include "penstock/module.h"

namespace penstock {

// Something of an instance's services that C code holds a pointer to: a timer, a metric.
struct ServiceHandle {
  virtual ~ServiceHandle() = default;
  penstock_instance* instance = nullptr;
  std::uint64_t id = 0;
};

}  // namespace penstock

// What C code knows as penstock_instance. Shared by all workers, and by all that has still to call
// something of it; closed by who made it, when the last of these has let it go.
struct penstock_instance {
  std::string name;
  std::shared_ptr<penstock::LoadedModule> module;
  // Never null while callbacks may run.
  std::unique_ptr<penstock::ModuleServices> services;
  // Where its callbacks run; null for inline.
  std::unique_ptr<penstock::ModuleHelpers> helpers;
  penstock::WatchedInstance watched;
  bool configured = false;  // `close` is to be called
  void* data = nullptr;     // of the module, from `configure`

  // The callbacks; what the module does not have is null.
  [[nodiscard]] const penstock_module& callbacks() const { return module->callbacks(); }

  // What C code may hold until it is dropped or the instance ends; null for the id 0. From any
  // thread.
  template <class Handle>
  Handle* keep(std::uint64_t id) {
    if (id == 0) return nullptr;
    const std::lock_guard lock(mutex);
    return make_handle<Handle>(id);
  }
  // The same one for the same id: for what may be asked for again and again.
  template <class Handle>
  Handle* keep_one(std::uint64_t id) {
    if (id == 0) return nullptr;
    const std::lock_guard lock(mutex);
    for (const auto& handle : handles) {
      auto* const known = dynamic_cast<Handle*>(handle.get());
      if (known != nullptr && known->id == id) return known;
    }
    return make_handle<Handle>(id);
  }
  void drop(const penstock::ServiceHandle& handle) {
    const std::lock_guard lock(mutex);
    handles.remove_if([&handle](const auto& one) { return one.get() == &handle; });
  }

  std::mutex mutex;
  std::list<std::unique_ptr<penstock::ServiceHandle>> handles;

 private:
  template <class Handle>
  Handle* make_handle(std::uint64_t id) {
    auto handle = std::make_unique<Handle>();
    handle->instance = this;
    handle->id = id;
    Handle* const made = handle.get();
    handles.push_back(std::move(handle));
    return made;
  }
};

namespace penstock {

using ModuleInstance = penstock_instance;

}  // namespace penstock
