"""TCP mode: bytes that go through as they are, by the name a TLS client asks for."""

import hashlib
import json
import os
import random
import socket
import ssl
import tempfile
import time

from doubles import DoublesTest
from doubles_tls import Authority, TlsOrigin
from harness import wait_until
from real_servers import HOST, Nginx, free_port
from wire import LIMIT, Cut, Wire, response_bytes

TCP = {"name": "edge", "address": "127.0.0.1:0", "mode": "tcp"}


class TcpModeTest(DoublesTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log_path = os.path.join(folder.name, "access.log")

    def tcp(self, groups, routes=None, listener=None, style="json", **sections):
        """`groups`: settings of upstream groups by name, or their servers."""
        upstreams = {}
        for name, group in groups.items():
            settings = group if isinstance(group, dict) else {"servers": group}
            upstreams["upstream." + name] = settings
        return self.penstock({
            "listener": [TCP | (listener or {})],
            "log": {"access": self.log_path, "access_format": style},
        } | ({"route": routes} if routes else {}) | upstreams | sections)

    def lines(self, count):
        def read():
            try:
                with open(self.log_path, encoding="ascii") as file:
                    lines = file.read().splitlines()
            except FileNotFoundError:
                return None
            return lines if len(lines) >= count else None

        lines = wait_until(read, f"{count} lines")
        self.assertEqual(len(lines), count, lines)
        return lines

    def record(self):
        return json.loads(self.lines(1)[0])


class PlainTest(TcpModeTest):
    def test_counters_and_the_rest_of_the_record(self):
        origin = self.origin(serve=lambda wire: wire.send(wire.read_exactly(5).upper() + b"!"))
        client = self.client(self.tcp({"app": [origin.address]}))
        client.send(b"hello")
        self.assertEqual(client.read_to_end(), b"HELLO!")
        client.close()
        record = self.record()
        self.assertEqual(
            {key: record.get(key) for key in ("mode", "listener", "bytes_in", "bytes_out", "server",
                                              "upstream", "attempts", "client_close",
                                              "server_close", "error", "detail")},
            {"mode": "tcp", "listener": "edge", "bytes_in": 5, "bytes_out": 6,
             "server": origin.address, "upstream": "app", "attempts": 1,
             "client_close": "tunnel_ended", "server_close": "tunnel_ended", "error": None,
             "detail": None})
        self.assertLessEqual(record["acquire_us"], record["total_us"])

    def test_a_server_may_speak_first(self):
        origin = self.origin(serve=lambda wire: wire.send(b"220 ready\r\n"))
        started = time.monotonic()
        client = self.client(self.tcp({"app": [origin.address]}))
        self.assertEqual(client.read_exactly(11), b"220 ready\r\n")
        self.assertLess(time.monotonic() - started, LIMIT / 2)

    def test_half_close_of_the_client(self):
        def count(wire):
            wire.send(b"so far: ")
            wire.send(str(len(wire.read_to_end())).encode())

        origin = self.origin(serve=count)
        client = self.client(self.tcp({"app": [origin.address]}))
        self.assertEqual(client.read_exactly(8), b"so far: ")
        client.send(b"x" * 100_000)
        client.finish_sending()
        self.assertEqual(client.read_to_end(), b"100000")

    def test_half_close_of_the_server(self):
        received = []

        def speak_then_listen(wire):
            wire.send(b"that was all")
            wire.finish_sending()
            received.append(wire.read_to_end())

        origin = self.origin(serve=speak_then_listen)
        client = self.client(self.tcp({"app": [origin.address]}))
        self.assertEqual(client.read_to_end(), b"that was all")
        client.send(b"still here")
        client.finish_sending()
        wait_until(lambda: received, "what the client said last")
        self.assertEqual(received, [b"still here"])

    def test_much_at_once_in_both_directions(self):
        up = random.Random(1).randbytes(24_000_000)
        down = random.Random(2).randbytes(20_000_000)
        digests = []

        def both(wire):
            sending = self.alongside(wire.send, down)
            digests.append(hashlib.sha256(wire.read_to_end()).digest())
            sending.join()

        origin = self.origin(serve=both)
        client = self.client(self.tcp({"app": [origin.address]}))

        def send():
            client.send(up)
            client.finish_sending()

        self.alongside(send)
        self.assertEqual(hashlib.sha256(client.read_to_end()).digest(),
                         hashlib.sha256(down).digest())
        self.assertEqual(digests, [hashlib.sha256(up).digest()])
        record = self.record()
        self.assertEqual((record["bytes_in"], record["bytes_out"]), (len(up), len(down)))

    def test_pieces_of_all_sizes_come_back_as_they_went(self):
        def echo(wire):
            while True:
                wire.fill()
                data, wire.buffer = wire.buffer, b""
                wire.send(data)

        client = self.client(self.tcp({"app": [self.origin(serve=echo).address]}))
        dice = random.Random(3)
        for size in (1, 2, 100, 4095, 16_367, 16_368, 16_369, 65_536, 1_000_000, 1, 200_000, 7):
            piece = dice.randbytes(size)
            self.alongside(client.send, piece)
            self.assertEqual(client.read_exactly(size), piece)

    def test_break_of_the_server_is_a_break_for_the_client(self):
        def cut(wire):
            wire.send(b"begun")
            wire.read_exactly(1)
            wire.reset()

        client = self.client(self.tcp({"app": [self.origin(serve=cut).address]}))
        self.assertEqual(client.read_exactly(5), b"begun")
        client.send(b"x")
        with self.assertRaises(Cut) as raised:
            client.read_to_end()
        self.assertEqual(str(raised.exception), "reset")
        record = self.record()
        self.assertEqual((record["client_close"], record["server_close"], record["detail"]),
                         ("other_side_failed", "broken", "reset"))

    def test_break_of_the_client_is_a_break_for_the_server(self):
        ends = []

        def listen(wire):
            wire.send(b"x")
            try:
                wire.read_to_end()
            except Cut as cut:
                ends.append(str(cut))
                raise

        client = self.client(self.tcp({"app": [self.origin(serve=listen).address]}))
        client.read_exactly(1)
        client.reset()
        wait_until(lambda: ends, "the end at the server")
        self.assertEqual(ends, ["reset"])
        record = self.record()
        self.assertEqual((record["client_close"], record["server_close"]),
                         ("broken", "other_side_failed"))

    def test_idle_sessions_end(self):
        origin = self.origin(serve=lambda wire: wire.read_to_end())
        client = self.client(self.tcp({"app": [origin.address]}, timeouts={"tunnel_idle": "1s"}))
        client.send(b"x")
        with self.assertRaises(Cut):
            client.read_to_end()
        self.assertEqual(self.record()["detail"], "timed_out")

    def test_another_server_where_one_refuses(self):
        origin = self.origin(serve=lambda wire: wire.send(b"here"))
        dead = f"127.0.0.1:{free_port()}"
        client = self.client(self.tcp({"app": {"servers": [dead, origin.address],
                                               "balance": "first"}}))
        self.assertEqual(client.read_to_end(), b"here")
        client.close()
        self.assertEqual(self.record()["attempts"], 2)

    def test_no_server_is_a_reset(self):
        proxy = self.tcp({"app": [f"127.0.0.1:{free_port()}"]}, style="squid")
        with self.assertRaises((Cut, ConnectionResetError)):  # it may come before connect() returns
            self.client(proxy).read_to_end()
        self.assertRegex(self.lines(1)[0], r" 127\.0\.0\.1 TCP_TUNNEL/502 0 CONNECT "
                                           r"127\.0\.0\.1:\d+ - HIER_NONE/- -$")

    def test_many_idle_sessions_hold_little(self):
        origin = self.origin(serve=lambda wire: wire.read_to_end())
        proxy = self.tcp({"app": [origin.address]})
        first = [self.client(proxy) for _ in range(50)]
        wait_until(lambda: len(origin.connections) == 50, "50 sessions")
        before = proxy.memory()
        more = [self.client(proxy) for _ in range(200)]
        wait_until(lambda: len(origin.connections) == 250, "250 sessions")
        # A buffer for each direction would be 32 KiB; what is measured includes the sanitizer's own.
        self.assertLess((proxy.memory() - before) / len(more), 30_000)
        self.assertEqual(len(first), 50)


class NamesTest(TcpModeTest):
    """Routes by the name in a ClientHello; nothing is decrypted."""

    @classmethod
    def setUpClass(cls):
        cls.authority = cls.enterClassContext(Authority())
        cls.pair = cls.authority.issue("DNS:one.test,DNS:*.two.test,DNS:localhost")

    def fetch(self, proxy, name, path="/"):
        port = proxy.address.rpartition(":")[2]
        return self.curl("--cacert", self.authority.path, "--resolve", f"{name}:{port}:127.0.0.1",
                         f"https://{name}:{port}{path}")

    def test_nginx_and_another_by_name(self):
        port = free_port()
        certificate, key = self.pair
        with Nginx(f"listen {HOST}:{port} ssl; ssl_certificate {certificate}; "
                   f"ssl_certificate_key {key};") as nginx:
            nginx.put("large", "0123456789" * 300_000)
            other = self.double(TlsOrigin(self.pair, response_bytes(b"the other")))
            proxy = self.tcp({"nginx": [f"{HOST}:{port}"], "other": [other.address]}, [
                {"host": "one.test", "listener": "edge", "to": "nginx"},
                {"host": "*.two.test", "path": "/x", "to": "nginx"},  # not for bytes
                {"host": "*.two.test", "to": "other"},
            ])
            self.assertEqual(self.fetch(proxy, "one.test", "/hello.txt"), "hello from nginx\n")
            self.assertEqual(len(self.fetch(proxy, "one.test", "/large")), 3_000_000)
            self.assertEqual(self.fetch(proxy, "a.two.test"), "the other")
        names = [json.loads(line)["tls_server_name"] for line in self.lines(3)]
        self.assertEqual(names, ["one.test", "one.test", "a.two.test"])

    def test_a_name_without_a_route_is_a_reset(self):
        other = self.double(TlsOrigin(self.pair))
        proxy = self.tcp({"other": [other.address]}, [{"host": "one.test", "to": "other"}])
        context = ssl.create_default_context(cafile=self.authority.path)
        host, _, port = proxy.address.rpartition(":")
        with socket.create_connection((host, int(port)), LIMIT) as plain:
            with self.assertRaises(OSError):
                context.wrap_socket(plain, server_hostname="x.two.test")
        record = self.record()
        self.assertEqual((record["tls_server_name"], record["error"], record["detail"]),
                         ("x.two.test", "destination_not_found", "no_route"))

    def test_tls_to_the_server_is_added(self):
        server = self.double(TlsOrigin(self.pair, response_bytes(b"inside")))
        port = server.address.rpartition(":")[2]
        proxy = self.tcp({"app": {"servers": [f"127.0.0.1:{port}"], "tls": {
            "ca_file": self.authority.path, "server_name": "localhost"}}})
        self.assertEqual(self.curl(f"http://{proxy.address}/"), "inside")

    def test_tls_of_the_client_is_taken_off(self):
        server = self.origin(response_bytes(b"plain"))
        certificate, key = self.pair
        proxy = self.tcp({"app": [server.address]}, listener={"tls": {
            "certificates": [{"certificate": certificate, "key": key}]}})
        self.assertEqual(self.fetch(proxy, "one.test"), "plain")
        record = self.record()
        self.assertEqual((record["tls_version"], record["tls_server_name"],
                          record["tls_resumed"]), ("TLSv1.3", "one.test", False))
        wire = Wire(socket.create_connection(proxy.address.split(":"), LIMIT))
        self.addCleanup(wire.close)
        wire.send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertTrue(wire.read_to_end().startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertEqual(len(server.connections), 1)
