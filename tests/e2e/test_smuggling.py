"""Requests that two parsers could read differently: each is refused, and no origin hears of it."""

import unittest

from harness import ScenarioTest
from wire import Cut, chunk, head_bytes, request_bytes

HOST = b"Host: example.test\r\n"
BEHIND = b"GET /behind HTTP/1.1\r\nHost: example.test\r\n\r\n"


def get(fields=b"", line=b"GET / HTTP/1.1"):
    return line + b"\r\n" + HOST + fields + b"\r\n"


def post(fields):
    return get(fields, b"POST / HTTP/1.1")


def chunks(body):
    return post(b"Transfer-Encoding: chunked\r\n") + body


HEADS = {
    # Lines
    "bare CR in the target": (400, get(line=b"GET /a\rb HTTP/1.1")),
    "bare CR at the end of the request line": (400, b"GET / HTTP/1.1\r" + HOST + b"\r\n"),
    "bare CR in a value": (400, get(b"X-A: b\rX-C: d\r\n")),
    "CR CR LF": (400, get(b"X-A: b\r\r\n")),
    "bare LF after the request line": (400, b"GET / HTTP/1.1\n" + HOST + b"\r\n"),
    "bare LF after a field": (400, get(b"X-A: b\nX-C: d\r\n")),
    "bare LF at the end of the head": (400, b"GET / HTTP/1.1\r\n" + HOST + b"\n"),
    "bare LF only": (400, b"GET / HTTP/1.1\nHost: example.test\n\n"),
    "obs-fold": (400, get(b"X-A: b\r\n c\r\n")),
    "obs-fold with tab": (400, get(b"X-A: b\r\n\tc\r\n")),
    "obs-fold of Transfer-Encoding": (400, get(b"Transfer-Encoding:\r\n chunked\r\n")),
    "whitespace before the first field": (400, b"GET / HTTP/1.1\r\n " + HOST + b"\r\n"),
    "space before the colon": (400, post(b"Content-Length : 5\r\n")),
    "tab before the colon": (400, post(b"Transfer-Encoding\t: chunked\r\n")),
    # Start line
    "two spaces after the method": (400, get(line=b"GET  / HTTP/1.1")),
    "two spaces before the version": (400, get(line=b"GET /  HTTP/1.1")),
    "space at the end of the request line": (400, get(line=b"GET / HTTP/1.1 ")),
    "space at the start of the request line": (400, get(line=b" GET / HTTP/1.1")),
    "tab in the request line": (400, get(line=b"GET\t/ HTTP/1.1")),
    "space in the target": (400, get(line=b"GET /a b HTTP/1.1")),
    "no version": (400, get(line=b"GET /")),
    "malformed version": (400, get(line=b"GET / HTTP/1.10")),
    "version in lower case": (400, get(line=b"GET / http/1.1")),
    "HTTP/2": (505, get(line=b"GET / HTTP/2.0")),
    "HTTP/0.9": (505, get(line=b"GET / HTTP/0.9")),
    "method that is no token": (400, get(line=b"G(T / HTTP/1.1")),
    "target that is none": (400, get(line=b"GET a HTTP/1.1")),
    "asterisk for GET": (400, get(line=b"GET * HTTP/1.1")),
    "authority for GET": (400, get(line=b"GET example.test:80 HTTP/1.1")),
    "target with a fragment": (400, get(line=b"GET /a#b HTTP/1.1")),
    "target with userinfo": (400, get(line=b"GET http://user@example.test/ HTTP/1.1")),
    "target without host": (400, get(line=b"GET http:///a HTTP/1.1")),
    # Bytes
    "NUL in a value": (400, get(b"X-A: b\0c\r\n")),
    "NUL in a name": (400, get(b"X\0A: b\r\n")),
    "NUL in the target": (400, get(line=b"GET /\0 HTTP/1.1")),
    "control byte in a value": (400, get(b"X-A: b\x01c\r\n")),
    "DEL in a value": (400, get(b"X-A: b\x7fc\r\n")),
    "control byte before a value": (400, post(b"Transfer-Encoding: \x0bchunked\r\n")),
    # Names
    "name with parentheses": (400, get(b"X(A): b\r\n")),
    "name with a space": (400, get(b"X A: b\r\n")),
    "name beyond ASCII": (400, get(b"X\xe9: b\r\n")),
    "empty name": (400, get(b": b\r\n")),
    "no colon": (400, get(b"X-A\r\n")),
    # Host
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, get(HOST)),
    "two different Hosts": (400, get(b"Host: other.test\r\n")),
    "empty Host": (400, b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "Host with a space": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "Host that is a list": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "Host with a path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "Host with userinfo": (400, b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    "Host with an impossible port": (400, b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"),
    # Content-Length
    "length with plus": (400, post(b"Content-Length: +5\r\n")),
    "length with minus": (400, post(b"Content-Length: -5\r\n")),
    "lengths in a list": (400, post(b"Content-Length: 5, 6\r\n")),
    "lengths on two lines": (400, post(b"Content-Length: 5\r\nContent-Length: 6\r\n")),
    "list with an empty length": (400, post(b"Content-Length: 5,\r\n")),
    "empty length": (400, post(b"Content-Length:\r\n")),
    "length in hexadecimal": (400, post(b"Content-Length: 0x5\r\n")),
    "length with a space": (400, post(b"Content-Length: 5 5\r\n")),
    "length with a fraction": (400, post(b"Content-Length: 5.0\r\n")),
    "length of 65 bits": (400, post(b"Content-Length: 18446744073709551621\r\n")),
    "length of 64 bits": (400, post(b"Content-Length: 9223372036854775808\r\n")),
    # Transfer-Encoding
    "length and chunked": (400, post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
    "chunked and length": (400, post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
    "gzip": (501, post(b"Transfer-Encoding: gzip\r\n")),
    "gzip, chunked": (501, post(b"Transfer-Encoding: gzip, chunked\r\n")),
    "unknown coding": (501, post(b"Transfer-Encoding: xchunked\r\n")),
    "identity": (501, post(b"Transfer-Encoding: identity\r\n")),
    "chunked twice": (400, post(b"Transfer-Encoding: chunked, chunked\r\n")),
    "chunked on two lines": (400, post(b"Transfer-Encoding: chunked\r\n" * 2)),
    "chunked not last": (400, post(b"Transfer-Encoding: chunked, gzip\r\n")),
    "identity behind chunked": (
        400, post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
    "chunked with parameter": (400, post(b"Transfer-Encoding: chunked;q=1\r\n")),
    "quoted chunked": (400, post(b'Transfer-Encoding: "chunked"\r\n')),
    "empty coding": (400, post(b"Transfer-Encoding:\r\n")),
    "chunked in HTTP/1.0": (
        400, get(b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
                 b"POST / HTTP/1.0")),
}

BODIES = {
    "size with plus": (400, b"+5\r\nhello\r\n"),
    "size with minus": (400, b"-5\r\nhello\r\n"),
    "size with 0x": (400, b"0x5\r\nhello\r\n"),
    "size with underscore": (400, b"1_0\r\nhello\r\n"),
    "no size": (400, b"\r\nhello\r\n"),
    "space before the size": (400, b" 5\r\nhello\r\n"),
    "space behind the size": (400, b"5 \r\nhello\r\n"),
    "size that is no number": (400, b"hello\r\n"),
    "size of 68 bits": (400, b"10000000000000005\r\nhello\r\n"),
    "size of 64 bits": (400, b"8000000000000005\r\nhello\r\n"),
    "size of many zeros": (400, b"00000000000000005\r\nhello\r\n"),
    "bare LF behind the size": (400, b"5\nhello\r\n"),
    "bare CR behind the size": (400, b"5\rhello\r\n"),
    "bare LF in an extension": (400, b"5;a\nhello\r\n"),
    "bare LF in a quoted extension": (400, b'5;a="\nhello\r\n"\r\n'),
    "bare CR in an extension": (400, b"5;a\rb\r\nhello\r\n"),
    "NUL in an extension": (400, b"5;a=\0\r\nhello\r\n"),
    "malformed extension": (400, b"5;=a\r\nhello\r\n"),
    "data longer than the size": (400, b"4\r\nhello\r\n"),
    "bare LF behind the data": (400, b"5\r\nhello\n"),
    "last chunk with bare LF": (400, b"0\n\r\n"),
    "end with bare LF": (400, b"0\r\n\n"),
    "end with bare CR": (400, b"0\r\n\r\r\n"),
    "trailer with bare LF": (400, b"0\r\nX-A: b\n\r\n"),
    "trailer with bare CR": (400, b"0\r\nX-A: b\rc\r\n\r\n"),
    "trailer with space before the colon": (400, b"0\r\nX-A : b\r\n\r\n"),
    "trailer with obs-fold": (400, b"0\r\nX-A: b\r\n c\r\n\r\n"),
    "trailer without colon": (400, b"0\r\nGET / HTTP/1.1\r\n\r\n"),
    "long extension": (400, b"5;a=" + b"b" * 5000 + b"\r\nhello\r\n"),
    "many extensions": (400, b"1;aaaaaaa=bbbbbbb\r\nx\r\n" * 500),
    "large trailers": (431, b"0\r\n" + b"X-A: " + b"b" * 20000 + b"\r\n\r\n"),
    "many trailers": (431, b"0\r\n" + b"X-A: b\r\n" * 201 + b"\r\n"),
}


class SmugglingTest(ScenarioTest):
    def setUp(self):
        self.server = self.origin()
        self.proxy = self.reverse(self.server)

    def check_refused(self, status, data):
        """One response with that status, then the end, whatever stands behind the request."""
        client = self.client(self.proxy)
        client.send(data + BEHIND)
        response = client.read_response()
        self.assertEqual(response.status, status, response)
        self.assertIn("error=http_request_error", response.value("Proxy-Status"))
        self.assertIn("close", response.connection_options)
        self.assertTrue(client.ends(), client.buffer)
        self.assertEqual(self.server.requests, [])

    def test_heads(self):
        for name, (status, data) in HEADS.items():
            with self.subTest(name):
                self.check_refused(status, data)
        self.assertEqual(self.server.connections, [])

    def test_bodies(self):
        for name, (status, body) in BODIES.items():
            with self.subTest(name):
                self.check_refused(status, chunks(body))

    def test_bodies_after_good_chunks(self):
        for name, (status, body) in BODIES.items():
            with self.subTest(name):
                self.check_refused(status, chunks(chunk(b"good") + body))

    def test_in_pieces(self):
        """The same verdicts when each byte comes alone."""
        for name in ("bare LF after a field", "obs-fold", "space before the colon",
                     "lengths in a list", "chunked twice", "NUL in a value"):
            with self.subTest(name):
                status, data = HEADS[name]
                client = self.client(self.proxy)
                try:
                    client.dribble(data, sizes=(1,), pause=0.0005)
                except OSError:
                    pass  # refused before its end
                self.assertEqual(client.read_response().status, status)
        self.assertEqual(self.server.connections, [])

    def test_behind_a_good_request(self):
        for name, (status, data) in HEADS.items():
            with self.subTest(name):
                before = len(self.server.requests)
                client = self.client(self.proxy)
                client.send(request_bytes("/good") + data + BEHIND)
                self.assertEqual(client.read_response().status, 200)
                self.assertEqual(client.read_response().status, status)
                self.assertTrue(client.ends())
                self.assertEqual([r.target for r in self.server.requests[before:]], ["/good"])

    def test_forward_listener_refuses_as_well(self):
        self.proxy = self.forward()
        target = self.server.url.encode()
        for name, (status, data) in HEADS.items():
            if data.startswith((b"GET / ", b"POST / ")):
                with self.subTest(name):
                    self.check_refused(status, data.replace(b" / ", b" " + target + b"/ ", 1))
        for framing in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
            with self.subTest(f"CONNECT with {framing}"):
                self.check_refused(400, get(framing, b"CONNECT example.test:443 HTTP/1.1"))
        self.assertEqual(self.server.connections, [])

    def test_what_looks_odd_and_is_legal(self):
        client = self.client(self.proxy)
        client.send(b"\r\n" + get(b"x-a:b\r\nX-B: \t c \t\r\nX-Empty:\r\n", b"GET /1 HTTP/1.1"))
        client.send(post(b"Content-Length: 5, 5\r\n") + b"hello")
        client.send(post(b"content-LENGTH: 05\r\n") + b"hello")
        client.send(post(b"transfer-encoding: CHUNKED\r\n")
                    + b'05;a;b=c;d="e\\"f"\r\nhello\r\n000\r\n\r\n')
        client.send(get(b"Content-Length: 5\r\n", b"GET /5 HTTP/1.1") + b"hello")
        client.send(get(line=b"GET /6 HTTP/1.2"))
        for _ in range(6):
            self.assertEqual(client.read_response().status, 200)
        seen = self.server.requests
        self.assertEqual(seen[0].value("X-A"), "b")
        self.assertEqual(seen[0].value("X-B"), "c")
        self.assertEqual(seen[0].value("X-Empty"), "")
        self.assertEqual([r.body for r in seen], [b""] + [b"hello"] * 4 + [b""])
        self.assertEqual([r.values("Content-Length") for r in seen],
                         [[], ["5"], ["5"], [], ["5"], []])

    def test_request_ends_where_its_length_says(self):
        """Bytes behind a body are the next request, never part of this one."""
        client = self.client(self.proxy)
        client.send(request_bytes("/1", method="POST", body=BEHIND) + request_bytes("/2"))
        client.send(head_bytes("POST /3 HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
                    + chunk(BEHIND) + b"0\r\n\r\n" + request_bytes("/4"))
        for _ in range(4):
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual([r.target for r in self.server.requests], ["/1", "/2", "/3", "/4"])
        self.assertEqual(self.server.requests[0].body, BEHIND)
        self.assertEqual(self.server.requests[2].body, BEHIND)

    def test_cut_request_is_not_a_request(self):
        for data in (b"GET / HT", get()[:-2], post(b"Content-Length: 9\r\n") + b"hello",
                     chunks(b"5\r\nhello\r\n"), chunks(b"9\r\nhello"), chunks(b"0\r\n")):
            with self.subTest(data):
                client = self.client(self.proxy)
                client.send(data)
                client.finish_sending()
                try:
                    self.assertEqual(client.read_response().status, 400)
                except Cut:
                    pass  # nothing to say to a client that ended in a head
                self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    unittest.main()
