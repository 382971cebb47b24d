"""Messages in motion: 1xx responses, trailers, both directions at once, early responses, sizes."""

import itertools
import threading
import unittest

from harness import ScenarioTest
from wire import chunk, chunked, head_bytes, request_bytes, response_bytes

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def post(*fields, version="1.1", target="/"):
    return head_bytes(f"POST {target} HTTP/{version}", "Host: example.test", *fields)


class InformationalTest(ScenarioTest):
    def continuing(self, wire):
        """An origin that asks for the body, which must not be there before."""
        head = wire.read_request_head()
        self.heads.append(head)
        self.early += wire.buffer
        wire.send(CONTINUE)
        wire.read_body(head)
        wire.send(response_bytes(head.body))

    def setUp(self):
        self.heads = []
        self.early = b""

    def test_100_comes_before_the_body_goes(self):
        for framing, body in (("Content-Length: 5", b"hello"),
                              ("Transfer-Encoding: chunked", chunked(b"hello"))):
            with self.subTest(framing):
                client = self.client(self.reverse(self.origin(serve=self.continuing)))
                client.send(post(framing, "Expect: 100-Continue"))
                self.assertEqual(client.read_head().start, "HTTP/1.1 100 Continue")
                client.send(body)
                response = client.read_response()
                self.assertEqual((response.status, response.body), (200, b"hello"))
                self.assertEqual(self.heads[-1].value("Expect").lower(), "100-continue")
                self.assertEqual(self.early, b"")

    def test_connection_persists_after_100(self):
        def answer(request, _):
            return response_bytes(request.body)

        def serve(wire):
            while True:
                head = wire.read_request_head()
                wire.send(CONTINUE)
                wire.read_body(head)
                wire.send(answer(head, wire))

        client = self.client(self.reverse(self.origin(serve=serve)))
        for number in range(3):
            client.send(post("Content-Length: 1", "Expect: 100-continue"))
            self.assertEqual(client.read_head().status, 100)
            client.send(b"%d" % number)
            self.assertEqual(client.read_response().body, b"%d" % number)

    def test_client_does_not_wait_for_100(self):
        client = self.client(self.reverse(self.origin()))
        client.send(post("Content-Length: 5", "Expect: 100-continue") + b"hello")
        self.assertEqual(client.read_response().status, 200)

    def test_final_response_without_100(self):
        def answer(wire, status):
            wire.read_request_head()
            wire.send(response_bytes(b"no", status=status))
            wire.ends()

        for status in ("417 Expectation Failed", "403 Forbidden"):
            with self.subTest(status):
                origin = self.origin(serve=lambda wire, status=status: answer(wire, status))
                client = self.client(self.reverse(origin))
                client.send(post("Content-Length: 5", "Expect: 100-continue"))
                response = client.read_response()
                self.assertEqual((response.start, response.body), (f"HTTP/1.1 {status}", b"no"))
                self.assertEqual(response.interim, [])
                # Whether a body follows nobody can tell, so nothing else may.
                self.assertIn("close", response.connection_options)
                self.assertTrue(client.ends())

    def test_http10_client_gets_no_1xx(self):
        origin = self.origin(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + CONTINUE
                             + response_bytes())
        client = self.client(self.reverse(origin))
        client.send(post("Content-Length: 5", "Expect: 100-continue", version="1.0") + b"hello")
        response = client.read_response(version="1.0")
        self.assertEqual((response.status, response.interim), (200, []))
        self.assertEqual(origin.requests[0].values("Expect"), [])

    def test_expectation_without_a_body_is_removed(self):
        origin = self.origin()
        self.ask(self.reverse(origin), "/", "Expect: 100-continue")
        self.assertEqual(origin.requests[0].values("Expect"), [])

    def test_other_1xx_are_passed_on_at_once(self):
        go = threading.Event()

        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload",
                                 "Connection: X-Hop", "X-Hop: 1"))
            wire.send(head_bytes("HTTP/1.1 199 Whatever"))
            go.wait(20)
            return response_bytes()

        client = self.client(self.reverse(self.origin(answer)))
        client.send(request_bytes("/"))
        hints = client.read_head()
        self.assertEqual(hints.start, "HTTP/1.1 103 Early Hints")
        self.assertEqual(hints.value("Link"), "</a.css>; rel=preload")
        self.assertEqual(hints.values("X-Hop"), [])
        self.assertEqual(client.read_head().status, 199)
        go.set()
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(client.request("/").status, 200)

    def test_1xx_without_end(self):
        origin = self.origin(lambda _, wire: wire.send(CONTINUE * 1000))
        response = self.ask(self.reverse(origin), "/")
        self.assertEqual(response.status, 502)
        self.assertLessEqual(len(response.interim), 64)

    def test_unknown_expectation(self):
        origin = self.origin()
        proxy = self.reverse(origin)
        for value in ("the-unexpected", "100-continue, more", "100-continue;a=b"):
            with self.subTest(value):
                response = self.ask(proxy, "/", f"Expect: {value}", method="POST", body=b"hello")
                self.assertEqual(response.status, 417)
        self.assertEqual(origin.requests, [])


