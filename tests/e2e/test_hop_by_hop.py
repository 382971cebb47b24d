"""Fields that belong to one connection, and those that a proxy has to add."""

import email.utils
import time
import unittest

from harness import ScenarioTest
from wire import head_bytes, response_bytes

NAME = "edge-1"


class HopByHopTest(ScenarioTest):
    def through(self, *fields, answer=response_bytes(), forward=False, **options):
        """The request as the server saw it, and the response as the client did."""
        origin = self.origin(answer)
        settings = {"proxy": {"name": NAME}}
        proxy = self.forward(**settings) if forward else self.reverse(origin, **settings)
        response = self.ask(proxy, (origin.url if forward else "") + "/", *fields, **options)
        self.assertEqual(response.status, 200)
        return origin.requests[0], response

    HOP_BY_HOP = ("Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
                  "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x",
                  "Proxy-Authorization: Basic YQ==", "Upgrade: example/1", "X-Nominated: 1")
    NAMES = tuple(field.partition(":")[0] for field in HOP_BY_HOP)

    def test_of_requests(self):
        for forward in (False, True):
            for connection in ("x-nominated", "keep-alive, X-NOMINATED", " , ,X-Nominated,,"):
                with self.subTest(f"{connection}, forward: {forward}"):
                    request, _ = self.through(f"Connection: {connection}", *self.HOP_BY_HOP,
                                              "TE: gzip", "X-Kept: 1", forward=forward)
                    for name in (*self.NAMES, "TE"):
                        self.assertEqual(request.values(name), [], name)
                    self.assertEqual(request.values("X-Kept"), ["1"])
                    self.assertEqual(request.connection_options - {"keep-alive"}, set())

    def test_of_responses(self):
        fields = [f for f in self.HOP_BY_HOP if not f.startswith("Proxy-Auth")]
        _, response = self.through(answer=response_bytes(
            b"", "Connection: keep-alive, x-NOMINATED", *fields, "X-Kept: 1"))
        for name in ("Keep-Alive", "Proxy-Connection", "X-Nominated"):
            self.assertEqual(response.values(name), [], name)
        self.assertEqual(response.values("X-Kept"), ["1"])
        self.assertNotIn("x-nominated", response.connection_options)

    def test_several_connection_lines(self):
        request, _ = self.through("Connection: X-A", "connection: X-B", "X-A: 1", "X-B: 1",
                                  "X-C: 1", "x-a: 2")
        self.assertEqual([request.values(f"X-{n}") for n in "ABC"], [[], [], ["1"]])

    def test_nominated_fields_that_are_not_hop_by_hop(self):
        """A client must not have the proxy drop what both sides rely on."""
        request, _ = self.through(
            "Connection: Host, Content-Length, Via, Cookie, Authorization", "Cookie: a",
            "Authorization: Basic YTpi", "Via: 1.1 before", method="POST", body=b"hello")
        self.assertEqual(request.values("Host"), ["example.test"])
        self.assertEqual(request.body, b"hello")
        self.assertEqual(request.value("Via"), f"1.1 before, 1.1 {NAME}")
        self.assertEqual(request.values("Cookie"), ["a"])
        self.assertEqual(request.values("Authorization"), ["Basic YTpi"])

    def test_nominated_transfer_encoding(self):
        origin = self.origin()
        client = self.client(self.reverse(origin))
        client.send(head_bytes("POST / HTTP/1.1", "Host: a", "Connection: Transfer-Encoding",
                               "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual((origin.requests[0].framing, origin.requests[0].body),
                         ("chunked", b"hello"))

    def test_nominated_framing_of_a_response(self):
        for answer in (response_bytes(b"hello", "Connection: Content-Length"),
                       head_bytes("HTTP/1.1 200 OK", "Connection: transfer-encoding",
                                  "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"):
            _, response = self.through(answer=answer)
            self.assertEqual(response.body, b"hello")

    def test_end_to_end_fields_are_left_alone(self):
        """In value, order and number."""
        fields = ["Cookie: a=b", "Cookie: c=d", "Accept: */*;q=0.1,text/x", "X-Empty:",
                  "Authorization: Basic YTpi", "Cache-Control: no-cache", "Range: bytes=0-5",
                  "If-None-Match: \"x\", W/\"y\"", "X-Bytes: \xe4\xf6\xfc", "x-Odd-cAsE: 1",
                  "Content-Encoding: gzip", "Referer: http://a/?b"]
        request, response = self.through(*fields, answer=response_bytes(
            b"", "Set-Cookie: a=b, c", "Set-Cookie: d=e", "ETag: \"x\"", "Vary: *", "X-Empty:",
            "WWW-Authenticate: Basic realm=\"x\", Digest y=z", "Server: s", "X-Bytes: \xe4"))
        wanted = [tuple(part.strip() for part in field.split(":", 1)) for field in fields]
        got = [field for field in request.fields if field in wanted]
        self.assertEqual(got, wanted)
        self.assertEqual(response.values("Set-Cookie"), ["a=b, c", "d=e"])
        self.assertEqual(response.value("WWW-Authenticate"), "Basic realm=\"x\", Digest y=z")
        self.assertEqual((response.value("Server"), response.value("X-Bytes")), ("s", "\xe4"))

    def test_via(self):
        request, response = self.through(answer=response_bytes())
        self.assertEqual(request.value("Via"), f"1.1 {NAME}")
        self.assertEqual(response.value("Via"), f"1.1 {NAME}")
        request, response = self.through("Via: 1.0 a, 1.1 b", "Via: HTTP/1.1 c (d)", version="1.0",
                                         answer=response_bytes(b"", "Via: 1.1 x", version="1.0"))
        self.assertEqual(request.value("Via"), f"1.0 a, 1.1 b, HTTP/1.1 c (d), 1.0 {NAME}")
        self.assertEqual(response.value("Via"), f"1.1 x, 1.0 {NAME}")

    def test_via_through_two_proxies(self):
        origin = self.origin()
        inner = self.reverse(origin, proxy={"name": "inner"})
        outer = self.reverse(inner.address, proxy={"name": "outer"})
        response = self.ask(outer, "/")
        self.assertEqual(origin.requests[0].value("Via"), "1.1 outer, 1.1 inner")
        self.assertEqual(response.value("Via"), "1.1 inner, 1.1 outer")
        self.assertEqual(origin.requests[0].value("X-Forwarded-For"), "127.0.0.1, 127.0.0.1")

    def test_date_is_supplied_when_missing(self):
        _, response = self.through()
        (date,) = response.values("Date")
        self.assertRegex(date, r"\A[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\Z")
        seconds = email.utils.parsedate_to_datetime(date).timestamp()
        self.assertLess(abs(seconds - time.time()), 5)
        _, response = self.through(answer=response_bytes(b"", "Date: my own"))
        self.assertEqual(response.values("Date"), ["my own"])

    def test_versions(self):
        """Both sides always get HTTP/1.1, and framing that they understand."""
        for client in ("1.0", "1.1"):
            for server in ("1.0", "1.1"):
                with self.subTest(f"client {client}, server {server}"):
                    request, response = self.through(
                        version=client, answer=response_bytes(b"hello", version=server))
                    self.assertTrue(request.start.endswith("HTTP/1.1"))
                    self.assertTrue(response.start.startswith("HTTP/1.1 200 "))
                    self.assertEqual(response.body, b"hello")
                    self.assertTrue(request.value("Via").startswith(client + " "))
                    self.assertTrue(response.value("Via").startswith(server + " "))

    def test_minor_versions_to_come(self):
        origin = self.origin(response_bytes(version="1.9"))
        client = self.client(self.reverse(origin))
        client.send(head_bytes("GET / HTTP/1.7", "Host: a"))
        self.assertEqual(client.read_response().start, "HTTP/1.1 200 OK")
        self.assertEqual(origin.requests[0].start, "GET / HTTP/1.1")

    def test_reasons(self):
        for status in ("200 All Right", "200 ", "299 \xe4", "404 (?)"):
            with self.subTest(status):
                response = self.ask(self.reverse(self.origin(response_bytes(status=status))), "/")
                self.assertEqual(response.start, f"HTTP/1.1 {status}")

    def test_methods_without_body_say_so(self):
        for method, wanted in (("POST", ["0"]), ("PUT", ["0"]), ("PATCH", ["0"]), ("GET", []),
                               ("DELETE", []), ("OPTIONS", [])):
            request, _ = self.through(method=method)
            self.assertEqual(request.values("Content-Length"), wanted, method)


if __name__ == "__main__":
    unittest.main()
