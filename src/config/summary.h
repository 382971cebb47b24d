// What a configuration comes to, on one screen.
#pragma once

#include <string>

#include "config/snapshot.h"

namespace penstock::config {

// Listeners, routes and groups, a line each; then every other value, defaults included.
[[nodiscard]] std::string summary(const Snapshot& snapshot);

}  // namespace penstock::config
