"""The plan's cases in which an ICAP service does its work, through Penstock."""

import icap_cases
from icap_penstock import PenstockPlanTest
from icap_plan import plan_tests


@plan_tests(icap_cases.adaptations)
class AdaptationsTest(PenstockPlanTest):
    """Each is a test of its own."""


@plan_tests(icap_cases.adaptations, lambda case: case.ask.method != "CONNECT")
class OtherSidesTest(PenstockPlanTest):
    """The same where messages are at the other side; tunnels have no such side."""

    at = {"REQMOD": "server", "RESPMOD": "client"}
