// Active health checks: asking servers whether they work before users find out.
#pragma once

#include "async/task.h"
#include "upstream/next_hop.h"
#include "upstream/pool.h"
#include "upstream/settings.h"

namespace penstock {

// One check, on a connection of its own that does not count among the server's, by the HTTP that
// requests speak; a header of the PROXY protocol says that it is for nobody. True when the server
// answered as `settings` want within their timeout. False also when the check is cancelled.
Task<bool> check_health(ServerPool& pool, const NextHop& hop, const CheckSettings& settings);

}  // namespace penstock
