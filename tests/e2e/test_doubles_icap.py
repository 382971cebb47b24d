"""The ICAP double itself, asked by a plain client, so that tests can rely on it."""

import os
import ssl
import subprocess
import tempfile
import threading
import unittest

import doubles_icap_scripts as icap
from doubles import DoublesTest
from doubles_icap import Answer, IcapDouble, Options, Service, is_open
from doubles_tls import Authority
from harness import wait_until
from wire import Cut, chunk, chunked, head_bytes
from wire_icap import LAST_CHUNK, IcapClient, icap_request

GET = head_bytes("GET http://h.test/a HTTP/1.1", "Host: h.test", "User-Agent: plain")
BODY = bytes(range(256)) * 12


def page(body=BODY, *fields, length=True):
    size = [f"Content-Length: {len(body)}"] if length else []
    return head_bytes("HTTP/1.1 200 OK", *size, *fields)


def post(body=BODY):
    return head_bytes("POST http://h.test/up HTTP/1.1", "Host: h.test",
                      f"Content-Length: {len(body)}")


class IcapDoublesTest(DoublesTest):
    def icap(self, script, *arguments, **options):
        return self.double(IcapDouble(script, *arguments, **options))

    def icap_client(self, double, look_up=True, **options):
        client = IcapClient(double.address, **options)
        self.addCleanup(client.close)
        if look_up:
            client.options("/service")
        return client

    def respmod(self, client, body=BODY, *fields, preview=1024, service="/service", **more):
        return client.respmod(service, GET, page(body), *fields, body=body, preview=preview, **more)


