// What a configuration comes to, on one screen.
#pragma once

#include <string>

#include "config/snapshot.h"

namespace penstock::config {

// Listeners, routes, groups, peers and credentials, a line each, without secrets; then every other
// value, defaults included.
[[nodiscard]] std::string summary(const Snapshot& snapshot);

}  // namespace penstock::config
