// Active health checks: asking servers whether they work before users find out.
#pragma once

#include "async/task.h"
#include "upstream/next_hop.h"
#include "upstream/pool.h"
#include "upstream/settings.h"

namespace penstock {

// One check, on a connection of its own that does not count among the server's: true when the
// server answered as `settings` want within their timeout. False also when the check is cancelled.
Task<bool> check_health(ServerPool& pool, const NextHop& hop, const CheckSettings& settings);

}  // namespace penstock
