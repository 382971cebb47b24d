"""Where Penstock listens, and how its workers share what comes."""

import contextlib
import os
import select
import signal
import socket
import stat
import sys
import tempfile
import unittest

from harness import ScenarioTest, wait_until
from wire import request_bytes

ACTIVATE = [sys.executable, os.path.join(os.path.dirname(__file__), "activate.py")]


class ListenersTest(ScenarioTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name="socket"):
        return os.path.join(self.folder, name)

    def listen(self, *addresses, sections=None, **listener):
        """A reverse proxy with an origin that answers "hello"."""
        origin = self.origin()
        return self.penstock({
            "listener": [{"address": list(addresses), "mode": "reverse"} | listener],
            "upstream.app": {"servers": [origin.address]},
        } | (sections or {}))

    def assert_serves(self, penstock, *addresses):
        for address in addresses or penstock.addresses:
            self.assertEqual(self.ask(address, "/").body, b"hello", address)

    def warnings(self, penstock):
        return [line for line in penstock.log if " warn " in line]


class AddressesTest(ListenersTest):
    def test_several_of_one_listener(self):
        penstock = self.listen("127.0.0.1:0", "[::1]:0", "127.0.0.2:0", f"unix:{self.path()}")
        self.assertEqual(len(penstock.addresses), 4)
        self.assert_serves(penstock)

    def test_one_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            with self.assertRaisesRegex(AssertionError, f'listener "web": can\'t listen on {address}'
                                                        ": Address already in use; another"):
                self.listen("127.0.0.1:0", address, name="web")

    def test_the_bound_holds_for_all_of_them_together(self):
        penstock = self.listen("127.0.0.1:0", "[::1]:0", max_connections=3)
        clients = [self.client(penstock.addresses[i % 2]) for i in range(6)]
        for client in clients:
            client.send(request_bytes("/"))
        served = self.answered(clients, 3)
        for client in served:
            client.close()
        rest = [client for client in clients if client not in served]
        self.assertEqual(self.answered(rest, 3), rest)

    def answered(self, clients, count):
        """Those to which something comes: so many, and no more."""
        def readable():
            return select.select([client.socket for client in clients], [], [], 0)[0]

        wait_until(lambda: len(readable()) >= count, f"{count} to be served")
        # Whoever else had been accepted by then would be answered meanwhile: there is one worker.
        served = next(client for client in clients if client.socket in readable())
        self.assertEqual(served.read_response().body, b"hello")
        for _ in range(10):
            self.assertEqual(served.request("/").body, b"hello")
        ready = [served.socket, *readable()]
        self.assertEqual(len(ready), count)
        return [client for client in clients if client.socket in ready]