class TrailerTest(ScenarioTest):
    def test_of_a_request(self):
        origin = self.origin()
        client = self.client(self.reverse(origin))
        client.send(post("Transfer-Encoding: chunked", "Trailer: X-Sum, X-More")
                    + chunked(b"hello", 2, "X-Sum: 5", "X-More: a", "X-More: b"))
        self.assertEqual(client.read_response().status, 200)
        request = origin.requests[0]
        self.assertEqual(request.body, b"hello")
        self.assertEqual(request.trailers, [("X-Sum", "5"), ("X-More", "a"), ("X-More", "b")])
        self.assertEqual(request.value("Trailer"), "X-Sum, X-More")

    def trailing(self, version="1.1", *fields):
        origin = self.origin(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked",
                                        "Trailer: X-Sum") + chunked(b"hello", 2, "X-Sum: 5"))
        return origin, self.ask(self.reverse(origin), "/", *fields, version=version)

    def test_of_a_response(self):
        origin, response = self.trailing("1.1", "TE: trailers, deflate;q=0.5", "Connection: TE")
        self.assertEqual((response.body, response.trailers), (b"hello", [("X-Sum", "5")]))
        self.assertEqual(response.value("Trailer"), "X-Sum")
        request = origin.requests[0]
        self.assertEqual(request.value("TE"), "trailers")
        self.assertIn("te", request.connection_options)

    def test_te_is_not_made_up(self):
        origin, response = self.trailing()
        self.assertEqual(response.body, b"hello")
        self.assertEqual(origin.requests[0].values("TE"), [])

    def test_te_without_trailers_is_not_passed_on(self):
        for value in ("gzip", "", "trailers;q=0"):
            with self.subTest(value):
                origin, _ = self.trailing("1.1", f"TE: {value}", "Connection: TE")
                self.assertEqual(origin.requests[0].values("TE"), [])

    def test_http10_client_gets_the_body_only(self):
        _, response = self.trailing("1.0")
        self.assertEqual((response.framing, response.body), ("close", b"hello"))

    def test_fields_that_must_not_be_trailers_are_not_passed_on(self):
        bad = ("Content-Length: 3", "Transfer-Encoding: chunked", "Host: other.test",
               "Connection: close", "Content-Encoding: gzip", "Authorization: Basic YQ==")
        origin = self.origin(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
                             + chunked(b"hello", 5, *bad, "X-Good: 1"))
        client = self.client(self.reverse(origin))
        client.send(post("Transfer-Encoding: chunked") + chunked(b"hello", 5, *bad, "X-Good: 1"))
        self.assertEqual(client.read_response().trailers, [("X-Good", "1")])
        self.assertEqual(origin.requests[0].trailers, [("X-Good", "1")])


class BothAtOnceTest(ScenarioTest):
    def echo(self, wire):
        """Sends each chunk back as it comes."""
        head = wire.read_request_head()
        wire.send(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
        assert head.framing == "chunked"
        while True:
            size = int(wire.read_until(b"\r\n"), 16)
            wire.send(chunk(wire.read_exactly(size)) if size else LAST_CHUNK)
            wire.read_exactly(2)
            if not size:
                return wire.ends()

    def read_chunk(self, client):
        data = client.read_exactly(int(client.read_until(b"\r\n"), 16))
        client.read_exactly(2)
        return data

    def test_question_and_answer_within_one_exchange(self):
        client = self.client(self.reverse(self.origin(serve=self.echo)))
        client.send(post("Transfer-Encoding: chunked"))
        self.assertEqual(client.read_response_head().status, 200)
        for number in range(100):
            word = b"word %d" % number
            client.send(chunk(word))
            self.assertEqual(self.read_chunk(client), word)
        client.send(LAST_CHUNK)
        self.assertEqual(client.read_exactly(5), LAST_CHUNK)

    def test_large_both_ways(self):
        client = self.client(self.reverse(self.origin(serve=self.echo)))
        data = bytes(range(256)) * 40_000
        self.alongside(client.send, post("Transfer-Encoding: chunked") + chunked(data, 50_001))
        response = client.read_response()
        self.assertEqual(response.status, 200)
        self.assertTrue(response.body == data)

    def test_response_is_passed_on_as_it_comes(self):
        go = threading.Event()

        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunk(b"one"))
            go.wait(20)
            wire.send(chunk(b"two") + LAST_CHUNK)

        client = self.client(self.reverse(self.origin(answer)))
        client.send(request_bytes("/"))
        self.assertEqual(client.read_response_head().status, 200)
        self.assertEqual(self.read_chunk(client), b"one")
        go.set()
        self.assertEqual(self.read_chunk(client), b"two")