class AnswersTest(IcapDoublesTest):
    def test_options(self):
        double = self.icap(icap.echo(), Options(preview=5, allow=("204", "206"), max_connections=3,
                                                fields=("Service: double",)))
        answer = self.icap_client(double, look_up=False).options("/service")
        self.assertEqual(answer.fields, [
            ("ISTag", '"double-1"'), ("Encapsulated", "null-body=0"),
            ("Methods", "REQMOD, RESPMOD"), ("Options-TTL", "3600"), ("Preview", "5"),
            ("Allow", "204, 206"), ("Max-Connections", "3"), ("Transfer-Preview", "*"),
            ("Service", "double")])
        self.assertEqual((len(double.lookups), len(double.requests)), (1, 0))

    def test_options_by_script(self):
        double = self.icap(icap.echo(), Options(preview=0, script=icap.error("500 Broken")))
        client = self.icap_client(double, look_up=False)
        self.assertEqual(client.options("/service").status, 500)
        self.assertEqual(self.respmod(client, preview=0).body, BODY)

    def test_services_by_path(self):
        double = self.icap(icap.echo(), services={
            "/other": Service(icap.unmodified(), Options(istag='"other"', preview=None))})
        client = self.icap_client(double)
        other = client.options("/other?x=y")
        self.assertEqual((other.value("ISTag"), other.value("Preview")), ('"other"', None))
        answer = self.respmod(client, service="/other?x=y", preview=None)
        self.assertEqual((answer.status, answer.value("ISTag")), (204, '"other"'))
        self.assertEqual(self.respmod(client).value("ISTag"), '"double-1"')

    def test_unmodified_at_the_preview(self):
        double = self.icap(icap.unmodified())
        client = self.icap_client(double)
        for body, preview, ieof in ((BODY, BODY[:1024], False), (b"abc", b"abc", True)):
            answer = self.respmod(client, body)
            self.assertEqual((answer.status, answer.continued), (204, False))
            request = double.requests[-1]
            self.assertEqual((request.preview, request.ieof, request.rest, request.complete),
                             (preview, ieof, b"", ieof))
        self.assertEqual([(r.connection, r.index) for r in double.requests], [(0, 1), (0, 2)])
        self.assertEqual(double.opened, 1)

    def test_what_is_recorded(self):
        double = self.icap(icap.echo())
        client = self.icap_client(double)
        answer = self.respmod(client, BODY, "Allow: 204", "X-Client-IP: 10.0.0.1")
        self.assertTrue(answer.continued)
        self.assertEqual((answer.body, answer.http_response.raw_head), (BODY, page()))
        request = double.requests[0]
        self.assertEqual((request.method, request.target, request.path, request.allows),
                         ("RESPMOD", double.uri, "/service", {"204"}))
        self.assertEqual(request.value("X-Client-IP"), "10.0.0.1")
        self.assertEqual(request.parts, [("req-hdr", 0), ("res-hdr", len(GET)),
                                         ("res-body", len(GET) + len(page()))])
        self.assertEqual((request.http_request.raw_head, request.http_response.raw_head),
                         (GET, page()))
        self.assertEqual((request.preview, request.rest, request.complete, request.broke),
                         (BODY[:1024], BODY[1024:], True, ""))
        client.close()
        wait_until(lambda: double.connections[0].closed_by, "the end")
        wire = double.connections[0]
        self.assertEqual((wire.closed_by, wire.served, double.open_now, double.most_open),
                         ("client", 2, 0, 1))

    def test_reqmod(self):
        double = self.icap(icap.in_turn(
            icap.unmodified(), icap.echo(), icap.response(b"no", "X-Why: virus"),
            icap.adapted(b"new", "X-A: b", start="PUT http://i.test/ HTTP/1.1"),
            icap.request("GET http://j.test/ HTTP/1.1", None, "Host: j.test")))
        client = self.icap_client(double)
        self.assertEqual(client.reqmod("/service", GET, preview=0).status, 204)
        self.assertEqual(client.reqmod("/service", post(), body=BODY, preview=9).body, BODY)
        blocked = client.reqmod("/service", post(), body=BODY, preview=9)
        self.assertEqual((blocked.http_request, blocked.http_response.start, blocked.body),
                         (None, "HTTP/1.1 403 Forbidden", b"no"))
        changed = client.reqmod("/service", post(), body=BODY)
        self.assertEqual(changed.http_request.raw_head, head_bytes(
            "PUT http://i.test/ HTTP/1.1", "Host: h.test", "X-A: b", "Content-Length: 3"))
        self.assertEqual(changed.body, b"new")
        other = client.reqmod("/service", post(), body=BODY)
        self.assertEqual((other.http_request.target, other.body_kind),
                         ("http://j.test/", "null-body"))
        self.assertEqual([r.http_request.method for r in double.requests], ["GET"] + 4 * ["POST"])

    def test_adapted_bodies(self):
        double = self.icap(icap.in_turn(
            icap.adapted(bytes.upper), icap.adapted(b""), icap.adapted(b"abc", length=False),
            icap.adapted(b"abc", length=100), icap.response(None, status="302 Found"),
            icap.response(b"x", version="1.0", length=False)))
        client = self.icap_client(double)
        got = [self.respmod(client, b"body") for _ in range(6)]
        self.assertEqual([answer.body for answer in got], [b"BODY", b"", b"abc", b"abc", b"", b"x"])
        self.assertEqual([answer.http_response.value("Content-Length") for answer in got],
                         ["4", "0", None, "100", None, None])
        self.assertEqual(got[4].body_kind, "null-body")
        self.assertEqual(got[5].http_response.start, "HTTP/1.0 403 Forbidden")

    def test_partial(self):
        double = self.icap(icap.partial(b"new", 100), Options(allow=("204", "206")))
        answer = self.respmod(self.icap_client(double), BODY, "Allow: 204, 206")
        self.assertEqual((answer.status, answer.body, answer.original_from), (206, b"new", 100))
        self.assertEqual(answer.http_response.value("Content-Length"), str(len(BODY) - 97))

    def test_errors_in_turn(self):
        double = self.icap(icap.in_turn(icap.error("404 Not Found"), icap.error("503 Busy")))
        client = self.icap_client(double)
        for status in (404, 503, 503):
            answer = self.respmod(client)
            self.assertEqual((answer.status, answer.parts), (status, []))

    def test_100_unasked_and_twice(self):
        double = self.icap(icap.continued(icap.echo(), "X-A: b", times=2))
        client = self.icap_client(double)
        client.send(icap_request("REQMOD", double.uri, heads=[("req-hdr", GET)])[0])
        self.assertEqual([client.read_answer().status for _ in range(3)], [100, 100, 200])

    def test_chunks_written_out(self):
        script = icap.coded(b"abcdef", b'003;a="x;y"\r\nabc\r\n3 ; b\r\ndef\r\n',
                            b"0;c\r\nX-T: u\r\n\r\n")
        answer = self.respmod(self.icap_client(self.icap(script)))
        self.assertEqual((answer.body, answer.trailers), (b"abcdef", [("X-T", "u")]))

    def test_odd_fields_and_one_byte_at_a_time(self):
        double = self.icap(icap.in_turn(icap.odd_fields(icap.echo()), icap.dribbled(icap.echo()),
                                        icap.altered(icap.echo(), istag=False)))
        client = self.icap_client(double)
        odd = self.respmod(client, b"abc")
        self.assertIn(b"\r\nENCAPSULATED:res-hdr = 0 ,\tres-body = 38\r\n", odd.raw_head)
        self.assertIn(b"\r\n\t-\r\n", odd.raw_head)
        client.send(icap_request("RESPMOD", double.uri, heads=[("req-hdr", GET), (
            "res-hdr", page(b"abc"))], body=b"abc", preview=1024)[0])
        sizes = []
        while LAST_CHUNK not in client.buffer:
            had = len(client.buffer)
            client.fill()
            sizes.append(len(client.buffer) - had)
        self.assertEqual(set(sizes), {1})
        self.assertEqual(client.read_answer().body, b"abc")
        self.assertIsNone(self.respmod(client).value("ISTag"))