class UnixSocketTest(ListenersTest):
    def test_its_file(self):
        penstock = self.listen(f"unix:{self.path()}", unix_mode="0604")
        self.assertEqual(stat.S_IMODE(os.stat(self.path()).st_mode), 0o604)
        self.assert_serves(penstock)
        penstock.stop()
        self.assertFalse(os.path.exists(self.path()))

    def test_a_stale_one_is_replaced(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(self.path())
        self.assert_serves(self.listen(f"unix:{self.path()}"))

    def test_a_live_one_is_not(self):
        first = self.listen(f"unix:{self.path()}")
        with self.assertRaisesRegex(AssertionError, "Address already in use"):
            self.listen(f"unix:{self.path()}")
        self.assert_serves(first)

    def test_the_file_of_its_successor_stays(self):
        first = self.listen(f"unix:{self.path()}")
        os.unlink(self.path())
        second = self.listen(f"unix:{self.path()}")
        first.stop()
        self.assert_serves(second)


class SystemdTest(ListenersTest):
    def activated(self, *sockets, address="systemd:web", **options):
        """`sockets`: those that are passed, as NAME=ADDRESS."""
        self.launcher = [*ACTIVATE, *sockets, "--"]
        return self.listen(address, **options)

    def test_passed_sockets(self):
        penstock = self.activated("web=127.0.0.1:0", f"web={self.path()}", "web=[::1]:0",
                                  sections={"workers": {"count": 3}})
        self.assertEqual(len(penstock.addresses), 3)
        self.assert_serves(penstock)
        self.assertEqual(self.warnings(penstock), [])
        penstock.stop()
        self.assertTrue(os.path.exists(self.path()))  # systemd's

    def test_one_that_nobody_wants(self):
        penstock = self.activated("web=127.0.0.1:0", f"old={self.path()}")
        warning, = self.warnings(penstock)
        self.assertIn('nobody wants the socket "old"', warning)
        self.assert_serves(penstock)

    def test_are_closed_on_exec(self):
        penstock = self.activated("web=127.0.0.1:0")
        for name in os.listdir(f"/proc/{penstock.process.pid}/fd"):
            with open(f"/proc/{penstock.process.pid}/fdinfo/{name}", encoding="ascii") as info:
                flags = int(dict(line.split(":", 1) for line in info if ":" in line)["flags"], 8)
            self.assertTrue(flags & os.O_CLOEXEC or int(name) < 3, name)

    def test_what_is_missing_or_no_good(self):
        for sockets, problem in (
                ([], "the service manager passed no sockets"),
                (["wbe=127.0.0.1:0"], 'the service manager passed only "wbe"'),
                (["web=datagram"], "it does not listen for streams")):
            with self.subTest(sockets):
                with self.assertRaisesRegex(AssertionError,
                                            "can't listen on systemd:web: " + problem):
                    self.activated(*sockets)

    def test_tells_when_it_is_ready_and_when_it_stops(self):
        for name in (self.path("notify"), f"@penstock-notify-{os.getpid()}"):
            with self.subTest(name), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(name.replace("@", "\0"))
                manager.settimeout(10)
                self.environment = {"NOTIFY_SOCKET": name}
                penstock = self.listen("127.0.0.1:0")
                self.assertEqual(manager.recv(100), b"READY=1")
                penstock.signal(signal.SIGTERM)
                self.assertEqual(manager.recv(100), b"STOPPING=1")
                penstock.wait()


class SpreadTest(ListenersTest):
    """Each worker has an epoll of its own, which knows how many connections are there."""

    def connections(self, penstock):
        folder, out = f"/proc/{penstock.process.pid}", []
        for name in os.listdir(f"{folder}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                if "eventpoll" in os.readlink(f"{folder}/fd/{name}"):
                    with open(f"{folder}/fdinfo/{name}", encoding="ascii") as info:
                        out.append(info.read().count("tfd:"))
        return sorted(out)

    def spread(self, penstock, count, at_a_time):
        """How many connections each worker gets of so many."""
        before = self.connections(penstock)
        for number in range(1, count + 1):
            self.client(penstock)
            if number % at_a_time == 0:
                wait_until(lambda: sum(self.connections(penstock)) == sum(before) + number,
                           "all to be accepted")
        return [now - then for now, then in zip(self.connections(penstock), before)]

    def test_connections_that_stay(self):
        workers = {"workers": {"count": 4}}
        for name, address, through in (
                ("port", "127.0.0.1:0", []), ("unix socket", f"unix:{self.path()}", []),
                ("passed socket", "systemd:web", [*ACTIVATE, "web=127.0.0.1:0", "--"])):
            with self.subTest(name):
                self.launcher = through
                penstock = self.listen(address, sections=workers)
                self.assertEqual(self.spread(penstock, 8, at_a_time=1), [2, 2, 2, 2])
                many = self.spread(penstock, 400, at_a_time=400)
                self.assertLessEqual(max(many), min(many) * 1.3, many)
                penstock.stop()

    def test_the_bound_holds_over_all_workers(self):
        workers = 4
        penstock = self.listen(f"unix:{self.path()}", max_connections=10,
                               sections={"workers": {"count": workers}})
        clients = [self.client(penstock) for _ in range(40)]
        for client in clients:
            client.send(request_bytes("/"))
        sockets = [client.socket for client in clients]
        wait_until(lambda: len(select.select(sockets, [], [], 0)[0]) >= 10, "some to be served")
        penstock.stop()  # from here on nobody new is
        served = 0
        for sock in sockets:
            with contextlib.suppress(ConnectionResetError):
                served += sock.recv(1) != b""
        self.assertGreaterEqual(served, 10)
        # Others notice when they accept one more.
        self.assertLess(served, 10 + workers)


if __name__ == "__main__":
    unittest.main()
