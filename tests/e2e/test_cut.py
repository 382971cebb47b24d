"""Messages that break off: the other side sees that, and never takes them for whole ones."""

import threading
import unittest

from harness import ScenarioTest, wait_until
from wire import Cut, Wire, chunk, head_bytes, request_bytes, response_bytes

CHUNKED = "Transfer-Encoding: chunked"


def end(wire):
    wire.finish_sending()
    wire.ends()


ENDS = (("closes", end), ("resets", Wire.reset))


class ServerDiesTest(ScenarioTest):
    BREAKS = {
        "at the start of a body with Content-Length": head_bytes(
            "HTTP/1.1 200 OK", "Content-Length: 100"),
        "in a body with Content-Length": head_bytes(
            "HTTP/1.1 200 OK", "Content-Length: 100") + b"x" * 50,
        "before the last byte of a large body": head_bytes(
            "HTTP/1.1 200 OK", "Content-Length: 1000000") + b"x" * 999_999,
        "in a chunk": head_bytes("HTTP/1.1 200 OK", CHUNKED) + b"64\r\n" + b"x" * 50,
        "behind a chunk": head_bytes("HTTP/1.1 200 OK", CHUNKED) + chunk(b"x" * 50),
        "in a chunk's size": head_bytes("HTTP/1.1 200 OK", CHUNKED) + chunk(b"x" * 50) + b"5",
        "behind the size of the last chunk": head_bytes(
            "HTTP/1.1 200 OK", CHUNKED) + chunk(b"x" * 50) + b"0\r\n",
        "in the trailers": head_bytes(
            "HTTP/1.1 200 OK", CHUNKED) + chunk(b"x" * 50) + b"0\r\nX-Sum: 5\r\n",
    }

    def check_cut(self, data, how, version):
        def answer(request, wire):
            if request.target != "/die":
                return response_bytes(b"alive")
            wire.send(data)
            how(wire)
            return wire.close()

        proxy = self.reverse(self.origin(answer))
        client = self.client(proxy)
        client.send(request_bytes("/die", version=version))
        try:
            response = client.read_response(version=version)
        except Cut:
            pass
        else:
            # A reset may have overtaken all that was sent.
            self.assertEqual((how, response.status), (Wire.reset, 502), "looks complete")
        self.assertEqual(self.ask(proxy, "/").body, b"alive")

    def test_to_http11(self):
        for name, data in self.BREAKS.items():
            for what, how in ENDS:
                with self.subTest(f"{what} {name}"):
                    self.check_cut(data, how, "1.1")

    def test_to_http10(self):
        """Where the end of the connection is the end of the body, only a reset tells."""
        for name, data in self.BREAKS.items():
            for what, how in ENDS:
                with self.subTest(f"{what} {name}"):
                    self.check_cut(data, how, "1.0")

    def test_reset_in_a_body_that_ends_with_the_connection(self):
        """The client gets chunks, and no last one; HTTP/1.0 gets a reset in its turn."""
        for version in ("1.1", "1.0"):
            with self.subTest(version):
                arrived = threading.Event()

                def answer(_, wire, arrived=arrived):
                    wire.send(head_bytes("HTTP/1.1 200 OK") + b"x" * 50)
                    arrived.wait(20)
                    wire.reset()

                client = self.client(self.reverse(self.origin(answer)))
                client.send(request_bytes("/", version=version))
                head = client.read_response_head(version=version)
                arrived.set()
                with self.assertRaises(Cut):
                    client.read_body(head)
                    self.fail(f"looks complete: {head}")

    def test_clean_end_of_such_a_body_is_its_end(self):
        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK") + b"x" * 50)
            end(wire)
            wire.close()

        proxy = self.reverse(self.origin(answer))
        for version in ("1.1", "1.0"):
            with self.subTest(version):
                self.assertEqual(self.ask(proxy, "/", version=version).body, b"x" * 50)

    def test_malformed_chunks_are_a_cut(self):
        for version in ("1.1", "1.0"):
            for behind in (b"zz\r\n", b"5\nhello\r\n", b"5\r\nhello5\r\n", b"0\r\nX : y\r\n\r\n"):
                with self.subTest(f"{behind} for {version}"):
                    data = head_bytes("HTTP/1.1 200 OK", CHUNKED) + chunk(b"x" * 50) + behind
                    client = self.client(self.reverse(self.origin(data)))
                    client.send(request_bytes("/", version=version))
                    with self.assertRaises(Cut):
                        response = client.read_response(version=version)
                        self.fail(f"looks complete: {response}")

    def test_in_a_head(self):
        for data in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"HTTP",
                     b"HTTP/1.1 100 C\r\n\r\n"):
            for name, how in ENDS:
                with self.subTest(f"{data}, then it {name}"):
                    def answer(_, wire, data=data, how=how):
                        wire.send(data)
                        how(wire)
                        wire.close()

                    response = self.ask(self.reverse(self.origin(answer)), "/", method="POST",
                                        body=b"once")
                    self.assertEqual(response.status, 502)
                    self.assertIn("connection_terminated", response.value("Proxy-Status"))