class EndsTest(IcapDoublesTest):
    def test_broken_anywhere(self):
        whole = Answer(heads=(("res-hdr", page()),), body=BODY)
        istag = Options().istag
        for where in ("answer", "icap head", "http head", "chunk", "last chunk"):
            for how in ("close", "reset"):
                with self.subTest(where=where, how=how):
                    double = self.icap(icap.broken(where, how))
                    client = self.icap_client(double)
                    client.send(icap_request("RESPMOD", double.uri, heads=[
                        ("req-hdr", GET), ("res-hdr", page())], body=BODY)[0])
                    if how == "close":
                        self.assertEqual(client.read_to_end(), whole.cut(where, istag))
                        client.close()
                    else:
                        with self.assertRaisesRegex(Cut, "reset"):
                            client.read_to_end()
                    wait_until(lambda: double.connections[0].closed, "its end")
                    self.assertEqual(double.connections[0].closed_by, "double")
        self.assertTrue(whole.bytes(istag).startswith(whole.cut("last chunk", istag)))

    def test_silence_until_the_client_leaves(self):
        double = self.icap(icap.silent())
        client = self.icap_client(double)
        client.send(icap_request("RESPMOD", double.uri, heads=[("req-hdr", GET), (
            "res-hdr", page())], body=BODY, preview=4)[0])
        wait_until(lambda: double.requests and double.requests[0].preview, "the preview")
        self.assertEqual((double.connections[0].closed_by, double.open_now), (None, 1))
        client.close()
        wait_until(lambda: double.connections[0].closed_by == "client", "the end")
        self.assertFalse(is_open(double.connections[0]))
        self.assertEqual(double.requests[0].broke, "end")

    def test_a_body_that_breaks_off(self):
        double = self.icap(icap.echo())
        for reset in (False, True):
            client = self.icap_client(double)
            client.send(icap_request("RESPMOD", double.uri, heads=[
                ("req-hdr", GET), ("res-hdr", page())], body=BODY)[0][:-1000])
            wait_until(lambda: len(double.requests) == 1 + reset, "the request")
            client.reset() if reset else client.close()
            wait_until(lambda: double.requests[-1].broke, "it to break")
            self.assertEqual((double.requests[-1].complete, double.requests[-1].broke),
                             (False, "reset" if reset else "end"))

    def test_closing_and_crossing(self):
        double = self.icap(icap.closing(icap.echo()))
        client = self.icap_client(double)
        self.assertEqual(self.respmod(client).connection_options, {"close"})
        self.assertTrue(client.ends())
        client.close()
        for how, comes in (("408", icap.TIMED_OUT), ("close", b""), ("reset", None)):
            double.default.script = icap.crossed(icap.echo(), how)
            client = self.icap_client(double)
            self.assertEqual(self.respmod(client).status, 200)
            client.send(icap_request("REQMOD", double.uri, heads=[("req-hdr", GET)])[0])
            if comes is None:
                with self.assertRaises(Cut):
                    client.read_to_end()
            else:
                self.assertEqual(client.read_to_end(), comes)
            client.close()
        self.assertEqual(len(double.requests), 4)

    def test_close_idle(self):
        double = self.icap(icap.echo())
        client = self.icap_client(double)
        wait_until(lambda: double.close_idle() == 1, "it to be idle")
        self.assertTrue(client.is_cut())
        wait_until(lambda: double.connections[0].closed_by == "double", "the end")

    def test_something_behind_the_answer(self):
        double = self.icap(icap.followed(icap.unmodified(), icap.response(b"forged")))
        client = self.icap_client(double)
        self.assertEqual(self.respmod(client).status, 204)
        self.assertEqual(client.read_answer().body, b"forged")


