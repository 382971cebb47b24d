"""Penstock with a module that does what requests tell it to (tests/modules/steered.c)."""

import atexit
import functools
import json
import os
import signal
import subprocess
import tempfile
import threading

from harness import BINARY, ScenarioTest, wait_until
from wire import chunk, head_bytes

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
MODULES = os.path.join(os.path.dirname(BINARY), "modules")
FOLDER = tempfile.TemporaryDirectory(prefix="penstock-steered-")
atexit.register(FOLDER.cleanup)


@functools.cache
def steered_module(*options):
    """Compiles it; gives its path."""
    path = os.path.join(FOLDER.name, "steered" + "".join(options) + ".so")
    subprocess.run(["clang-19", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared",
                    "-fPIC", *options, "-I" + os.path.join(ROOT, "include"),
                    os.path.join(ROOT, "tests/modules/steered.c"), "-o", path], check=True)
    return path


def do(**orders):
    """The field by which a request says what is to be done in its events."""
    return "X-Do: " + ",".join(f"{event}={order}" for event, order in orders.items())


class EarlyOrigin:
    """Answers before it has read the request's content: a head and "one", and "two" at the end."""

    def __init__(self, test, begin=True):
        self.begin = threading.Event()
        if begin:
            self.begin.set()
        test.addCleanup(self.begin.set)
        self.contents = []
        self.origin = test.origin(serve=self.serve)

    def serve(self, wire):
        request = wire.read_request_head()
        self.begin.wait(20)
        wire.send(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunk(b"one"))
        self.contents.append(wire.read_body(request).body)
        wire.send(chunk(b"two") + b"0\r\n\r\n")


class SteeredTest(ScenarioTest):
    """`isolation` is for a class derived from it to say."""

    isolation = None

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.calls = os.path.join(self.folder, "calls")
        self.access = os.path.join(self.folder, "access.log")

    def sections(self, *options, filters=None, config=None, module=None, **filter_keys):
        """A module compiled with these options, and filters that ask it: one with filter_keys."""
        return {
            "log": {"access": self.access, "access_format": "json"},
            "module.steered": {"file": steered_module(*options), "isolation": self.isolation}
            | (module or {}) | {"config": {"log": self.calls} | (config or {})},
            "filter": [{"module": "steered"} | keys for keys in filters or [filter_keys]],
        }

    def steered(self, origin, *options, proxy=None, **rest):
        """A reverse proxy with such sections, and those of `proxy`."""
        return self.reverse(origin, **self.sections(*options, **rest), **(proxy or {}))

    def happened(self, *names):
        """What the module was called for, of these events or all."""
        if not os.path.exists(self.calls):
            return []
        with open(self.calls, encoding="utf-8") as file:
            calls = [json.loads(line) for line in file.read().split("\n")[:-1]]
        return [call for call in calls if not names or call["event"] in names]

    def wait_for(self, name, count=1):
        return wait_until(lambda: len(self.happened(name)) >= count and self.happened(name),
                          f"{count} of {name}")

    def assert_nothing_bad(self):
        self.assertEqual(self.happened("bad"), [])

    def names(self, **wanted):
        """The events of a transaction, in order; neighbours of one name are one."""
        names = []
        for call in self.happened():
            if all(call.get(key) == value for key, value in wanted.items()):
                if not names or names[-1] != call["event"]:
                    names.append(call["event"])
        return names

    def records(self, count=1):
        """The lines of the access log, as soon as there are so many."""
        def read():
            if not os.path.exists(self.access):
                return None
            with open(self.access, encoding="utf-8") as file:
                lines = file.read().split("\n")[:-1]
            return len(lines) >= count and [json.loads(line) for line in lines]

        return wait_until(read, f"{count} lines of the access log")

    def said(self, penstock, text):
        return [line for line in penstock.log if text in line]

    def reload(self, penstock, answer="taken over"):
        """SIGHUP; returns when the log says what came of it."""
        before = len(self.said(penstock, answer))
        penstock.signal(signal.SIGHUP)
        wait_until(lambda: len(self.said(penstock, answer)) > before, answer)
