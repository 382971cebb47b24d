"""The access log: a line for each transaction, whole and true, and never in the way."""

import json
import os
import re
import signal
import tempfile
import unittest

from harness import ScenarioTest, wait_until
from wire import Cut, chunked, head_bytes, request_bytes, response_bytes

KEYS = {
    "time": str, "connection": int, "request": int, "client": str, "method": str, "target": str,
    "host": str, "version": str, "status": int, "bytes_in": int, "bytes_out": int, "body_out": int,
    "bytes_to_server": int, "head_us": int, "acquire_us": int, "wait_us": int,
    "first_byte_us": int, "total_us": int, "server_reused": bool, "client_reused": bool,
    "attempts": int, "client_close": str, "server_close": str,
}
OPTIONAL = {"upstream": str, "server": str, "error": str, "detail": str}


class AccessLogTest(ScenarioTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "access.log")

    def logging(self, *origins, style="json", **sections):
        log = {"access": self.path, "access_format": style}
        if not origins:
            return self.forward(log=log, **sections)
        return self.reverse(*origins, log=log, **sections)

    def lines(self, count, path=None):
        """The lines of the log, as soon as there are so many."""
        def read():
            try:
                with open(path or self.path, "rb") as file:
                    data = file.read()
            except FileNotFoundError:
                return None
            return data.split(b"\n")[:-1] if data.count(b"\n") >= count else None

        lines = wait_until(read, f"{count} lines")
        self.assertEqual(len(lines), count, lines)
        return lines

    def records(self, count):
        records = []
        for line in self.lines(count):
            self.assertRegex(line, rb"\A[ -~]+\Z")
            record = json.loads(line)
            self.assertLessEqual(set(KEYS), set(record))
            for key, value in record.items():
                self.assertIs(type(value), (KEYS | OPTIONAL)[key], key)
            self.assertRegex(record["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            self.assertLessEqual(record["first_byte_us"], record["total_us"])
            records.append(record)
        return records

    def check(self, record, **wanted):
        self.assertEqual({key: record.get(key) for key in wanted}, wanted)


class JsonTest(AccessLogTest):
    def test_plain_requests(self):
        origin = self.origin(response_bytes(b"x" * 1000))
        client = self.client(self.logging(origin))
        client.request("/a?b=c")
        client.request("/d", method="POST", body=b"y" * 500)
        client.request("/e", "Connection: close")
        first, second, third = self.records(3)
        self.check(first, request=1, method="GET", target="/a?b=c", host="example.test",
                   version="HTTP/1.1", status=200, bytes_in=0, body_out=1000, upstream="app",
                   server=origin.address, server_reused=False, client_reused=False, attempts=1,
                   client_close="kept",
                   server_close="kept", error=None, detail=None)
        self.check(second, request=2, method="POST", bytes_in=500, server_reused=True,
                   client_reused=True, connection=first["connection"])
        self.check(third, request=3, client_close="said_close", server_close="kept")
        self.assertEqual(first["client"], "{}:{}".format(*client.socket.getsockname()))
        self.assertGreater(first["bytes_out"], 1000)
        self.assertGreater(second["bytes_to_server"], 500)

    def test_content_is_counted_without_framing(self):
        origin = self.origin(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
                             + chunked(b"z" * 3000, 10))
        client = self.client(self.logging(origin))
        client.send(head_bytes("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
                    + chunked(b"y" * 700, 3))
        client.read_response()
        self.check(self.records(1)[0], bytes_in=700, body_out=3000)

    def test_head_and_http10(self):
        client = self.client(self.logging(self.origin(
            lambda request, _: response_bytes(b"" if request.method == "HEAD" else b"hello"))))
        client.send(request_bytes("/", method="HEAD"))
        client.read_response("HEAD")
        client.request("/", version="1.0")
        first, second = self.records(2)
        self.check(first, method="HEAD", body_out=0, client_close="kept")
        self.check(second, version="HTTP/1.0", client_close="said_close", body_out=5)

    def test_refused_requests(self):
        proxy = self.logging(self.origin(), route=[{"host": "only.test", "to": "app"}])
        self.ask(proxy, "/x")
        client = self.client(proxy)
        client.send(b"\x16\x03\x01\x00\r\n\r\n")
        client.read_response()
        no_route, garbage = self.records(2)
        self.check(no_route, status=421, error="destination_not_found", detail="no_route",
                   attempts=0, server=None, server_close="not_opened", client_close="kept")
        self.check(garbage, status=400, error="http_request_error", method="", target="",
                   version="HTTP/1.1", client_close="refused_message")

    def test_hostile_text(self):
        """Whatever stands in a request, a line is a line, and JSON."""
        proxy = self.logging(self.origin())
        targets = ['/"', "/\\", '/","status":999,"x":"', "/%0a%0d%22", "/\\u0000", "/" + "x" * 9000,
                   "/{}[]':,", "/'`$(id)"]
        for target in targets:
            self.ask(proxy, target, f'User-Agent: "\\{target}', "X-Bytes: \xff\xfe\x80",
                     'Referer: "}\\')
        client = self.client(proxy)
        client.send(b"GET /\xff\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_response()
        client = self.client(proxy)
        client.send(b"GET /a\x1b[2J\x00\n{} HTTP/1.1\r\nHost: \"\\\r\n\r\n")
        client.read_response()
        records = self.records(len(targets) + 2)
        logged = [record["target"] for record in records]
        for target, record in zip(targets, records):
            if record["status"] == 200:
                self.assertEqual(record["target"], target)
        self.assertIn("/%0a%0d%22", logged)

    def test_failures(self):
        refused = self.origin()
        proxy = self.logging(refused)
        refused.stop()
        self.ask(proxy, "/")
        self.check(self.records(1)[0], status=502, error="connection_refused",
                   server_close="not_opened", attempts=1)

    def test_cut_response(self):
        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK", "Content-Length: 100") + b"x" * 40)
            wire.close()

        client = self.client(self.logging(self.origin(answer)))
        client.send(request_bytes("/"))
        with self.assertRaises(Cut):
            client.read_response()
        record = self.records(1)[0]
        self.check(record, status=200, detail="response_cut", body_out=40,
                   client_close="other_side_failed")
        self.assertIn(record["server_close"], {"broken", "peer_closed"})

    def test_client_that_leaves(self):
        origin = self.origin(lambda request, wire: wire.ends() and None)
        client = self.client(self.logging(origin))
        client.send(request_bytes("/"))
        wait_until(lambda: origin.requests, "the request")
        client.reset()
        self.check(self.records(1)[0], status=0, error="client_gone")

    def test_client_that_leaves_in_the_middle_of_a_response(self):
        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK", "Content-Length: 100") + b"x" * 40)
            wire.ends()
        client = self.client(self.logging(self.origin(answer)))
        client.send(request_bytes("/"))
        self.assertIn(b"x", client.socket.recv(65536))
        client.reset()
        record = self.records(1)[0]
        self.check(record, status=200, error="client_gone", client_close="cancelled")
        self.assertNotIn("detail", record)

    def test_client_that_says_nothing_is_not_logged(self):
        proxy = self.logging(self.origin())
        for data in (b"", b"GET / HTTP/1.1\r\n"):
            client = self.client(proxy)
            client.send(data)
            client.close()
        self.ask(proxy, "/only")
        self.check(self.records(1)[0], target="/only")

    def test_retry(self):
        def answer(request, wire):
            if len(origin.requests) == 2:
                return wire.reset()
            return response_bytes()

        origin = self.origin(answer)
        client = self.client(self.logging(origin))
        client.request("/1")
        client.request("/2")
        self.check(self.records(2)[1], attempts=2, status=200, server_reused=False, error=None)

    def test_tunnel(self):
        origin = self.origin(serve=lambda wire: wire.read_exactly(100) and wire.send(b"x" * 300))
        port = int(origin.address.rpartition(":")[2])
        client = self.client(self.logging(forward={"connect_ports": [port]}))
        client.send(head_bytes(f"CONNECT {origin.address} HTTP/1.1", "Host: a") + b"y" * 100)
        client.read_head()
        self.assertEqual(client.read_to_end(), b"x" * 300)
        client.close()
        record = self.records(1)[0]
        self.check(record, method="CONNECT", target=origin.address, status=200, bytes_in=100,
                   body_out=0, client_close="tunnel_ended", server_close="tunnel_ended",
                   server=origin.address)
        self.assertGreater(record["bytes_out"], 300)

    def test_all_that_was_served_is_logged_at_the_end(self):
        proxy = self.logging(self.origin())
        client = self.client(proxy)
        for number in range(500):
            client.request(f"/{number}")
        proxy.stop()
        self.assertEqual([r["target"] for r in self.records(500)], [f"/{n}" for n in range(500)])


class FormatTest(AccessLogTest):
    def line(self, style, *fields, target="/a?b", **options):
        origin = self.origin(response_bytes(b"x" * 77))
        self.ask(self.logging(origin, style=style), target, *fields, **options)
        self.server = origin.address
        return self.lines(1)[0].decode("ascii")

    TIME = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"

    def test_common(self):
        self.assertRegex(self.line("common"),
                         rf'\A127\.0\.0\.1 - - {self.TIME} "GET /a\?b HTTP/1\.1" 200 77\Z')

    def test_combined(self):
        line = self.line("combined", 'User-Agent: a "b" \\ \xff', "Referer: http://c/")
        self.assertRegex(line, rf'\A127\.0\.0\.1 - - {self.TIME} "GET /a\?b HTTP/1\.1" 200 77 ')
        self.assertTrue(line.endswith(r' "http://c/" "a \x22b\x22 \x5C \xFF"')
                        or line.endswith(r' "http://c/" "a \x22b\x22 \x5c \xff"'), line)

    def test_combined_without_fields(self):
        self.assertTrue(self.line("combined").endswith(' 200 77 "-" "-"'))

    def test_squid(self):
        line = self.line("squid")
        self.assertRegex(line, r"\A\d{10}\.\d{3} +\d+ 127\.0\.0\.1 TCP_MISS/200 \d+ GET \S+ - "
                               + re.escape(f"HIER_DIRECT/{self.server.split(':')[0]}"))

    def test_hostile_target(self):
        for style in ("common", "combined"):
            with self.subTest(style):
                line = self.line(style, target='/"%22\\')
                self.assertEqual(line.count('"'), 2 if style == "common" else 6, line)
                os.unlink(self.path)


class FileTest(AccessLogTest):
    def test_reopened_after_a_rename(self):
        proxy = self.logging(self.origin())
        self.ask(proxy, "/before")
        self.lines(1)
        os.rename(self.path, self.path + ".1")
        proxy.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(self.path), "the new file")
        self.ask(proxy, "/after")
        self.check(self.records(1)[0], target="/after")
        self.assertEqual(json.loads(self.lines(1, self.path + ".1")[0])["target"], "/before")

    def test_nothing_is_lost_while_it_is_rotated(self):
        proxy = self.logging(self.origin())
        client = self.client(proxy)
        for turn in range(5):
            for number in range(100):
                client.request(f"/{turn}/{number}")
            os.rename(self.path, f"{self.path}.{turn}")
            proxy.signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(self.path), "the new file")
        proxy.stop()
        seen = []
        for path in [f"{self.path}.{turn}" for turn in range(5)] + [self.path]:
            with open(path, encoding="ascii") as file:
                seen += [json.loads(line)["target"] for line in file]
        self.assertEqual(seen, [f"/{turn}/{number}" for turn in range(5) for number in range(100)])

    def test_appends(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("there before\n")
        self.ask(self.logging(self.origin()), "/")
        self.assertEqual(self.lines(2)[0], b"there before")

    def serve_much(self, proxy, origin):
        """More lines than a pipe holds."""
        client = self.client(proxy)
        for _ in range(300):
            self.assertEqual(client.request("/" + "x" * 8000).status, 200)
        self.assertEqual(len(origin.requests), 300)

    def serve_some(self, proxy):
        for _ in range(20):
            self.assertEqual(self.ask(proxy, "/").status, 200)

    def test_pipe_that_nobody_reads(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDWR)
        self.addCleanup(os.close, reader)
        origin = self.origin()
        proxy = self.logging(origin)
        self.serve_much(proxy, origin)
        proxy.signal(signal.SIGUSR1)
        self.serve_some(proxy)
        proxy.stop(limit=10)

    def test_pipe_without_a_reader(self):
        os.mkfifo(self.path)
        origin = self.origin()
        proxy = self.logging(origin)
        self.serve_much(proxy, origin)
        proxy.signal(signal.SIGUSR1)
        self.serve_some(proxy)
        proxy.stop(limit=10)

    def test_full_disk(self):
        self.path = "/dev/full"
        proxy = self.logging(self.origin())
        self.serve_some(proxy)
        proxy.stop(limit=10)


if __name__ == "__main__":
    unittest.main()