class ClientDiesTest(ScenarioTest):
    """The request breaks off: the server must not take it for a whole one."""

    BREAKS = {
        "in a body with Content-Length": ("Content-Length: 100", b"x" * 50),
        "before the last byte": ("Content-Length: 1000000", b"x" * 999_999),
        "in a chunk": (CHUNKED, b"64\r\n" + b"x" * 50),
        "behind a chunk": (CHUNKED, chunk(b"x" * 50)),
        "before the last line": (CHUNKED, chunk(b"x" * 50) + b"0\r\n"),
    }

    def recording(self):
        def serve(wire):
            while True:
                head = wire.read_request_head()
                self.begun.append(head)
                try:
                    wire.read_body(head)
                except Cut:
                    self.cuts.append(head)
                    raise
                self.whole.append(head)
                wire.send(response_bytes(b"whole"))

        self.begun, self.cuts, self.whole = [], [], []
        return self.origin(serve=serve)

    def check(self, leave):
        for name, (framing, body) in self.BREAKS.items():
            with self.subTest(name):
                proxy = self.reverse(self.recording())
                client = self.client(proxy)
                client.send(head_bytes("POST / HTTP/1.1", "Host: example.test", framing) + body)
                wait_until(lambda: self.begun, "the request to begin")
                leave(client)
                wait_until(lambda: self.cuts, "the cut at the server")
                self.assertEqual(self.whole, [])
                self.assertEqual(self.ask(proxy, "/").body, b"whole")

    def test_resets(self):
        self.check(lambda client: client.reset())

    def test_closes(self):
        self.check(lambda client: client.close())

    def test_ends_its_direction_and_is_told(self):
        def leave(client):
            client.finish_sending()
            response = client.read_response()
            self.assertEqual(response.status, 400)
            self.assertIn("incomplete", response.value("Proxy-Status"))
            self.assertTrue(client.ends())

        self.check(leave)

    def test_malformed_chunk_in_the_middle(self):
        proxy = self.reverse(self.recording())
        client = self.client(proxy)
        client.send(head_bytes("POST / HTTP/1.1", "Host: example.test", CHUNKED) + chunk(b"good"))
        wait_until(lambda: self.begun, "the request to begin")
        client.send(b"bad\nchunk")
        self.assertEqual(client.read_response().status, 400)
        wait_until(lambda: self.cuts, "the cut at the server")
        self.assertEqual(self.whole, [])

    def test_client_leaves_within_the_response(self):
        """The server's connection goes with it, and nobody else gets its bytes."""
        def answer(request, wire):
            if request.target == "/long":
                wire.send(head_bytes("HTTP/1.1 200 OK", "Content-Length: 100000000"))
                while True:
                    wire.send(b"x" * 100_000)
            return response_bytes(b"mine")

        for leave in (lambda client: client.reset(), lambda client: client.close()):
            origin = self.origin(answer)
            proxy = self.reverse(origin)
            client = self.client(proxy)
            client.send(request_bytes("/long"))
            client.read_exactly(1_000_000)
            leave(client)
            wait_until(lambda origin=origin: origin.connections[0].closed, "the end at the server")
            self.assertEqual(self.ask(proxy, "/").body, b"mine")

    def test_client_leaves_while_the_server_thinks(self):
        origin = self.origin(lambda request, wire: wire.ends() and wire.close())
        client = self.client(self.reverse(origin))
        client.send(request_bytes("/"))
        wait_until(lambda: origin.requests, "the request")
        client.reset()
        wait_until(lambda: origin.connections[0].closed, "the end at the server")


if __name__ == "__main__":
    unittest.main()
