"""The plan's cases of connections to ICAP servers, of OPTIONS, and of more than one service,
through Penstock."""

import icap_cases_pools
from icap_penstock import PenstockPlanTest
from icap_plan import plan_tests


# There is no cache.
@plan_tests(icap_cases_pools.cases, lambda case: not case.settings.cache)
class ConnectionsTest(PenstockPlanTest):
    """Each is a test of its own."""
