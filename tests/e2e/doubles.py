"""Servers that play their part under the test's command: what they have in common, and an origin
with health. See doubles_login.py, doubles_proxy.py and doubles_dns.py for the others, and
real_servers.py for programs that others wrote."""

import collections
import dataclasses
import os
import shutil
import socket
import subprocess
import threading

from harness import Origin, ScenarioTest
from wire import Cut, response_bytes


CURL = shutil.which("curl")
# For curl: puts the status behind the content.
STATUS = ["--write-out", " %{http_code}"]


class DoublesTest(ScenarioTest):
    """A scenario with doubles, and with curl as the client."""

    def double(self, double):
        self.addCleanup(double.stop)
        return double

    def curl(self, *arguments, code=0):
        """What it put out; `code` is the exit code that is wanted. Skips where there is no curl."""
        if not CURL:
            self.skipTest("curl is not installed")
        plain = {key: value for key, value in os.environ.items()
                 if not key.lower().endswith("_proxy")}
        result = subprocess.run([CURL, "-q", "-sS", "--max-time", "30", *arguments], env=plain,
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stdout


class Double(Origin):
    """An origin whose waiting for requests is known, so that idle connections can be ended."""

    def __init__(self, answer=response_bytes(), **options):
        self.stopping = threading.Event()
        super().__init__(answer, **options)

    def serve_requests(self, wire):
        while not wire.closed:
            wire.idle = True
            request = wire.read_request()
            wire.idle = False
            request.connection = wire.number
            self.requests.append(request)
            answer = self.answer(request, wire) if callable(self.answer) else self.answer
            if answer:
                wire.send(answer)

    @property
    def idle_connections(self):
        """Those on which it waits for a request."""
        return [wire for wire in self.connections if getattr(wire, "idle", False)
                and not wire.closed]

    def close_idle(self):
        """Ends them as a server's idle limit would; how many there were."""
        idle = self.idle_connections
        for wire in idle:
            wire.break_off()
        return len(idle)

    def refuse_connections(self):
        """New connections are refused until accept_connections(); the port stays ours. Those that
        are open go on."""
        if not self.listening():
            return
        name = self.listener.getsockname()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(name)
        self.listener = held

    def accept_connections(self):
        if self.listening():
            return
        self.listener.listen(128)
        threading.Thread(target=self.accept, daemon=True).start()

    def listening(self):
        return bool(self.listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def hang(self):
        """Stays silent as long as the double lives; for the thread of a connection."""
        self.stopping.wait()
        raise Cut("the test is over")

    def stop(self):
        self.stopping.set()
        super().stop()


def pump(source, to):
    """Moves bytes to the other wire up to the end, and passes that on."""
    try:
        while True:
            data, source.buffer = source.buffer, b""
            if data:
                to.send(data)
            source.fill()
    except Cut as cut:
        if str(cut) == "reset":
            to.break_off()
            return
    except OSError:
        pass
    try:
        to.finish_sending()
    except OSError:
        pass


def join(one, other):
    """A tunnel between two wires, until both directions have ended."""
    for wire in (one, other):
        wire.socket.settimeout(None)
    thread = threading.Thread(target=pump, args=(other, one), daemon=True)
    thread.start()
    pump(one, other)
    thread.join()


@dataclasses.dataclass
class Behaviour:
    """What a HealthOrigin does with a request."""

    status: str = "200 OK"
    body: bytes = b"ok"
    fields: tuple = ()
    delay: float = 0.0  # seconds before the answer
    then: str = "answer"  # or "reset", "close" (without an answer), "hang", "cut" (half an answer)


class HealthOrigin(Double):
    """An origin whose behaviour is switched while it runs, for all paths or for one."""

    def __init__(self, name="origin"):
        self.lock = threading.Lock()
        self.name = name
        self.counts = collections.Counter()
        self.everywhere = Behaviour(body=name.encode())
        self.by_path = {}
        super().__init__(self.respond)

    def behave(self, path=None, **changes):
        """From now on: behave(status="503 Sick"), behave("/health", then="hang")."""
        with self.lock:
            if path is None:
                self.everywhere = dataclasses.replace(self.everywhere, **changes)
            else:
                before = self.by_path.get(path, self.everywhere)
                self.by_path[path] = dataclasses.replace(before, **changes)

    def recover(self):
        """Answers 200 to everything again, and takes connections."""
        with self.lock:
            self.everywhere = Behaviour(body=self.name.encode())
            self.by_path.clear()
        self.accept_connections()

    def count(self, path=None):
        """Requests that came for the path, or at all."""
        with self.lock:
            return self.counts.total() if path is None else self.counts[path]

    def respond(self, request, wire):
        path = request.target.partition("?")[0]
        with self.lock:
            self.counts[path] += 1
            act = self.by_path.get(path, self.everywhere)
        if act.delay:
            self.stopping.wait(act.delay)
        if act.then == "hang":
            self.hang()
        answer = response_bytes(act.body, f"X-Origin: {self.name}", *act.fields, status=act.status)
        if act.then == "cut":
            wire.send(answer[:len(answer) // 2])
        if act.then == "reset":
            wire.reset()
        if act.then != "answer":
            raise Cut(act.then)
        return answer
