"""The plan for proxies with ICAP services, carried out with Squid for the proxy: of the cases,
those that it gets right."""

import dataclasses
import unittest

import icap_cases
from icap_plan import (BODY, Aborted, Adapted, Either, IcapPlanTest, Refused, Run, Sent, Virgin,
                       plan_tests)
from real_servers import Squid

POINTS = {"REQMOD": "reqmod_precache", "RESPMOD": "respmod_precache"}
RIGHT = (1, 2, 3, 4, 5, 6, 7, 13, 15, 27)


class IcapSquid(Squid):
    """Squid as a client of one service, or of a chain."""

    def __init__(self, services):
        super().__init__()
        self.services = services

    def prepare(self):
        super().prepare()
        names = [f"service{number}" for number in range(len(self.services))]
        services = [f"icap_service {name} {POINTS[service.point]} "
                    f"bypass={int(service.policy == 'optional')} {service.uri}"
                    for name, service in zip(names, self.services)]
        self.write("squid.conf", self.read("squid.conf") + "\n".join([
            "icap_enable on",
            "icap_preview_enable on",
            "icap_persistent_connections on",
            "icap_service_failure_limit -1",
            *services,
            f"adaptation_service_chain all {' '.join(names)}",
            "adaptation_access all allow all", ""]))


class SquidTest(IcapPlanTest):
    def start_proxy(self, services, settings):
        return self.enterContext(IcapSquid(services))


@plan_tests(icap_cases.cases, lambda case: case.number in RIGHT)
class CasesTest(SquidTest):
    """Each is a test of its own."""


class JudgingTest(SquidTest):
    """What comes is told from what does not."""

    def run_with(self, name, outcome):
        case = next(case for case in icap_cases.cases() if case.name == name)
        Run(self, dataclasses.replace(case, essential=outcome), "essential").run()

    def test_outcomes_of_a_response(self):
        right = Adapted(BODY.swapcase())
        for outcome in (right, Either(Refused(), right)):
            self.run_with("body length", outcome)
        for wrong, why in ((Virgin(), "its body"), (Refused(), "200 instead"),
                           (Aborted(), "not cut off"), (Adapted(BODY, 299), "instead of .299"),
                           (Adapted(right.body, present=("X-A: b",)), "no 'X-A: b'"),
                           (Adapted(right.body, absent=("Content-Length",)), "Content-Length in"),
                           (Adapted(right.body, untouched=True), "was asked"),
                           (Either(Virgin(), Refused()), "(?s)Virgin: .*Refused: ")):
            with self.subTest(wrong), self.assertRaisesRegex(AssertionError, why):
                self.run_with("body length", wrong)

    def test_outcomes_of_a_request(self):
        right = Sent(body=BODY * 9, absent=("X-A",))
        self.run_with("grown", right)
        for wrong, why in ((Virgin(), "its body"), (Sent(method="PUT"), "instead of 'PUT'"),
                           (Sent(path="/control"), "its body"),
                           (dataclasses.replace(right, present=("X-A: b",)), "no 'X-A: b'"),
                           (dataclasses.replace(right, absent=("Host",)), "Host in")):
            with self.subTest(wrong), self.assertRaisesRegex(AssertionError, why):
                self.run_with("grown", wrong)

    def test_broken_responses(self):
        broken = Either(Aborted(), Refused())
        self.run_with("RESPMOD reset chunk no length", broken)
        with self.assertRaisesRegex(AssertionError, "instead of"):
            self.run_with("RESPMOD reset chunk no length", Virgin())

    def test_a_chain(self):
        self.run_with("chain of requests", Sent(body=BODY + b"onetwo"))

    def test_names(self):
        cases = list(icap_cases.cases())
        self.assertEqual(sorted({case.number for case in cases}),
                         [number for number in range(1, 37)])
        self.assertEqual(len({(case.number, case.name) for case in cases}), len(cases))
        for case in cases:
            self.assertTrue(case.drive or (case.essential and (case.script or case.services)), case)


if __name__ == "__main__":
    unittest.main()
