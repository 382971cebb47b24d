"""The cases that a proxy with ICAP services has to get right; see icap_plan.py for what they are
made of. Here are those in which the server does its work; icap_cases_faults.py has servers that do
not, icap_cases_pools.py what is about connections, OPTIONS, and more than one service."""

import doubles_icap_scripts as icap
import icap_cases_faults
import icap_cases_pools
from doubles_icap import Options
from icap_plan import (BODY, CONTROL, Aborted, Adapted, Ask, Case, Either, Given, Refused, Sent,
                       Settings, Virgin, expect, expect_same)
from wire_icap import LAST_CHUNK

N = Options().preview
KB = 1024
FRAMINGS = ("length", "chunked", "close")
NO_PREVIEW = Options(preview=None)
BROKEN = Either(Aborted(), Refused())  # the head was good, what follows isn't
POST = Ask(method="POST", body=BODY)
MARKED = "X-Adapted: yes"


def cases():
    """Made anew each time, as scripts count."""
    yield from adaptations()
    yield from icap_cases_faults.cases()
    yield from icap_cases_pools.cases()


def adaptations():
    """Those that are here."""
    for make in (unmodified, previews, continued, changed, without_body, whole_bodies, early,
                 partial, requests, satisfied, chunks, odd_heads, made_anew, short_bodies):
        yield from make()


# Checks of what came to the service.

def preview_is(size, ieof):
    def check(run):
        request = run.requests[0]
        expect_same((len(request.preview), request.ieof), (size, ieof), "the preview")

    return check


def rest_is(size):
    def check(run):
        expect_same(len(run.requests[0].rest), size, "what came after 100")

    return check


def body_kind_is(kind):
    def check(run):
        expect_same(run.requests[0].body_kind, kind, "the body")
        expect(run.requests[0].complete, "it is not complete")

    return check


def allows(what):
    def check(run):
        expect(what in run.requests[0].allows, f"Allow: {run.requests[0].value('Allow')}")

    return check


def memory_below(size):
    def check(run):
        expect(run.memory() < size, f"{run.memory()} bytes of memory")

    return check


# 1 to 3: 204, and what a preview is.

def unmodified():
    for framing in FRAMINGS:
        for encapsulated in ("", "null-body=0"):
            yield Case(1, f"204 {framing} {encapsulated or 'bare'}",
                       icap.unmodified(encapsulated=encapsulated), Virgin(),
                       given=Given(framing=framing), checks=[preview_is(N, False), rest_is(0)])


def previews():
    for framing in ("length", "chunked"):
        for size in (1, N - 1, N, N + 1):
            yield Case(2, f"{size} {framing}", icap.unmodified(), Virgin(),
                       given=Given(BODY[:size], framing=framing),
                       checks=[preview_is(min(size, N), size <= N)])
    yield Case(2, "0 chunked", icap.unmodified(), Virgin(), given=Given(b"", framing="chunked"),
               checks=[preview_is(0, True)])
    yield Case(2, "0 length", icap.unmodified(), Virgin(), given=Given(b""),
               checks=[body_kind_is("null-body")])
    yield Case(3, "Preview 0", icap.unmodified(), Virgin(), options=Options(preview=0),
               checks=[preview_is(0, False), rest_is(0)])
    yield Case(3, "Preview 0 then all", icap.echo(), Virgin(), options=Options(preview=0),
               checks=[preview_is(0, False), rest_is(len(BODY))])
    yield Case(3, "GET has nothing after its head", icap.unmodified(), Virgin(), point="REQMOD",
               checks=[body_kind_is("null-body")])


# 4 to 7: what the server makes of the message.

def continued():
    upper = icap.adapted(bytes.upper)
    yield Case(4, "100 then 200", upper, Adapted(BODY.upper()), checks=[rest_is(len(BODY) - N)])
    yield Case(4, "100 with fields", icap.continued(upper, "X-A: b", "ISTag: \"x\""),
               Adapted(BODY.upper()))
    yield Case(4, "200 at the preview", icap.adapted(b"short", after="preview"), Adapted(b"short"),
               given=Given(bytes(400 * KB)), checks=[rest_is(0)], times=2)


def changed():
    for name, script, outcome in (
            ("head only", icap.adapted(None, MARKED), Adapted(present=(MARKED,))),
            ("body", icap.adapted(bytes.swapcase), Adapted(BODY.swapcase())),
            ("grown", icap.adapted(BODY * 9), Adapted(BODY * 9)),
            ("nothing left", icap.adapted(b""), Adapted(b"")),
            ("no length", icap.adapted(BODY * 9, length=False), Adapted(BODY * 9)),
            ("status", icap.adapted(start="HTTP/1.1 299 Other"), Adapted(status=299))):
        for framing in FRAMINGS:
            yield Case(5, f"{name} {framing}", script, outcome, given=Given(framing=framing))


