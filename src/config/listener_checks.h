// Whether listeners get on with each other, and routes with the listeners they are for.
#pragma once

#include <string_view>

#include "config/draft.h"
#include "config/report.h"

namespace penstock::config {

// Errors: addresses that one of two listeners takes away from the other.
void check_wildcard_addresses(const Draft& draft, Report& report);
// Why no listener brings anything to a route; empty where one does, or where none has the mode for
// routes of its kind.
[[nodiscard]] std::string_view why_out_of_reach(const Snapshot& snapshot,
                                                const RouteSettings& route);

}  // namespace penstock::config