class EarlyResponseTest(ScenarioTest):
    """The origin answers while the request's body is still to come."""

    def early(self, wire):
        while True:
            head = wire.read_request_head()
            wire.send(response_bytes(b"early"))
            wire.read_body(head)

    def test_little_body_left_keeps_the_connection(self):
        client = self.client(self.reverse(self.origin(serve=self.early)))
        for number in range(3):
            client.send(post("Content-Length: 10000") + b"x" * 4000)
            response = client.read_response()
            self.assertEqual((response.status, response.body), (200, b"early"), number)
            client.send(b"x" * 6000)
            if "close" in response.connection_options:
                self.fail("closed for the sake of 6000 bytes")
        self.assertEqual(client.request("/").body, b"early")

    def test_much_body_left_closes_and_the_response_is_readable(self):
        """The client reads nothing before it has sent all it can."""
        def answer(wire):
            wire.read_request_head()
            wire.send(response_bytes(b"too much", "Connection: close", status="413 Too Large"))
            wire.finish_sending()
            wire.ends()

        for framing in ("Content-Length: 100000000", "Transfer-Encoding: chunked"):
            with self.subTest(framing):
                client = self.client(self.reverse(self.origin(serve=answer)))
                client.send(post(framing))
                try:
                    for _ in range(30):
                        client.send(chunk(b"x" * 65530))
                except OSError:
                    pass
                response = client.read_response()
                self.assertEqual((response.status, response.body), (413, b"too much"))
                self.assertIn("close", response.connection_options)
                self.assertTrue(client.ends())

    def test_origin_answers_and_reads_on(self):
        """The whole request still arrives where the response is under way that long."""
        done = threading.Event()
        seen = []

        def serve(wire):
            head = wire.read_request_head()
            wire.send(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunk(b"a"))
            seen.append(wire.read_body(head))
            done.set()
            wire.send(chunk(b"b") + LAST_CHUNK)
            wire.ends()

        client = self.client(self.reverse(self.origin(serve=serve)))
        client.send(post("Content-Length: 1000000") + b"x" * 10)
        head = client.read_response_head()
        client.send(b"x" * 999_990)
        client.read_body(head)
        self.assertTrue(done.is_set())
        self.assertEqual(head.body, b"ab")
        self.assertEqual(len(seen[0].body), 1_000_000)


class SizesTest(ScenarioTest):
    SIZES = (0, 1, 65535, 65536, 65537, 1048576)

    def answer(self, request, wire):
        """Gives the body back in the framing that the target names."""
        framing = request.target.strip("/")
        if framing == "length":
            return response_bytes(request.body)
        if framing == "chunked":
            return head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(
                request.body)
        wire.send(head_bytes("HTTP/1.1 200 OK") + request.body)
        return wire.close()

    def test_every_size_in_every_framing(self):
        pattern = bytes(itertools.islice(itertools.cycle(range(251)), max(self.SIZES)))
        origin = self.origin(self.answer)
        proxy = self.reverse(origin)
        for there in ("length", "chunked"):
            for back in ("length", "chunked", "close"):
                client = self.client(proxy)
                for size in self.SIZES:
                    with self.subTest(f"{size} bytes, {there} there, {back} back"):
                        data = pattern[:size]
                        framing, body = ((f"Content-Length: {size}", data) if there == "length" else
                                         ("Transfer-Encoding: chunked", chunked(data)))
                        self.alongside(client.send, post(framing, target=f"/{back}") + body)
                        response = client.read_response()
                        self.assertEqual(response.status, 200)
                        self.assertTrue(response.body == data)
                        self.assertTrue(origin.requests[-1].body == data)
                        self.assertEqual(origin.requests[-1].framing, there)

    def test_every_size_to_http10(self):
        proxy = self.reverse(self.origin(self.answer))
        for back in ("length", "chunked", "close"):
            for size in self.SIZES:
                with self.subTest(f"{size} bytes, {back} back"):
                    data = b"x" * size
                    client = self.client(proxy)
                    self.alongside(client.send, post(f"Content-Length: {size}", version="1.0",
                                                     target=f"/{back}") + data)
                    response = client.read_response(version="1.0")
                    self.assertTrue(response.body == data)
                    self.assertEqual(response.framing, "length" if back == "length" else "close")

    def test_head_has_no_body_whatever_the_framing(self):
        for fields in (("Content-Length: 1000000",), ("Transfer-Encoding: chunked",), ()):
            with self.subTest(fields):
                origin = self.origin(head_bytes("HTTP/1.1 200 OK", *fields))
                client = self.client(self.reverse(origin))
                for _ in range(2):
                    client.send(request_bytes("/", method="HEAD"))
                    response = client.read_response("HEAD")
                    self.assertEqual(response.status, 200)
                if fields and "Length" in fields[0]:
                    self.assertEqual(response.value("Content-Length"), "1000000")


if __name__ == "__main__":
    unittest.main()