class FlowTest(IcapDoublesTest):
    LARGE = BODY * 1500  # more than sockets hold

    def begin(self, client, double, body):
        """Sends it without a preview, in a thread."""
        data = icap_request("RESPMOD", double.uri, heads=[("req-hdr", GET), (
            "res-hdr", page(body))], body=body)[0]
        return self.alongside(client.send, data)

    def test_early_answers(self):
        for script, body in ((icap.adapted(b"early", after=65536), b"early"),
                             (icap.response(b"early", after="heads"), b"early")):
            double = self.icap(script)
            client = self.icap_client(double)
            sending = self.begin(client, double, self.LARGE)
            self.assertEqual(client.read_answer().body, body)
            sending.join()
            self.assertEqual(self.respmod(client, b"next").status, 200)
            self.assertTrue(double.requests[0].complete)
            self.assertEqual(double.requests[0].content, self.LARGE)

    def test_early_answer_and_an_end(self):
        double = self.icap(icap.early_close(icap.response(b"early", after="heads"), 65536))
        client = self.icap_client(double)
        sending = self.begin(client, double, self.LARGE)
        sending.join()  # cut short by the reset
        wait_until(lambda: double.connections[0].closed_by == "double", "the end")
        self.assertFalse(double.requests[0].complete)

    def test_an_event_before_the_answer(self):
        event = threading.Event()
        double = self.icap(icap.when(event, icap.echo()))
        client = self.icap_client(double)
        sending = self.begin(client, double, self.LARGE)
        sending.join()
        wait_until(lambda: double.requests[0].complete, "all of it")
        self.assertFalse(double.requests[0].answered)
        event.set()
        self.assertEqual(client.read_answer().body, self.LARGE)

    def test_a_part_let_go_while_it_reads(self):
        double = self.icap(icap.lets_go(len(self.LARGE), 300_000))
        client = self.icap_client(double)
        sending = self.begin(client, double, self.LARGE)
        answer = client.read_answer_head()
        self.assertEqual(answer.http_response.value("Content-Length"), str(len(self.LARGE)))
        self.assertEqual(client.read_answer_body(answer).body, self.LARGE[:300_000])
        sending.join()

    def test_a_script_of_its_own_step_by_step(self):
        steps = []

        def script(exchange):
            steps.append((exchange.stage, exchange.request.preview))
            exchange.read()
            steps.append((exchange.stage, exchange.request.preview))
            exchange.go_on()
            steps.append(exchange.read_chunk())
            exchange.alongside().join()
            steps.append((exchange.stage, exchange.request.rest))
            return b"ICAP/1.0 204 No\r\n\r\n"

        client = self.icap_client(self.icap(script))
        self.assertEqual(self.respmod(client, b"abcdef", preview=2).status, 204)
        self.assertEqual(steps, [("preview", b""), ("paused", b"ab"), b"cdef", ("done", b"cdef")])


