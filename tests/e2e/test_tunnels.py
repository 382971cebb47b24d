"""Tunnels: CONNECT, and upgrades to other protocols."""

import hashlib
import threading
import unittest

from harness import ScenarioTest, wait_until
from wire import Cut, chunked, head_bytes, request_bytes, response_bytes

WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SWITCH = head_bytes("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
                    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


def wait_for_reset(client):
    """Reads what comes until a reset; a clean end fails."""
    try:
        client.read_to_end()
    except Cut:
        return
    raise AssertionError("a clean end instead of a reset")


class UpgradeTest(ScenarioTest):
    def switching(self, switch=SWITCH, behind=b""):
        """An origin that switches, and then sends back what comes, in capitals."""
        def answer(request, wire):
            self.requests.append(request)
            wire.send(switch + behind)
            while True:
                while not wire.buffer:
                    wire.fill()
                data, wire.buffer = wire.buffer, b""
                wire.send(data.upper())

        return self.origin(answer)

    def setUp(self):
        self.requests = []

    def test_websocket(self):
        client = self.client(self.reverse(self.switching()))
        client.send(request_bytes("/chat", *WEBSOCKET))
        response = client.read_response()
        self.assertEqual(response.start, "HTTP/1.1 101 Switching Protocols")
        self.assertEqual(response.value("Upgrade"), "websocket")
        self.assertEqual(response.connection_options, {"upgrade"})
        self.assertEqual(response.value("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        request = self.requests[0]
        self.assertEqual(request.value("Upgrade"), "websocket")
        self.assertEqual(request.connection_options, {"upgrade"})
        self.assertEqual(request.value("Sec-WebSocket-Key"), "dGhlIHNhbXBsZSBub25jZQ==")
        for word in (b"first", b"\x81\x05GET / HTTP/1.1\r\n\r\n", b"x" * 300_000):
            self.alongside(client.send, word)
            self.assertEqual(client.read_exactly(len(word)), word.upper())

    def test_through_a_forward_listener(self):
        origin = self.switching()
        client = self.client(self.forward())
        client.send(request_bytes(origin.url + "/chat", *WEBSOCKET) + b"at once")
        self.assertEqual(client.read_response().status, 101)
        self.assertEqual(client.read_exactly(7), b"AT ONCE")

    def test_bytes_right_behind_the_handshake_of_either_side(self):
        client = self.client(self.reverse(self.switching(behind=b"from the server")))
        client.send(request_bytes("/chat", *WEBSOCKET) + b"from the client")
        self.assertEqual(client.read_response().status, 101)
        self.assertEqual(client.read_exactly(30), b"from the serverFROM THE CLIENT")

    def test_http_behind_the_handshake_is_not_read_as_http(self):
        """It goes to the other side of the tunnel, byte for byte."""
        client = self.client(self.reverse(self.switching()))
        inner = request_bytes("/inner", "x-a: b")
        client.send(request_bytes("/chat", *WEBSOCKET) + inner)
        client.read_response()
        self.assertEqual(client.read_exactly(len(inner)), inner.upper())
        self.assertEqual(len(self.requests), 1)

    def test_refused_upgrade(self):
        origin = self.origin(response_bytes(b"plain"))
        client = self.client(self.reverse(origin))
        client.send(request_bytes("/chat", *WEBSOCKET) + request_bytes("/next"))
        for _ in range(2):
            response = client.read_response()
            self.assertEqual((response.status, response.body), (200, b"plain"))
        self.assertEqual([r.target for r in origin.requests], ["/chat", "/next"])

    def test_426(self):
        origin = self.origin(response_bytes(b"", "Upgrade: websocket", "Connection: upgrade",
                                            status="426 Upgrade Required"))
        client = self.client(self.reverse(origin))
        self.assertEqual(client.request("/").status, 426)
        self.assertEqual(client.request("/").status, 426)

    def test_another_protocol(self):
        switch = head_bytes("HTTP/1.1 101 Away", "Connection: upgrade", "Upgrade: example/2")
        client = self.client(self.reverse(self.switching(switch)))
        client.send(request_bytes("/", "Connection: x, UPGRADE", "Upgrade: other, example/2, z"))
        response = client.read_response()
        self.assertEqual((response.status, response.value("Upgrade")), (101, "example/2"))
        self.assertEqual(self.requests[0].value("Upgrade"), "other, example/2, z")
        client.send(b"hello")
        self.assertEqual(client.read_exactly(5), b"HELLO")

    def check_not_passed_on(self, *fields, **options):
        origin = self.origin()
        self.assertEqual(self.ask(self.reverse(origin), "/", *fields, **options).status, 200)
        request = origin.requests[0]
        self.assertEqual(request.values("Upgrade"), [])
        self.assertEqual(request.values("HTTP2-Settings"), [])
        self.assertNotIn("upgrade", request.connection_options)

    def test_h2c_is_never_passed_on(self):
        settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
        for protocols in ("h2c", "H2C", "websocket, h2c", "h2c, websocket"):
            with self.subTest(protocols):
                self.check_not_passed_on("Connection: Upgrade, HTTP2-Settings",
                                         f"Upgrade: {protocols}", settings)
        origin = self.origin()
        self.ask(self.reverse(origin), "/", "Connection: Upgrade, HTTP2-Settings",
                 "Upgrade: websocket", "Upgrade: h2c", settings)
        self.assertNotIn("h2c", origin.requests[0].value("Upgrade") or "")
        self.assertEqual(origin.requests[0].values("HTTP2-Settings"), [])

    def test_upgrade_that_is_none(self):
        self.check_not_passed_on("Upgrade: websocket")  # not named by Connection
        self.check_not_passed_on("Connection: upgrade")
        self.check_not_passed_on(*WEBSOCKET, version="1.0")

    def test_upgrade_of_a_request_with_a_body_is_not_passed_on(self):
        self.check_not_passed_on(*WEBSOCKET, method="POST", body=b"hello")
        origin = self.origin()
        client = self.client(self.reverse(origin))
        client.send(head_bytes("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked",
                               *WEBSOCKET) + chunked(b"hello"))
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(origin.requests[0].values("Upgrade"), [])

    def check_unasked(self, *fields, switch=SWITCH, **options):
        proxy = self.reverse(self.origin(switch + b"not for HTTP"))
        response = self.ask(proxy, "/", *fields, **options)
        self.assertEqual(response.status, 502)
        self.assertIn("http_protocol_error", response.value("Proxy-Status"))
        self.assertNotIn(b"not for", response.body)
        self.assertEqual(response.values("Upgrade"), [])

    def test_101_that_nobody_asked_for(self):
        self.check_unasked()
        self.check_unasked("Upgrade: websocket")
        self.check_unasked(*WEBSOCKET, method="POST", body=b"hello")
        self.check_unasked(*WEBSOCKET, version="1.0")
        self.check_unasked("Connection: upgrade", "Upgrade: h2c",
                           switch=SWITCH.replace(b"websocket", b"h2c"))

    def test_101_to_another_protocol(self):
        self.check_unasked("Connection: upgrade", "Upgrade: example/2, web, websocket2")
        self.check_unasked(*WEBSOCKET, switch=SWITCH.replace(b"Upgrade: websocket\r\n", b""))
        self.check_unasked(*WEBSOCKET, switch=SWITCH.replace(b"websocket", b"websocket, h2c", 1))

    def test_ends_of_either_side(self):
        for server_first in (True, False):
            with self.subTest(server_first=server_first):
                origin = self.origin(lambda _, wire: wire.send(SWITCH + b"x") or None)
                client = self.client(self.reverse(origin))
                client.send(request_bytes("/chat", *WEBSOCKET))
                self.assertEqual(client.read_response().status, 101)
                if server_first:
                    origin.connections[0].finish_sending()
                    self.assertEqual(client.read_to_end(), b"x")
                client.close()
                wait_until(lambda: origin.connections[0].closed, "the end at the server")


class ConnectTest(ScenarioTest):
    def tunnel(self, serve, **sections):
        """A client with a tunnel to that server."""
        origin = self.origin(serve=serve)
        port = int(origin.address.rpartition(":")[2])
        self.proxy = self.forward(**({"forward": {"connect_ports": [port]}} | sections))
        client = self.client(self.proxy)
        client.send(head_bytes(f"CONNECT {origin.address} HTTP/1.1", f"Host: {origin.address}"))
        return origin, client

    def open(self, serve, **sections):
        origin, client = self.tunnel(serve, **sections)
        head = client.read_head()
        self.assertRegex(head.start, r"\AHTTP/1\.1 200 ")
        self.assertEqual(head.values("Content-Length"), [])
        self.assertEqual(head.values("Transfer-Encoding"), [])
        return origin, client

    def test_client_ends_first_and_still_reads(self):
        def serve(wire):
            question = wire.read_to_end()
            wire.send(b"all of " + question)

        _, client = self.open(serve)
        client.send(b"the question")
        client.finish_sending()
        self.assertEqual(client.read_to_end(), b"all of the question")

    def test_server_ends_first_and_still_reads(self):
        heard = []
        done = threading.Event()

        def serve(wire):
            wire.send(b"the last word")
            wire.finish_sending()
            heard.append(wire.read_to_end())
            done.set()

        _, client = self.open(serve)
        self.assertEqual(client.read_to_end(), b"the last word")
        client.send(b"but one more")
        client.finish_sending()
        self.assertTrue(done.wait(20))
        self.assertEqual(heard, [b"but one more"])

    def test_server_speaks_first(self):
        _, client = self.open(lambda wire: wire.send(b"220 hello\r\n") or wire.ends())
        self.assertEqual(client.read_exactly(11), b"220 hello\r\n")

    def test_client_does_not_wait_for_the_answer(self):
        def serve(wire):
            wire.send(wire.read_exactly(6))

        origin = self.origin(serve=serve)
        port = int(origin.address.rpartition(":")[2])
        client = self.client(self.forward(forward={"connect_ports": [port]}))
        client.send(head_bytes(f"CONNECT {origin.address} HTTP/1.1", "Host: a")
                    + b"\x16\x03\x01abc")
        self.assertEqual(client.read_head().status, 200)
        self.assertEqual(client.read_exactly(6), b"\x16\x03\x01abc")

    def test_large_transfers_both_ways_at_once(self):
        up, down = bytes(range(251)) * 120_000, bytes(range(241)) * 120_000
        digests = []
        done = threading.Event()

        def read(wire):
            digests.append(hashlib.sha256(wire.read_to_end()).digest())
            done.set()

        def serve(wire):
            self.alongside(read, wire)
            wire.send(down)
            wire.finish_sending()
            done.wait(60)

        def send_up():
            client.send(up)
            client.finish_sending()

        _, client = self.open(serve)
        self.alongside(send_up)
        self.assertTrue(client.read_to_end() == down)
        self.assertTrue(done.wait(60))
        self.assertEqual(digests, [hashlib.sha256(up).digest()])

    def test_reset_is_passed_on(self):
        origin, client = self.open(
            lambda wire: wire.send(b"some") or wire.read_exactly(3) and wire.reset())
        self.assertEqual(client.read_exactly(4), b"some")
        client.send(b"end")
        wait_until(lambda: origin.connections[0].closed, "the reset")
        wait_for_reset(client)

    def test_reset_by_the_client_is_passed_on(self):
        how = []

        def serve(wire):
            try:
                how.append(wire.read_to_end())
            except Cut as cut:
                how.append(str(cut))

        _, client = self.open(serve)
        client.send(b"some")
        client.reset()
        wait_until(lambda: how, "the end at the server")
        self.assertEqual(how, ["reset"])

    def test_refused_connect_closes_the_connection(self):
        origin = self.origin()
        port = int(origin.address.rpartition(":")[2])
        proxy = self.forward(forward={"connect_ports": [port]})
        origin.stop()
        client = self.client(proxy)
        client.send(head_bytes(f"CONNECT {origin.address} HTTP/1.1", "Host: a")
                    + request_bytes("http://inner.test/"))
        response = client.read_response("CONNECT")
        self.assertEqual(response.status, 502)
        self.assertIn("connection_refused", response.value("Proxy-Status"))
        self.assertIn("close", response.connection_options)
        self.assertTrue(client.ends())

    def test_idle_tunnel_is_ended(self):
        origin, client = self.open(lambda wire: wire.ends(), timeouts={"tunnel_idle": "200ms"})
        wait_for_reset(client)
        wait_until(lambda: origin.connections[0].closed, "the end at the server")

    def test_tunnel_with_traffic_one_way_is_not_idle(self):
        def serve(wire):
            for _ in range(30):
                wire.dribble(b"x", pause=0.05)

        _, client = self.open(serve, timeouts={"tunnel_idle": "700ms"})
        self.assertEqual(client.read_to_end(), b"x" * 30)

    def test_sigterm_ends_tunnels_after_the_drain_time(self):
        _, client = self.open(lambda wire: wire.ends(), timeouts={"drain": "300ms"})
        self.proxy.stop()
        self.assertTrue(client.ends())


if __name__ == "__main__":
    unittest.main()
