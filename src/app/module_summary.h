// What a module says of itself, for `penstock module show`.
#pragma once

#include <string>

#include "module/loader.h"

namespace penstock {

// Name, version, summary, interface, events and settings; several lines.
[[nodiscard]] std::string module_summary(const LoadedModule& module);

}  // namespace penstock
