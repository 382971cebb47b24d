// An instance of a module: its callbacks, with one set of settings and the data made of them.
#pragma once

#include <memory>
#include <string>

#include "module/loader.h"
#include "module/services.h"
#include "module/settings.h"
#include "penstock/module.h"

// What C code knows as penstock_instance. Shared by all workers, and by all that has still to call
// something of it; closed by who made it, when the last of these has let it go.
struct penstock_instance {
  std::string name;
  std::shared_ptr<penstock::LoadedModule> module;
  // Never null while callbacks may run.
  std::unique_ptr<penstock::ModuleServices> services;
  void* data = nullptr;  // of the module, from `configure`

  // The callbacks; what the module does not have is null.
  [[nodiscard]] const penstock_module& callbacks() const { return module->callbacks(); }
};

namespace penstock {

using ModuleInstance = penstock_instance;

}  // namespace penstock
