"""Limits and timeouts: what is too large, too slow or too much, and the memory it may take."""

import os
import select
import socket
import threading
import time
import unittest

from harness import ScenarioTest, wait_until
from wire import Cut, chunk, chunked, head_bytes, request_bytes, response_bytes

MB = 1_000_000


class SizeTest(ScenarioTest):
    def setUp(self):
        self.server = self.origin()

    def proxy(self, **limits):
        return self.reverse(self.server, limits=limits)

    def check_refused(self, proxy, status, data):
        client = self.client(proxy)
        client.send(data)
        response = client.read_response()
        self.assertEqual(response.status, status, response)
        self.assertIn("http_request_error", response.value("Proxy-Status"))
        self.assertIn("close", response.connection_options)
        self.assertTrue(client.ends())

    def test_head(self):
        proxy = self.proxy(head="4KiB")
        self.check_refused(proxy, 431, request_bytes("/", "X-Large: " + "x" * 4096))
        self.check_refused(proxy, 431, request_bytes("/", *["X-Many: " + "x" * 80] * 50))
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.ask(proxy, "/", "X-Large: " + "x" * 3900).status, 200)

    def test_head_that_never_ends(self):
        client = self.client(self.proxy(head="4KiB"))
        client.send(b"GET / HTTP/1.1\r\nX: ")
        try:
            for _ in range(100):
                client.send(b"x" * 1000)
        except OSError:
            pass
        self.assertEqual(client.read_response().status, 431)

    def test_fields(self):
        proxy = self.proxy(fields=20)
        self.check_refused(proxy, 431, request_bytes("/", *["X: y"] * 20))
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.ask(proxy, "/", *["X: y"] * 19).status, 200)

    def test_start_line(self):
        proxy = self.proxy(start_line="1KiB")
        self.check_refused(proxy, 414, request_bytes("/" + "x" * 1024))
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.ask(proxy, "/" + "x" * 1000).status, 200)

    def test_body_with_content_length(self):
        proxy = self.proxy(body="10kB")
        self.check_refused(proxy, 413, head_bytes("POST / HTTP/1.1", "Host: a",
                                                  "Content-Length: 1000000"))
        client = self.client(proxy)
        self.assertEqual(client.request("/", method="POST", body=b"x" * 10_001).status, 413)
        self.assertEqual(self.server.requests, [])
        self.assertEqual(client.request("/").status, 200)  # so little is read and dropped
        response = self.ask(proxy, "/", method="POST", body=b"x" * 10_000)
        self.assertEqual(response.status, 200)

    def test_chunked_body(self):
        def request(size):
            return head_bytes("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"
                              ) + chunked(b"x" * size, 1000)

        proxy = self.proxy(body="10kB")
        self.check_refused(proxy, 413, request(10_001))
        self.check_refused(proxy, 413, request(500_000))
        self.assertEqual(self.server.requests, [])
        client = self.client(proxy)
        client.send(request(10_000))
        self.assertEqual(client.read_response().status, 200)

    def test_client_that_expects_100_is_refused_before_its_body(self):
        client = self.client(self.proxy(body="10kB"))
        client.send(head_bytes("POST / HTTP/1.1", "Host: a", "Content-Length: 20000",
                               "Expect: 100-continue"))
        response = client.read_response()
        self.assertEqual((response.status, response.interim), (413, []))

    def test_response_heads(self):
        proxy = self.proxy(head="4KiB", fields=20, start_line="1KiB")
        for what in (["X: " + "x" * 4096], ["X: y"] * 20):
            self.server.answer = response_bytes(b"", *what)
            response = self.ask(proxy, "/")
            self.assertEqual(response.status, 502)
            self.assertIn("http_response_header_section_size", response.value("Proxy-Status"))
        self.server.answer = response_bytes(status="200 " + "x" * 1024)
        self.assertEqual(self.ask(proxy, "/").status, 502)
        self.server.answer = response_bytes()
        self.assertEqual(self.ask(proxy, "/").status, 200)