def without_body():
    yield Case(6, "302 in place of 50 KB",
               icap.response(None, "Location: /b", "Content-Length: 0", status="302 Found"),
               Adapted(b"", 302, ("Location: /b",)), given=Given(bytes(50 * KB)))
    for name, ask, given in (
            ("HEAD", Ask(method="HEAD"), Given()),
            ("204", Ask(), Given(b"", "204 No Content", framing="none")),
            ("304", Ask(fields=("If-None-Match: \"a\"",)),
             Given(b"", "304 Not Modified", ("ETag: \"a\"", "Content-Length: 3072"), "none"))):
        yield Case(7, name, icap.unmodified(), Virgin(), ask=ask, given=given,
                   checks=[body_kind_is("null-body")])
        yield Case(7, f"{name} with a new head", icap.adapted(None, MARKED),
                   Adapted(status=int(given.status[:3]), present=(MARKED,)), ask=ask, given=given)


# 8 to 10: bodies that flow.

def whole_bodies():
    for size in (70 * KB, KB * KB, 8 * KB * KB):
        for framing in ("length", "chunked"):
            body = BODY * (size // len(BODY) + 1)
            yield Case(8, f"{size >> 10} KB {framing}", icap.honest(after="all"), Virgin(),
                       given=Given(body, framing=framing), checks=[memory_below(200 * KB * KB)])
            yield Case(8, f"{size >> 10} KB {framing} no preview", icap.honest(after="all"),
                       Virgin(), options=NO_PREVIEW, given=Given(body, framing=framing))


def early():
    given = Given(BODY * 200)
    yield Case(9, "reads on", icap.adapted(b"early", after=64 * KB), Adapted(b"early"),
               given=given, options=NO_PREVIEW, times=2)
    # What it sent may be lost when it closes with bytes unread.
    yield Case(9, "closes", icap.early_close(icap.response(b"early", after="heads"), 64 * KB),
               Either(Adapted(b"early", 403), Refused(), Aborted(b"early")),
               Either(Adapted(b"early", 403), Refused(), Aborted(b"early"), Virgin()),
               given=given, options=NO_PREVIEW)


def partial():
    options = Options(allow=("204", "206"))
    whole = Given(BODY * 30)
    for name, prefix, start, given in (("from 0", b"new", 0, whole), ("from 100", b"", 100, whole),
                                       ("in the preview", b"new", 5, Given(BODY[:N])),
                                       ("chunked", b"new", 7, Given(BODY, framing="chunked"))):
        yield Case(10, name, icap.partial(prefix, start), Adapted(prefix + given.body[start:]),
                   options=options, given=given, checks=[allows("206")], times=2)
    yield Case(10, "beyond the end", icap.partial(b"new", len(BODY) + 1),
               Either(Aborted(b"new" + BODY), Refused()), options=options)
    yield Case(10, "not asked for", icap.partial(b"new", 5), Refused(), Virgin())


# 11 and 12: requests.

def requests():
    chunked = Ask(method="POST", body=BODY, framing="chunked")
    empty = Ask(method="POST", body=b"")
    expecting = Ask(method="POST", body=BODY, fields=("Expect: 100-continue",))

    def moved(exchange):
        came = exchange.request.http_request
        start = came.start.replace("127.0.0.1", "localhost").replace("/a ", f"{CONTROL} ")
        return icap.adapted(start=start)

    for name, ask in (("GET", Ask()), ("POST", POST), ("chunked", chunked), ("empty", empty),
                      ("Expect", expecting)):
        for way, script in (("204", icap.unmodified()), ("echo", icap.echo())):
            yield Case(11, f"{name} {way}", script, Sent(), point="REQMOD", ask=ask)
    for name, script, outcome, ask in (
            ("head", icap.adapted(None, MARKED, without=["User-Agent"]),
             Sent(present=(MARKED,), absent=("User-Agent",)), Ask(fields=("User-Agent: x",))),
            ("grown", icap.adapted(BODY * 9), Sent(body=BODY * 9), POST),
            ("grown chunked", icap.adapted(BODY * 9), Sent(body=BODY * 9), chunked),
            ("no length", icap.adapted(BODY * 9, length=False), Sent(body=BODY * 9), POST),
            ("emptied", icap.adapted(b""), Sent(body=b""), POST),
            ("Expect and changed", icap.adapted(bytes.swapcase), Sent(body=BODY.swapcase()),
             expecting)):
        yield Case(11, name, script, outcome, point="REQMOD", ask=ask)

    def asked_anew(run):
        host = run.origin.whole_requests(CONTROL)[0].value("Host")
        expect(host.startswith("localhost:"), f"Host: {host}")

    for name, ask in (("GET", Ask()), ("POST", POST)):
        yield Case(11, f"URL of a {name}", moved, Sent(path=CONTROL), point="REQMOD", ask=ask,
                   checks=[asked_anew])

    def posted(exchange):
        return icap.adapted(b"new", start=exchange.request.http_request.start.replace(
            "GET", "POST"))

    yield Case(11, "GET made POST", posted, Sent(method="POST", body=b"new"), point="REQMOD")


def satisfied():
    blocked = Adapted(b"blocked", 403, untouched=True)
    large = Ask(method="POST", body=BODY * 300)
    for name, script, ask, options in (
            ("GET", icap.response(), Ask(), Options()),
            ("large POST at the preview", icap.response(), large, Options()),
            ("large POST midway", icap.response(after=64 * KB), large, NO_PREVIEW),
            ("no length", icap.response(length=False), Ask(), Options()),
            ("HTTP 1.0", icap.response(b"blocked", "Connection: close", version="1.0",
                                       length=False), Ask(), Options()),
            ("CONNECT", icap.response(),
             Ask(method="CONNECT", target="127.0.0.1:443"), Options())):
        yield Case(12, name, script, blocked, point="REQMOD", ask=ask, options=options, kept=False)
    yield Case(12, "CONNECT answered 200", icap.response(b"", status="200 OK"),
               Refused((403, 502, 503)),
               point="REQMOD", ask=Ask(method="CONNECT", target="127.0.0.1:443"))


# 13 to 17: how it is written, and what of it is not to be passed on.

def chunks():
    for name, data, last in (
            ("extensions", b'3;a;b="c;\\"d"\r\nabc\r\n3 ; e=f\r\ndef\r\n', b"0;g=h\r\n\r\n"),
            ("upper case", b"0000A\r\nabcdefghij\r\n", LAST_CHUNK),
            ("padded", b"0000000000000003\r\nabc\r\n", b"00000\r\n\r\n"),
            ("trailers", b"3\r\nabc\r\n", b"0\r\nX-T: u\r\nX-V: w\r\n\r\n")):
        body = {"extensions": b"abcdef", "upper case": b"abcdefghij"}.get(name, b"abc")
        yield Case(13, name, icap.coded(body, data, last), Adapted(body))
        yield Case(13, f"{name} no length", icap.coded(body, data, last, length=False),
                   Adapted(body))
    yield Case(13, "one byte at a time", icap.dribbled(icap.adapted(b"abc" * 9)),
               Adapted(b"abc" * 9))
    yield Case(13, "request one byte at a time", icap.dribbled(icap.adapted(b"abc")),
               Sent(body=b"abc"), point="REQMOD", ask=POST)


def odd_heads():
    for name, script in (("204", icap.unmodified()), ("200", icap.echo())):
        yield Case(14, f"fields {name}", icap.odd_fields(script), Virgin(), times=2)
        yield Case(14, f"no ISTag {name}", icap.altered(script, istag=False), Virgin())
    yield Case(14, "bare ISTag", icap.altered(icap.echo(), fields=("ISTag: 1234567",), istag=False),
               Virgin())
    yield Case(14, "201", icap.adapted(b"new", status="201 Created"), Adapted(b"new"))
    yield Case(14, "no reason", icap.adapted(b"new", start="HTTP/1.1 200 ", status="200 "),
               Adapted(b"new"))


def made_anew():
    yield Case(15, "HTTP 1.0", icap.response(b"old", "Connection: close", version="1.0",
                                             status="200 OK", length=False),
               Adapted(b"old"), times=2)
    yield Case(15, "hop by hop", icap.response(
        b"new", "Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: timeout=9",
        "Proxy-Connection: close", "Transfer-Encoding: chunked", "X-End: 2", status="200 OK"),
               Adapted(b"new", present=("X-End: 2",), absent=("X-Hop", "Proxy-Connection")),
               times=2)
    yield Case(15, "hop by hop of a request",
               icap.adapted(None, "Connection: X-Hop", "X-Hop: 1",
                            "Proxy-Authorization: Basic eA=="),
               Sent(absent=("X-Hop", "Proxy-Authorization")), point="REQMOD", ask=POST)


def short_bodies():
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    yield Case(16, "204 with a body", icap.response(forged, status="204 No", length=False),
               Either(Adapted(b"", 204), Refused()))
    yield Case(16, "304 with a body", icap.response(forged, status="304 No", length=False),
               Either(Adapted(b"", 304), Refused()))
    yield Case(16, "body for HEAD", icap.response(forged, status="200 OK"),
               Either(Adapted(b""), Refused()), ask=Ask(method="HEAD"))
    yield Case(16, "1xx", icap.response(None, status="103 Early"), Refused(),
               Either(Virgin(), Refused()))
    yield Case(16, "length and null-body",
               icap.response(None, "Content-Length: 6", status="200 OK"),
               Refused(), Either(Virgin(), Refused()))
    for name, length in (("longer", len(BODY) - 1), ("shorter", len(BODY) + 1)):
        yield Case(16, f"body {name} than its length", icap.adapted(length=length), BROKEN)
        yield Case(16, f"request's body {name} than its length", icap.adapted(length=length),
                   Refused(), point="REQMOD", ask=POST)
    large = BODY * 200
    yield Case(17, "let go and stopped", icap.lets_go(len(large), 60 * KB),
               Either(Aborted(large[:60 * KB] + b"more"), Refused()), given=Given(large))
    yield Case(17, "let go and stopped, nothing held", icap.lets_go(len(large), 60 * KB),
               Either(Aborted(large[:60 * KB] + b"more"), Refused()), given=Given(large),
               settings=Settings(keep_limit=4 * KB))
