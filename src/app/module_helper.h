// The helper process of a module.
#pragma once

#include <string>

namespace penstock {

// `penstock module-helper SETTINGS`, as the proxy starts it: see module/helpers.h.
struct ModuleHelperCommand {
  std::string settings;
};

// Runs callbacks until the proxy has no more of them. Returns an exit code.
[[nodiscard]] int module_helper_command(const ModuleHelperCommand& command);

}  // namespace penstock
