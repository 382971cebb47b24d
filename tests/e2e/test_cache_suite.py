"""The public test suite of HTTP caches, through Penstock as a reverse and as a forward proxy; what it
is to say stands in tests/cache-suite/expected.toml."""

import collections
import os
import tomllib
import unittest

from cache_suite import DRIVER, PENSTOCK_CACHE, SuiteServer, run_suite
from harness import ScenarioTest
from real_caches import SquidCache


def expectations():
    with open(os.path.join(DRIVER, "expected.toml"), "rb") as file:
        return tomllib.load(file)


def surprises(cases, expected):
    """What came out otherwise than expected, a line each."""
    excused, answers = expected["excused"], expected["answers"]
    lines = [f"there is no test {name}" for name in [*excused, *answers] if name not in cases]
    for case in cases.values():
        passed = case.outcome == "pass"
        if case.kind == "check":
            wrong = case.id in answers and passed != answers[case.id]
        else:
            wrong = passed == (case.id in excused)
        if wrong:
            lines.append(f"{case.kind} {case.id}: {case.outcome} {case.reason}".rstrip())
    return lines


class PenstockTest(ScenarioTest):
    def test_both_ways(self):
        server = self.enterContext(SuiteServer())
        proxies = {"reverse": self.reverse(server, cache=PENSTOCK_CACHE),
                   "forward": self.forward(cache=PENSTOCK_CACHE)}
        reports = run_suite(server, {mode: proxy.address for mode, proxy in proxies.items()})
        expected = expectations()
        for mode, cases in reports.items():
            with self.subTest(mode):
                found = surprises(cases, expected)
                self.assertFalse(found, f"{len(found)} surprises:\n" + "\n".join(found))


class DriverTest(unittest.TestCase):
    """What drives the suite tells a cache from none, by some tests of it."""

    TESTS = {"freshness-none": "required to judge others",
             "freshness-max-age": "stored", "freshness-max-age-0": "not stored",
             "freshness-max-age-age": "depends on freshness-max-age",
             "headers-store-Test-Header": "wants a stored response to look at"}

    def outcomes(self, server, proxies):
        reports = run_suite(server, proxies, self.TESTS)
        for cases in reports.values():
            self.assertEqual(cases.keys(), self.TESTS.keys())
        return [{name: case.outcome for name, case in cases.items()} for cases in reports.values()]

    def test_a_cache(self):
        with SuiteServer() as server, SquidCache(server.address) as reverse, \
                SquidCache(server.address, "forward") as forward:
            found = self.outcomes(server, {"reverse": reverse.address, "forward": forward.address})
        self.assertEqual(found, [dict.fromkeys(self.TESTS, "pass")] * 2)

    def test_no_cache(self):
        with SuiteServer() as server:
            found = self.outcomes(server, {"reverse": server.address})
        self.assertEqual(found, [{
            "freshness-none": "pass",
            "freshness-max-age": "fail",
            "freshness-max-age-0": "pass",
            "freshness-max-age-age": "dependency",
            "headers-store-Test-Header": "setup"}])

    def test_surprises(self):
        Case = collections.namedtuple("Case", "id kind outcome reason")
        cases = {name: Case(name, kind, outcome, "") for name, kind, outcome in (
            ("a", "required", "pass"), ("b", "required", "fail"), ("c", "optimal", "setup"),
            ("d", "check", "pass"), ("e", "check", "fail"), ("f", "required", "fail"),
            ("g", "optimal", "pass"))}
        expected = {"excused": {"f": "why", "g": "why"}, "answers": {"d": False, "h": True}}
        self.assertEqual(surprises(cases, expected),
                         ["there is no test h", "required b: fail", "optimal c: setup",
                          "check d: pass", "optimal g: pass"])


if __name__ == "__main__":
    unittest.main()