class RulesTest(IcapDoublesTest):
    """What is against the rules is seen."""

    def send(self, data, options=Options(), look_up=True):
        """What the double says of it."""
        double = self.icap(icap.unmodified(), options, strict=False)
        client = self.icap_client(double, look_up=look_up)
        client.send(data.replace(b"HOST", double.address.encode()))
        client.finish_sending()
        try:
            client.read_to_end()
        except Cut:
            pass
        wait_until(lambda: double.connections[0].closed_by, "the end")
        return "\n".join(double.violations)

    def request(self, *fields, method="RESPMOD", heads=None, body=None, **options):
        heads = heads or [("req-hdr", GET), ("res-hdr", page(body or b"", length=body is not None))]
        return icap_request(method, "icap://HOST/service", *fields, heads=heads, body=body,
                            **options)[0]

    def assert_seen(self, what, data, **options):
        with self.subTest(what):
            self.assertIn(what, self.send(data, **options))

    def test_legal(self):
        reqmod = {"method": "REQMOD", "heads": [("req-hdr", post(b"abc"))]}
        for data in (self.request(), self.request("Allow: 204", body=b"abc"),
                     self.request(body=b"abc", preview=10), self.request(body=b"abc", preview=2),
                     self.request(preview=0), self.request(body=b"abc", **reqmod),
                     self.request(body=b"abc", preview=3, **reqmod)):
            self.assertEqual(self.send(data), "")

    def test_icap_heads(self):
        good = self.request()
        self.assert_seen("not a request line", good.replace(b"icap://HOST", b""))
        self.assert_seen("Host is", good.replace(b"Host: HOST", b"Host: other"))
        self.assert_seen("Allow twice", self.request("Allow: 204", "Allow: 204"))
        self.assert_seen("Transfer-Encoding in", self.request("Transfer-Encoding: chunked"))
        self.assert_seen("no Encapsulated", good.replace(b"Encapsulated", b"Other"))
        self.assert_seen("not a field line", self.request("X-A: b\r\n folded"))

    def test_parts(self):
        for kinds, what in (("res-hdr=0, null-body=19", "RESPMOD with"),
                            ("req-hdr=0, res-hdr=70, res-body=9", "do not rise"),
                            ("req-hdr=1, null-body=70", "do not rise"),
                            ("res-hdr=0, req-hdr=70, null-body=89", "not a legal row"),
                            ("req-hdr=0", "not a legal row"), ("req-hdr", "not a part"),
                            ("req-hdr=0, req-body=89", "RESPMOD with")):
            data = head_bytes("RESPMOD icap://HOST/service ICAP/1.0", "Host: HOST",
                              f"Encapsulated: {kinds}") + GET + page(length=False)
            self.assert_seen(what, data)
        good = self.request(body=b"abc")
        at = str(len(GET)).encode()
        for wrong in (len(GET) - 1, len(GET) + 1):
            self.assert_seen("empty line", good.replace(b"hdr=" + at, b"hdr=%d" % wrong))

    def test_promises(self):
        self.assert_seen("before OPTIONS", self.request(), look_up=False)
        self.assert_seen("Preview: 1025 where 1024", self.request(body=b"", preview=1025))
        self.assert_seen("where None", self.request(preview=0), options=Options(preview=None))
        self.assert_seen("206 is allowed", self.request("Allow: 204, 206"))
        self.assert_seen("RESPMOD is not offered", self.request(),
                         options=Options(methods=("REQMOD",)))

    def test_http_heads(self):
        for field in ("Connection: close", "transfer-encoding: chunked", "TE: trailers",
                      "Keep-Alive: 5", "Proxy-Authorization: Basic x", "Upgrade: h2c"):
            self.assert_seen("in an encapsulated head", self.request(heads=[
                ("req-hdr", GET), ("res-hdr", page(b"", field))]))
        for head in ("HTTP/1.1 204 No", "HTTP/1.1 304 Not"):
            self.assert_seen("where HTTP has none", self.request(heads=[
                ("req-hdr", GET), ("res-hdr", head_bytes(head))], body=b""))
        self.assert_seen("where HTTP has none", self.request(heads=[
            ("req-hdr", GET.replace(b"GET", b"HEAD")), ("res-hdr", page(BODY))], body=BODY))
        self.assert_seen("null-body for", self.request(heads=[
            ("req-hdr", GET), ("res-hdr", page(BODY))]))
        self.assert_seen("for Content-Length: 0", self.request(body=b""))

    def test_bodies(self):
        good = self.request(body=b"abcdef")
        self.assert_seen("after 3 bytes of 6", good.replace(b"6\r\nabcdef", b"3\r\nabc"))
        self.assert_seen("chunk's line", good.replace(b"6\r\na", b"6;x\r\na"))
        self.assert_seen("chunk's line", good.replace(b"\r\n0\r\n", b"\r\n0; ieof\r\n"))
        self.assert_seen("past its size", good.replace(b"abcdef", b"abcdefg"))
        preview = self.request(body=b"abcdef", preview=4)
        self.assert_seen("6 bytes in a preview of 4",
                         preview.replace(b"4\r\nabcd", b"6\r\nabcdef"))
        self.assert_seen("no ieof", preview.replace(b"4\r\nabcd", b"3\r\nabc"))

    def test_quiet(self):
        self.assert_seen("not quiet when paused", self.request(body=b"abc", preview=2) + b"1\r\nc")
        self.assert_seen("not quiet when done", self.request() + LAST_CHUNK)
        self.assert_seen("not quiet when done", self.request() * 2)

    def test_max_connections(self):
        double = self.icap(icap.echo(), Options(max_connections=2), strict=False)
        self.icap_client(double)
        for _ in range(5):
            self.icap_client(double).close()
        self.icap_client(double)
        self.assertEqual((double.opened, double.most_open, double.violations), (7, 2, []))
        self.icap_client(double)
        self.assertEqual((double.most_open, len(double.violations)), (3, 1))

    def test_the_end_of_a_test_fails(self):
        double = IcapDouble(icap.echo())
        client = IcapClient(double.address)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(client.ends())
        client.close()
        with self.assertRaisesRegex(AssertionError, "not a request line"):
            double.stop()


