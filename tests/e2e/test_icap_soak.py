"""Many users for a while, through an ICAP server that dies now and then: nobody gets anything but
his page, or what the policy says, and nothing is left behind.

PENSTOCK_SOAK_SECONDS says how long each test takes; SOAK_SEED lets users do the same again."""

import contextlib
import dataclasses
import math
import os
import signal
import time
import unittest

from doubles import DoublesTest
from harness import Client, wait_until
from icap_plan import Ask, exchange
from soak import MB, RestartedCIcap, Users, serve

SECONDS = float(os.environ.get("PENSTOCK_SOAK_SECONDS", "10"))
USERS = 20
HEALTHY = 1000  # exchanges between troubles, at least
AWAY = 150  # exchanges while the server is away
WORKERS = 2
PIPES_KEPT = 16


@dataclasses.dataclass
class Trouble:
    """A time: the server was well before `start`, away from `gone` on, and well again at `end`."""

    kind: str
    start: float
    gone: float = math.inf
    end: float = math.inf

    def explains(self, told, closed):
        """An exchange that was not good. If messages may pass without the service, it is to blame
        only for those that it had already begun to answer."""
        if told.whole and told.status not in (502, 503, 504):
            return False
        if not told.whole and told.status != 200:
            return False
        end = self.end if closed else self.gone
        if not closed and not told.has_content:
            return False
        return told.began < end and told.ended > self.start


class SoakTest(DoublesTest):
    # Memory would not be flat otherwise.
    environment = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}

    def soak(self, on_failure):
        self.closed = on_failure == "closed"
        self.seed = os.environ.get("SOAK_SEED") or str(time.time_ns())
        self.troubles, self.failures = [], []
        self.server = self.enterContext(RestartedCIcap("echo", threads=80))
        self.origin_server = self.origin(serve=serve(self.failures))
        self.proxy = self.forward(
            workers={"count": WORKERS}, timeouts={"server_idle": "500ms"},
            filter=[{"name": "all", "icap": "echo", "on_failure": on_failure}],
            **{"icap.echo": {"url": self.server.uri("echo"), "timeout": "2s"},
               "icap.echo.pool": {"idle": "500ms"},
               "icap.echo.breaker": {"retry_after": "50ms", "max_retry_after": "100ms"}})
        sockets = self.proxy.sockets()
        self.load(0.5, ())  # what is made once is made by the first exchanges, and stays
        before = self.descriptors_when_idle(sockets)
        first, last, users = self.load(SECONDS, (self.kill, self.terminate, self.freeze))
        self.assertLess(last, first * 1.25 + 32 * MB, f"bytes of memory; {first} after a third")
        self.assertEqual(self.descriptors_when_idle(sockets), before)
        self.report(users, first, last)

    def report(self, users, first, last):
        if "PENSTOCK_SOAK_SECONDS" in os.environ:
            print(f"\n{users.asked} exchanges, {len(users.bad)} of them not good, "
                  f"{self.seconds_well(users):.0f} s without trouble, "
                  f"{len(self.troubles)} troubles, {first >> 20} and {last >> 20} MiB", flush=True)

    def seconds_well(self, users):
        return users.lasted - sum(trouble.end - trouble.start for trouble in self.troubles)

    def descriptors_when_idle(self, sockets):
        wait_until(lambda: self.server.connections() == 0, "no connection to c-icap")
        wait_until(lambda: self.proxy.sockets() <= sockets, "no connection at all")
        descriptors = sorted(self.descriptors())
        # Some are kept for contents that go from one socket to another.
        self.assertLess(descriptors.count("pipe:"), 2 * WORKERS * PIPES_KEPT + 10)
        return [name for name in descriptors if name != "pipe:"]

    def descriptors(self):
        """What they are of, without their numbers."""
        folder = f"/proc/{self.proxy.process.pid}/fd"
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                yield os.readlink(os.path.join(folder, name)).partition("[")[0]

    def load(self, seconds, troubles):
        """How much memory there was after a third of the time, and in the end; and the users."""
        users = Users(self.proxy.address, self.origin_server.url, USERS, self.seed)
        began, first, turn = time.monotonic(), None, 0
        try:
            while not users.errors and (time.monotonic() < began + seconds
                                        or turn < len(troubles)):
                users.wait_for_more(HEALTHY)
                self.assertLess(self.server.connections(), 4 * USERS)
                if troubles:
                    self.go_through(troubles[turn % len(troubles)], users)
                    turn += 1
                if first is None and time.monotonic() > began + seconds / 3:
                    first = self.proxy.memory()
            last = self.proxy.memory()
        finally:
            users.stop()
        self.judge(users)
        return first or last, last, users

    def judge(self, users):
        seed = f"SOAK_SEED={self.seed}"
        self.assertEqual(users.errors[:5] + self.failures[:5], [], seed)
        unexplained = [told for told in users.bad if not told.right or not any(
            trouble.explains(told, self.closed) for trouble in self.troubles)]
        self.assertEqual(unexplained[:5], [], f"{len(unexplained)} of {users.asked}, {seed}, "
                         f"{self.troubles}")
        for trouble in self.troubles:
            if not self.closed:
                self.assertGreater(users.served_within(trouble.gone, trouble.end), 0, trouble)
        if self.closed and self.troubles:
            self.assertGreater(len(users.bad), 0)

    # Troubles.

    def go_through(self, trouble, users):
        now = Trouble(trouble.__name__, time.monotonic())
        self.troubles.append(now)
        trouble(now, users)
        # It is used again: the users' exchanges may have been before it was.
        wait_until(lambda: self.server.connections() > 0 or users.errors, "it to be used again")
        wait_until(lambda: self.is_well() or users.errors, "pages again")
        now.end = time.monotonic()

    def is_well(self):
        client = Client(self.proxy.address)
        try:
            result = exchange(client, Ask("/probe/100/length/0"), self.origin_server.url)
        finally:
            client.close()
        return result.status == 200 and result.ended == "whole"

    def away(self, now, users):
        now.gone = time.monotonic()
        users.wait_for_more(AWAY)

    def kill(self, now, users):
        self.server.put_down(signal.SIGKILL)
        self.away(now, users)
        self.server.start_again()

    def terminate(self, now, users):
        self.server.put_down(signal.SIGTERM)
        self.away(now, users)
        self.server.start_again()

    def freeze(self, now, users):
        """It neither answers nor ends."""
        self.server.freeze()
        users.wait_for_more(AWAY)
        self.server.thaw()
        now.gone = time.monotonic()
        users.wait_for_more(AWAY)

    def test_nothing_without_it(self):
        self.soak("closed")

    def test_without_it_where_need_be(self):
        self.soak("open")


if __name__ == "__main__":
    unittest.main()
