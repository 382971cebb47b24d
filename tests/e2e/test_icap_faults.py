"""The plan's cases of ICAP servers that fail, break off, or talk nonsense, through Penstock."""

import icap_cases_faults
from icap_penstock import PenstockPlanTest
from icap_plan import plan_tests


@plan_tests(icap_cases_faults.cases)
class FaultsTest(PenstockPlanTest):
    """Each is a test of its own."""