class TlsTest(IcapDoublesTest):
    def test_icaps(self):
        authority = self.enterContext(Authority())
        double = self.icap(icap.echo(), tls=authority.issue())
        self.assertTrue(double.uri.startswith("icaps://localhost:"))
        client = self.icap_client(double, tls=ssl.create_default_context(cafile=authority.path))
        self.assertEqual(self.respmod(client, BODY * 100).body, BODY * 100)
        self.assertEqual(double.front.names, ["localhost"])
        client.close()
        double.default.script = icap.broken("chunk")
        client = self.icap_client(double, tls=ssl.create_default_context(cafile=authority.path))
        with self.assertRaises(Cut):
            self.respmod(client)


class OtherClientTest(IcapDoublesTest):
    """The double before c-icap-client, which others wrote."""

    def run_client(self, double, *options):
        """What it says, and what it makes of BODY."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        given, got = os.path.join(folder, "given"), os.path.join(folder, "got")
        with open(given, "wb") as file:
            file.write(BODY)
        host, _, port = double.address.rpartition(":")
        done = subprocess.run(
            ["c-icap-client", "-i", host, "-p", port, "-s", "service", "-f", given, "-o", got,
             "-resp", "http://h.test/a", "-v", *options],
            check=True, capture_output=True, text=True, timeout=60)
        if not os.path.exists(got):
            return done.stderr, None
        with open(got, "rb") as file:
            return done.stderr, file.read()

    def test_c_icap_client(self):
        double = self.icap(icap.unmodified())
        self.assertIn("No modification", self.run_client(double)[0])
        self.assertEqual(double.requests[-1].preview, BODY[:1024])
        double.default.script = icap.echo()
        for options in ([], ["-nopreview"], ["-w", "5"], ["-no204"]):
            with self.subTest(options):
                self.assertEqual(self.run_client(double, *options)[1], BODY)
                self.assertEqual(double.requests[-1].content, BODY)
        double.default.script = icap.partial(b"new", 100)
        said, got = self.run_client(double, "-nopreview")
        self.assertIn("use 100 from the original body", said)
        self.assertEqual(got, b"new" + BODY[100:])


if __name__ == "__main__":
    unittest.main()