class TimeTest(ScenarioTest):
    def check_504(self, response, error):
        self.assertEqual(response.status, 504)
        self.assertIn(f"error={error}", response.value("Proxy-Status"))

    def test_head_that_takes_too_long(self):
        origin = self.origin()
        client = self.client(self.reverse(origin, timeouts={"client_head": "300ms"}))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        self.alongside(client.dribble, b"x" * 200, (1,), 0.05)  # a byte now and then is no help
        response = client.read_response()
        self.assertEqual(response.status, 408)
        self.assertIn("close", response.connection_options)
        self.assertTrue(client.ends())
        self.assertEqual(origin.requests, [])

    def test_idle_clients_are_closed_without_a_word(self):
        proxy = self.reverse(self.origin(), timeouts={"client_idle": "200ms"})
        fresh, used = self.client(proxy), self.client(proxy)
        self.assertEqual(used.request("/").status, 200)
        for client in (fresh, used):
            self.assertEqual(client.read_to_end(), b"")

    def test_connect(self):
        """A server that takes no connections: its queue is full."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        address = "{}:{}".format(*listener.getsockname())
        for _ in range(4):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        proxy = self.reverse(address, timeouts={"connect": "300ms"})
        self.check_504(self.ask(proxy, "/"), "connection_timeout")

    def test_server_that_does_not_answer(self):
        origin = self.origin(lambda request, wire: wire.ends() and None)
        client = self.client(self.reverse(origin, timeouts={"stall": "300ms"}))
        self.check_504(client.request("/"), "http_response_timeout")
        self.assertEqual(len(origin.requests), 1)

    def test_server_that_stops_within_its_head(self):
        origin = self.origin(
            lambda _, wire: wire.send(b"HTTP/1.1 200 OK\r\n") or wire.ends() and None)
        proxy = self.reverse(origin, timeouts={"stall": "300ms"})
        self.check_504(self.ask(proxy, "/"), "http_response_timeout")

    def test_server_that_stops_within_its_body(self):
        for framing in ("Content-Length: 100", "Transfer-Encoding: chunked"):
            for version in ("1.1", "1.0"):
                with self.subTest(f"{framing} for {version}"):
                    data = head_bytes("HTTP/1.1 200 OK", framing) + chunk(b"x" * 50)
                    origin = self.origin(lambda _, wire, data=data: wire.send(data) or wire.ends()
                                         and None)
                    client = self.client(self.reverse(origin, timeouts={"stall": "300ms"}))
                    client.send(request_bytes("/", version=version))
                    with self.assertRaises(Cut):
                        client.read_response(version=version)
                        self.fail("looks complete")

    def test_slow_but_steady_server_is_waited_for(self):
        def answer(_, wire):
            wire.dribble(response_bytes(b"x" * 60), sizes=(10,), pause=0.1)

        proxy = self.reverse(self.origin(answer), timeouts={"stall": "600ms"})
        self.assertEqual(self.ask(proxy, "/").body, b"x" * 60)

    def test_client_that_stops_within_its_body(self):
        for framing in ("Content-Length: 100", "Transfer-Encoding: chunked"):
            with self.subTest(framing):
                origin = self.origin()
                client = self.client(self.reverse(origin, timeouts={"stall": "300ms"}))
                client.send(head_bytes("POST / HTTP/1.1", "Host: a", framing) + chunk(b"x" * 50))
                response = client.read_response()
                self.assertEqual(response.status, 408)
                self.assertTrue(client.ends())
                self.assertEqual(origin.requests, [])

    def test_client_that_stops_reading(self):
        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK", f"Content-Length: {100 * MB}"))
            for _ in range(100):
                wire.send(b"x" * MB)

        origin = self.origin(answer)
        client = self.client(self.reverse(origin, timeouts={"stall": "300ms"}), receive_buffer=4096)
        client.send(request_bytes("/"))
        wait_until(lambda: origin.connections and origin.connections[0].closed, "the cut")
        with self.assertRaises(Cut):
            client.read_response()

    def test_server_that_stops_reading(self):
        origin = self.origin(serve=lambda wire: wire.read_request_head() and done.wait(20))
        done = threading.Event()
        self.addCleanup(done.set)
        client = self.client(self.reverse(origin, timeouts={"stall": "300ms"}))
        self.alongside(client.send, head_bytes("POST / HTTP/1.1", "Host: a",
                                               f"Content-Length: {50 * MB}") + b"x" * 50 * MB)
        self.check_504(client.read_response(), "http_response_timeout")


class ConnectionsTest(ScenarioTest):
    def test_no_more_connections_than_configured(self):
        """The next one waits, and is served when another one has gone."""
        proxy = self.reverse(self.origin(), listener=[
            {"address": "127.0.0.1:0", "mode": "reverse", "max_connections": 3}])
        clients = [self.client(proxy) for _ in range(3)]
        for client in clients:
            self.assertEqual(client.request("/").status, 200)
        waiting = self.client(proxy)
        waiting.send(request_bytes("/"))
        waiting.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            waiting.fill()
        waiting.socket.settimeout(20)
        for client in clients:  # those there are go on
            self.assertEqual(client.request("/").status, 200)
        clients[0].close()
        self.assertEqual(waiting.read_response().status, 200)

    def test_each_listener_counts_its_own(self):
        proxy = self.reverse(self.origin(), listener=[
            {"address": "127.0.0.1:0", "mode": "reverse", "max_connections": 1},
            {"address": "127.0.0.1:0", "mode": "reverse"}])
        first = self.client(proxy)
        self.assertEqual(first.request("/").status, 200)
        for _ in range(5):
            self.assertEqual(self.client(proxy.addresses[1]).request("/").status, 200)

    def test_many_short_connections_through_one_place(self):
        proxy = self.reverse(self.origin(), limits={"connections": 1})
        for _ in range(50):
            client = self.client(proxy)
            self.assertEqual(client.request("/").status, 200)
            client.close()


class Sender:
    """Sends, and tells when the other side takes no more."""
    SILENCE = 0.3

    def __init__(self):
        self.sent = 0
        self.stands = threading.Event()

    def send(self, wire, data):
        rest = memoryview(data)
        while rest:
            if not select.select([], [wire.socket], [], self.SILENCE)[1]:
                self.stands.set()
                continue
            try:
                taken = wire.socket.send(rest, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            rest = rest[taken:]
            self.sent += taken

    def wait_until_it_stands(self):
        assert self.stands.wait(30), "everything was taken"


class MemoryTest(ScenarioTest):
    BOUND = 12 * MB  # what the kernel's buffers hold does not count
    # Freed memory that the sanitizer keeps in store is not Penstock's.
    environment = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}

    def grown(self, proxy, act):
        """By how much the most resident memory seen while act() runs exceeds that before."""
        before = most = proxy.memory()
        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        while thread.is_alive():
            most = max(most, proxy.memory())
            thread.join(0.02)
        return most - before

    def check_slow_reader(self, framing, piece):
        size, sender = 200 * MB, Sender()

        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK", framing))
            for _ in range(size // MB):
                sender.send(wire, piece)

        proxy = self.reverse(self.origin(answer))
        client = self.client(proxy, receive_buffer=16384)
        client.send(request_bytes("/"))

        self.assertLess(self.grown(proxy, sender.wait_until_it_stands), self.BOUND)
        self.assertLess(sender.sent, size / 2)

        def read():
            client.read_response_head()
            total = 0
            while total < size:
                client.fill()
                total += len(client.buffer)
                client.buffer = b""
            got.append(total)

        got = []
        self.assertLess(self.grown(proxy, read), self.BOUND)
        self.assertGreaterEqual(sum(got), size)

    def test_slow_reader_of_a_large_body(self):
        self.check_slow_reader(f"Content-Length: {200 * MB}", b"x" * MB)

    def test_slow_reader_of_many_chunks(self):
        self.check_slow_reader("Transfer-Encoding: chunked", chunk(b"x" * MB))

    def test_slow_reader_at_the_end_of_a_tunnel(self):
        size, sender = 200 * MB, Sender()

        def serve(wire):
            for _ in range(size // MB):
                sender.send(wire, b"x" * MB)

        origin = self.origin(serve=serve)
        proxy = self.forward(forward={"connect_ports": [int(origin.address.rpartition(":")[2])]})
        client = self.client(proxy, receive_buffer=16384)
        client.send(head_bytes(f"CONNECT {origin.address} HTTP/1.1", "Host: a"))
        self.assertEqual(client.read_head().status, 200)
        self.assertLess(self.grown(proxy, sender.wait_until_it_stands), self.BOUND)
        self.assertLess(sender.sent, size / 2)
        self.assertLess(self.grown(proxy, client.read_to_end), self.BOUND)

    def test_large_upload_to_a_slow_server(self):
        size, go = 200 * MB, threading.Event()
        sender, seen = Sender(), []

        def serve(wire):
            wire.read_request_head()
            go.wait(30)
            total = len(wire.buffer)
            wire.buffer = b""
            while total < size:
                wire.fill()
                total += len(wire.buffer)
                wire.buffer = b""
            seen.append(total)
            wire.send(response_bytes())

        def send():
            client.send(head_bytes("POST / HTTP/1.1", "Host: a", f"Content-Length: {size}"))
            for _ in range(size // MB):
                sender.send(client, b"x" * MB)

        proxy = self.reverse(self.origin(serve=serve))
        client = self.client(proxy)
        self.alongside(send)
        self.assertLess(self.grown(proxy, sender.wait_until_it_stands), self.BOUND)
        self.assertLess(sender.sent, size / 2)
        go.set()
        self.assertLess(self.grown(proxy, client.read_response), self.BOUND)
        self.assertEqual(seen, [size])

    def test_half_sent_heads(self):
        """Their memory is bounded by the connections and the limit of a head."""
        proxy = self.reverse(self.origin(), limits={"head": "8KiB", "buffers": "16MiB"})
        clients = [self.client(proxy) for _ in range(400)]

        def send():
            for client in clients:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 7000)
            wait_until(lambda: self.ask(proxy, "/").status in (200, 503), "an answer")

        self.assertLess(self.grown(proxy, send), 24 * MB)
        for client in clients:
            client.close()
        wait_until(lambda: self.ask(proxy, "/").status == 200, "the memory to come back")

    def test_buffers_used_up(self):
        """503 until there is room again."""
        proxy = self.reverse(self.origin(), limits={"buffers": "1MiB"})
        clients = [self.client(proxy) for _ in range(200)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000)

        def refused():
            response = self.ask(proxy, "/")
            return response if response.status == 503 else None

        response = wait_until(refused, "503")
        self.assertIn("connection_limit_reached", response.value("Proxy-Status"))
        self.assertEqual(response.value("Retry-After"), "1")
        for client in clients:
            client.close()
        wait_until(lambda: self.ask(proxy, "/").status == 200, "room")


if __name__ == "__main__":
    unittest.main()
