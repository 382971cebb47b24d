"""The plan's cases in which an ICAP service does its work, through Penstock."""

import icap_cases
from icap_penstock import PenstockPlanTest
from icap_plan import plan_tests


@plan_tests(icap_cases.adaptations)
class AdaptationsTest(PenstockPlanTest):
    """Each is a test of its own."""
