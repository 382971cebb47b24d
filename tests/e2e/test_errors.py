"""What clients are told when there is no response to pass on."""

import socket
import unittest

from harness import ScenarioTest
from wire import head_bytes, request_bytes, response_bytes

MARK = "canary7341"  # in whatever the client sends; never in what it gets
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
REASONS = {
    400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 408: "Request Timeout",
    413: "Content Too Large", 414: "URI Too Long", 417: "Expectation Failed",
    421: "Misdirected Request", 431: "Request Header Fields Too Large", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    505: "HTTP Version Not Supported", 508: "Loop Detected",
}


def raw(line, *fields, host=f"{MARK}.test"):
    return head_bytes(line, f"Host: {host}", f"X-Mark: {MARK}", f"Cookie: {MARK}={MARK}",
                      f"User-Agent: <b>{MARK}</b>", *fields)


def get(*fields, target=f"/{MARK}?<script>{MARK}"):
    return raw(f"GET {target.replace('<', '%3C').replace('>', '%3E')} HTTP/1.1", *fields)


class ErrorTest(ScenarioTest):
    def check(self, proxy, data, status, error, method="GET", version="1.1"):
        """The same error as text and as HTML, as the client accepts."""
        for accept, wanted in ((None, TEXT), ("text/html,application/xhtml+xml,*/*;q=0.8", HTML),
                               ("*/*", TEXT), ("application/json", TEXT)):
            with self.subTest(accept):
                client = self.client(proxy)
                sent = data
                if accept:
                    line, rest = data.split(b"\r\n", 1)
                    sent = line + b"\r\nAccept: " + accept.encode() + b"\r\n" + rest
                client.send(sent)
                response = client.read_response(method, version)
                self.check_page(response, status, error)
                # A head that is not understood tells nothing about what the client accepts.
                self.assertIn(response.value("Content-Type"), {wanted, TEXT})
                if status not in (400, 408, 414, 431, 501, 505):
                    self.assertEqual(response.value("Content-Type"), wanted)

    def check_page(self, response, status, error):
        self.assertEqual(response.start, f"HTTP/1.1 {status} {REASONS[status]}")
        self.assertRegex(response.value("Proxy-Status"),
                         rf'\Aedge-1; error={error}(; details="[ -~]+")?\Z')
        self.assertEqual(response.value("Cache-Control"), "no-store")
        self.assertEqual(response.framing, "length")
        self.assertEqual(len(response.values("Date")), 1)
        self.assertNotIn(MARK.encode(), response.raw_head + response.body)
        self.assertNotIn(b"script", response.body)
        if response.value("Content-Type") == HTML:
            self.assertTrue(response.body.startswith(b"<!DOCTYPE html>"))
            self.assertIn(f"<h1>{status} {REASONS[status]}</h1>".encode(), response.body)
        else:
            self.assertTrue(response.body.startswith(f"{status} {REASONS[status]}\n".encode()))
            self.assertNotIn(b"<", response.body)

    def penstock(self, sections):
        return super().penstock({"proxy": {"name": "edge-1"}} | sections)

    def served(self, **sections):
        return self.reverse(self.origin(), **sections)

    def test_400(self):
        proxy = self.served()
        for data in (get(f"X-{MARK} : x"), raw(f"GET {MARK} HTTP/1.1"), get(f"Host: {MARK}.test"),
                     raw(f"{MARK}"), get(f"Content-Length: {MARK}")):
            with self.subTest(data):
                self.check(proxy, data, 400, "http_request_error")

    def test_403(self):
        self.check(self.forward(), raw(f"CONNECT {MARK}.test:25 HTTP/1.1"), 403,
                   "http_request_denied", "CONNECT")
        self.check(self.forward(forward={"local_targets": "deny"}),
                   get(target=f"http://127.0.0.1:1/{MARK}"), 403, "destination_ip_prohibited")

    def test_405(self):
        proxy = self.served()
        self.check(proxy, raw(f"CONNECT {MARK}.test:443 HTTP/1.1"), 405, "http_request_denied",
                   "CONNECT")
        client = self.client(proxy)
        client.send(raw(f"CONNECT {MARK}.test:443 HTTP/1.1"))
        self.assertIn("GET", client.read_response().value("Allow"))

    def test_408(self):
        proxy = self.served(timeouts={"client_head": "100ms", "stall": "100ms"})
        self.check(proxy, get()[:-2], 408, "http_request_error")
        self.check(proxy, raw("POST / HTTP/1.1", "Content-Length: 100") + MARK.encode(), 408,
                   "http_request_error")

    def test_413(self):
        proxy = self.served(limits={"body": 10})
        self.check(proxy, raw("POST / HTTP/1.1", "Content-Length: 999999"), 413,
                   "http_request_error")

    def test_414(self):
        self.check(self.served(limits={"start_line": 64}), get(target="/" + MARK * 10), 414,
                   "http_request_error")

    def test_417(self):
        self.check(self.served(), get(f"Expect: {MARK}"), 417, "http_request_error")

    def test_421(self):
        proxy = self.served(route=[{"host": "only.test", "to": "app"}])
        self.check(proxy, get(), 421, "destination_not_found")

    def test_431(self):
        self.check(self.served(limits={"head": 1024}), get("X: " + MARK * 200), 431,
                   "http_request_error")
        self.check(self.served(limits={"fields": 9}), get(*[f"X-{MARK}: {MARK}"] * 9), 431,
                   "http_request_error")

    def test_501(self):
        self.check(self.served(), raw("POST / HTTP/1.1", f"Transfer-Encoding: {MARK}"), 501,
                   "http_request_error")
        self.check(self.forward(), get(target=f"https://{MARK}.test/"), 501, "http_request_error")

    def test_502_refused(self):
        unused = socket.socket()
        unused.bind(("127.0.0.1", 0))
        self.addCleanup(unused.close)
        proxy = self.reverse("{}:{}".format(*unused.getsockname()))
        self.check(proxy, get(), 502, "connection_refused")

    def test_502_no_such_host(self):
        self.check(self.forward(), get(target=f"http://{MARK}.invalid/"), 502, "dns_error")

    def test_502_closed_or_reset(self):
        for how in (lambda wire: wire.close(), lambda wire: wire.reset()):
            proxy = self.reverse(self.origin(lambda _, wire, how=how: how(wire)))
            self.check(proxy, get(), 502, "connection_terminated")

    def test_502_malformed(self):
        """Nothing of the malformed response is passed on."""
        good = response_bytes(MARK.encode())
        for name, data in {
            "garbage": b"220 smtp.test ESMTP " + MARK.encode() + b"\r\n\r\n",
            "binary": b"\x16\x03\x01\x02\x00\r\n\r\n",
            "bare LF": good.replace(b"\r\n", b"\n"),
            "one bare LF": good.replace(b"\r\n", b"\n", 1),
            "bare CR": head_bytes("HTTP/1.1 200 OK", f"X: {MARK}\rY: z", "Content-Length: 0"),
            "obs-fold": head_bytes("HTTP/1.1 200 OK", "X: y", f" {MARK}", "Content-Length: 0"),
            "NUL": head_bytes("HTTP/1.1 200 OK", f"X: {MARK}\0", "Content-Length: 0"),
            "space before the colon": head_bytes("HTTP/1.1 200 OK", "Content-Length : 0"),
            "length and chunked": head_bytes("HTTP/1.1 200 OK", "Content-Length: 5",
                                             "Transfer-Encoding: chunked") + b"0\r\n\r\n",
            "two lengths": head_bytes("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"),
            "unknown coding": head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"),
            "chunked in 1.0": head_bytes("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"),
            "chunked 204": head_bytes("HTTP/1.1 204 None", "Transfer-Encoding: chunked"),
            "HTTP/2": head_bytes("HTTP/2.0 200 OK", "Content-Length: 0"),
            "status 99": head_bytes("HTTP/1.1 99 Low", "Content-Length: 0"),
            "status 2000": head_bytes("HTTP/1.1 2000 High", "Content-Length: 0"),
        }.items():
            with self.subTest(name):
                self.check(self.reverse(self.origin(data)), get(), 502, "http_protocol_error")

    def test_502_too_large(self):
        proxy = self.reverse(self.origin(response_bytes(b"", "X: " + MARK * 200)),
                             limits={"head": 1024})
        self.check(proxy, get(), 502, "http_response_header_section_size")

    def test_504(self):
        proxy = self.reverse(self.origin(lambda _, wire: wire.ends() and None),
                             timeouts={"stall": "100ms"})
        self.check(proxy, get(), 504, "http_response_timeout")

    def test_505(self):
        self.check(self.served(), raw(f"GET /{MARK} HTTP/2.0"), 505, "http_request_error")

    def test_508(self):
        self.check(self.served(), get("Via: 1.1 edge-1"), 508, "proxy_loop_detected")

    def test_head_gets_the_same_without_content(self):
        proxy = self.served(route=[{"host": "only.test", "to": "app"}])
        client = self.client(proxy)
        whole = client.request("/")
        for _ in range(2):
            client.send(request_bytes("/", method="HEAD"))
            response = client.read_response("HEAD")
            self.assertEqual(response.status, 421)
            self.assertEqual(response.value("Proxy-Status"), whole.value("Proxy-Status"))
            self.assertIn(response.value("Content-Length"), {None, whole.value("Content-Length")})
        self.assertEqual(client.request("/").body, whole.body)

    def test_http10(self):
        response = self.ask(self.served(), "/", f"Expect: {MARK}", version="1.0")
        self.assertEqual(response.status, 417)
        self.assertEqual(response.framing, "length")

    def test_errors_of_routing_keep_the_connection(self):
        client = self.client(self.served(route=[{"host": "example.test", "to": "app"}]))
        self.assertEqual(client.request("/", host="other.test").status, 421)
        self.assertEqual(client.request("/", "Via: 1.1 edge-1").status, 508)
        self.assertEqual(client.request("/").status, 200)

    def test_each_process_has_a_name_of_its_own_unless_told(self):
        names = set()
        for _ in range(2):
            proxy = self.served(proxy={}, route=[{"host": "only.test", "to": "app"}])
            name = self.ask(proxy, "/").value("Proxy-Status").partition(";")[0]
            self.assertRegex(name, r"\Apenstock-[0-9a-f]{8}\Z")
            names.add(name)
        self.assertEqual(len(names), 2)

    def test_servers_own_errors_are_passed_on(self):
        for status in ("400 Bad", "404 Not Found", "500 Oh", "502 Mine", "599 What"):
            with self.subTest(status):
                answer = response_bytes(b"its own words", status=status)
                response = self.ask(self.reverse(self.origin(answer)), "/")
                self.assertEqual(response.start, f"HTTP/1.1 {status}")
                self.assertEqual(response.body, b"its own words")
                self.assertEqual(response.values("Proxy-Status"), [])


if __name__ == "__main__":
    unittest.main()
