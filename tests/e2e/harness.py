"""Penstock, origin servers and clients over real sockets, with every byte in the test's hands."""

import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from wire import LIMIT, Cut, Wire, request_bytes, response_bytes

BINARY = os.path.abspath(
    os.environ.get("PENSTOCK_BIN")
    or os.path.join(os.path.dirname(__file__), "../../build/release/penstock")
)
DISASTERS = ("AddressSanitizer", "ThreadSanitizer", "runtime error", "broken invariant")


def wait_until(condition, what="the condition", limit=LIMIT):
    """Polls until condition() is true, and returns what it gave."""
    deadline = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit} s in vain for {what}")
        time.sleep(0.005)


class Client(Wire):
    """A client connection to an address as Penstock logs it: host:port, [host]:port, unix:path."""

    def __init__(self, address, receive_buffer=None):
        unix = address.startswith("unix:")
        host, _, port = address.rpartition(":")
        family = socket.AF_UNIX if unix else socket.AF_INET6 if "[" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(LIMIT)
        try:
            sock.connect(address[5:] if unix else (host.strip("[]"), int(port)))
        except OSError:
            sock.close()
            raise
        super().__init__(sock)

    def request(self, target, *fields, **options):
        """Sends a request and reads its response."""
        self.send(request_bytes(target, *fields, **options))
        return self.read_response(options.get("method", "GET"), options.get("version", "1.1"))


class Origin:
    """A server that records each request and answers what it is told to.

    `answer` is the bytes of a response, or a function of the request and the connection that gives
    them, or sends them itself and gives nothing. `serve`, a function of the connection, takes the
    whole dialogue in its own hands.
    """

    def __init__(self, answer=response_bytes(), serve=None, sock=None):
        self.answer = answer
        self.serve = serve or self.serve_requests
        self.requests = []
        self.connections = []
        self.errors = []
        self.listener = sock or socket.create_server(("127.0.0.1", 0), backlog=128)
        name = self.listener.getsockname()
        self.address = f"unix:{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            wire = Wire(sock)
            wire.number = len(self.connections)
            self.connections.append(wire)
            threading.Thread(target=self.run, args=(wire,), daemon=True).start()

    def run(self, wire):
        try:
            self.serve(wire)
        except (Cut, OSError):
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            wire.close()

    def serve_requests(self, wire):
        while not wire.closed:
            request = wire.read_request()
            request.connection = wire.number
            self.requests.append(request)
            answer = self.answer(request, wire) if callable(self.answer) else self.answer
            if answer:
                wire.send(answer)

    def stop(self):
        # close() alone leaves accept() hanging.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for wire in self.connections:
            wire.break_off()
        if self.errors:
            raise AssertionError(f"at the origin: {self.errors}") from self.errors[0]


def toml_value(value):
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value)


def toml(sections):
    """A dict of tables is written as [name], a list of them as [[name]] each."""
    lines = []
    for name, content in sections.items():
        many = isinstance(content, list)
        for table in content if many else [content]:
            lines.append(f"[[{name}]]" if many else f"[{name}]")
            lines += [f"{json.dumps(key)} = {toml_value(item)}" for key, item in table.items()]
    return "\n".join(lines) + "\n"


class Penstock:
    """The program, from its start to its end with exit code 0 and nothing suspicious said."""

    def __init__(self, config, environment=None, launcher=()):
        """`through`: a command that runs another one, with its options."""
        self.folder = tempfile.TemporaryDirectory(prefix="penstock-")
        path = os.path.join(self.folder.name, "penstock.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.process = subprocess.Popen([*launcher, BINARY, "run", "-c", path],
                                        stderr=subprocess.PIPE,
                                        env=os.environ | (environment or {}))
        self.log = []
        self.logging = threading.Thread(target=self.collect, daemon=True)
        self.logging.start()
        wait_until(lambda: self.serving() or self.process.poll() is not None, "Penstock to start")
        self.addresses = re.findall(r"listening on (\S+) \(", "\n".join(self.log))
        if self.process.poll() is not None:
            self.logging.join(LIMIT)
            self.process.stderr.close()
            self.folder.cleanup()
            raise AssertionError("Penstock did not start: " + "\n".join(self.log))

    def serving(self):
        return any(" serving with " in line for line in self.log)

    def collect(self):
        for line in self.process.stderr:
            self.log.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def address(self):
        return self.addresses[0]

    def signal(self, number):
        self.process.send_signal(number)

    def memory(self):
        """Bytes of resident memory."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def sockets(self):
        """How many are open."""
        folder, count = f"/proc/{self.process.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(os.path.join(folder, name)).startswith("socket:")
            except FileNotFoundError:
                pass  # closed meanwhile
        return count

    def wait(self, code=0, limit=LIMIT):
        """Waits for the end of the program and checks how it ended."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"Penstock did not end in {limit} s: {self.log}") from None
        finally:
            self.logging.join(LIMIT)
            self.process.stderr.close()
            self.folder.cleanup()
        said = "\n".join(self.log)
        if self.process.returncode != code or any(word in said for word in DISASTERS):
            raise AssertionError(f"exit code {self.process.returncode}; it said:\n{said}")

    def stop(self, limit=LIMIT):
        if self.process.returncode is None:
            self.process.terminate()
            self.wait(limit=limit)


class ScenarioTest(unittest.TestCase):
    """Starts what a scenario needs, and ends it in the opposite order."""

    maxDiff = None
    environment = {}  # what Penstock gets beside our own
    launcher = ()  # a command that Penstock is run by

    def origin(self, answer=response_bytes(), **options):
        origin = Origin(answer, **options)
        self.addCleanup(origin.stop)
        return origin

    def penstock(self, sections):
        """One worker unless told otherwise, so that all requests share a pool of connections."""
        penstock = Penstock(toml({"workers": {"count": 1}} | sections), self.environment,
                            self.launcher)
        self.addCleanup(penstock.stop)
        return penstock

    def forward(self, **sections):
        return self.penstock({"listener": [{"address": "127.0.0.1:0"}]} | sections)

    def reverse(self, *origins, **sections):
        """Stands for the origins, given as such or by address."""
        servers = [getattr(origin, "address", origin) for origin in origins]
        return self.penstock({
            "listener": [{"address": "127.0.0.1:0", "mode": "reverse"}],
            "upstream.app": {"servers": servers},
        } | sections)

    def alongside(self, function, *arguments):
        """Runs it in a thread of its own; a cut connection is no failure of the test there."""
        def run():
            try:
                function(*arguments)
            except (Cut, OSError):
                pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def client(self, penstock, **options):
        client = Client(getattr(penstock, "address", penstock), **options)
        self.addCleanup(client.close)
        return client

    def ask(self, penstock, target, *fields, **options):
        """One request on a connection of its own."""
        return self.client(penstock).request(target, *fields, **options)
