"""Cases of ICAP servers that fail, break off, or talk nonsense; see icap_cases.py."""

import dataclasses

import doubles_icap_scripts as icap
from doubles_icap import Options
from icap_plan import (BODY, Aborted, Adapted, Ask, Case, Either, Given, Refused, Sent, Settings,
                       Virgin, expect)
from wire import chunk, head_bytes
from wire_icap import LAST_CHUNK

NO_PREVIEW = Options(preview=None)
BROKEN = Either(Aborted(), Refused((502, 503, 504)))
POST = Ask(method="POST", body=BODY)
POINTS = (("RESPMOD", Ask()), ("REQMOD", POST))
KB = 1024


def cases():
    for make in (breaks, silences, bad_chunks, bad_encapsulated, errors, strays, forbidden_204,
                 extra_bytes, broken_origins):
        yield from make()


def by_point(number, name, script, essential, optional, **more):
    """For responses and for requests."""
    for point, ask in POINTS:
        yield Case(number, f"{point} {name}", script, essential, optional, point=point, ask=ask,
                   **more)


def breaks():
    for how in ("close", "reset"):
        for where in ("answer", "icap head", "http head"):
            yield from by_point(18, f"{how} before or in {where}", icap.broken(where, how),
                                Refused(), Virgin())
            yield from by_point(18, f"{how} at the preview in {where}",
                                icap.broken(where, how, after="preview"), Refused(), Virgin())
        large = Given(BODY * 400)
        yield Case(18, f"{how} before the answer to more than is held",
                   icap.broken("answer", how), Either(Refused(), Aborted()), given=large,
                   settings=Settings(keep_limit=64 * KB))
        for where in ("chunk", "last chunk"):
            for length in (True, False):
                # All of a body whose length was said has gone when only the last chunk is missing.
                whole = [Adapted()] if length and where == "last chunk" else []
                yield Case(18, f"RESPMOD {how} {where} {'' if length else 'no length'}",
                           icap.broken(where, how, icap.adapted(length=length)),
                           Either(Aborted(), Refused(), *whole), kept=False)
                yield Case(18, f"REQMOD {how} {where} {'' if length else 'no length'}",
                           icap.broken(where, how, icap.adapted(length=length)),
                           Either(Refused(too_late=bool(whole)), *([Virgin()] if whole else [])),
                           point="REQMOD", ask=POST)
    yield Case(18, "REQMOD GET close before the answer", icap.broken("answer"), Refused(), Virgin(),
               point="REQMOD")


def silences():
    limit = 1.0
    settings = Settings(io_timeout=limit)
    refused = Refused((504,), within=limit + 1)
    for where, script in (("at the preview", icap.silent()), ("after all", icap.silent("all")),
                          ("in the ICAP head", icap.broken("icap head", "stall")),
                          ("in the HTTP head", icap.broken("http head", "stall"))):
        yield from by_point(19, where, script, refused, Virgin(), settings=settings)
    yield Case(19, "in a chunk", icap.broken("chunk", "stall"), BROKEN, settings=settings)


def bad_chunks():
    for name, data in (
            # What it has for content, wrong as it ends, may have gone.
            ("not hex", b"3\r\nabc\r\nxyz\r\n"), ("beyond 64 bits", b"1" + b"0" * 16 + b"\r\nabc"),
            ("negative", b"-3\r\nabc\r\n"), ("no size", b"\r\nabc\r\n"), ("0x", b"0x3\r\nabc\r\n"),
            ("data beyond", b"3\r\nabcdef\r\n"), ("data short", b"3\r\nab\r\n\r\n"),
            ("endless line", b"3;" + b"a" * 100_000)):
        for length in (True, False):
            yield Case(20, f"{name} {'length' if length else 'no length'}",
                       icap.coded(b"abcdef", data, length=length),
                       Either(Aborted(b"ab\r" if name == "data short" else b"abc"), Refused()))
    yield Case(20, "request", icap.coded(b"abcdef", b"3\r\nabcdef\r\n", length=False), Refused(),
               point="REQMOD", ask=POST)


def other_body(exchange):
    """What e2guardian says where it means null-body."""
    answer = icap.answer_of(icap.echo(), exchange)
    heads = b"".join(data for _, data in answer.heads)
    return dataclasses.replace(answer, encapsulated=f"req-hdr=0, res-body={len(heads)}")


def bad_encapsulated():
    page = head_bytes("HTTP/1.1 200 OK", "Content-Length: 3", "X-A: b")
    size, body = len(page), chunk(b"abc") + LAST_CHUNK
    for name, value in (
            ("missing", None), ("empty", ""), ("into the head", f"res-hdr=0, res-body={size - 9}"),
            ("into the body", f"res-hdr=0, res-body={size + 3}"),
            ("far beyond", "res-hdr=0, res-body=99999999999999999999"),
            ("not a number", "res-hdr=0, res-body=x"), ("negative", "res-hdr=0, res-body=-1"),
            ("not from 0", f"res-hdr=1, res-body={size}"),
            ("another kind", f"res-hdr=0, req-body={size}"), ("opt-body", "opt-body=0"),
            ("unknown", f"res-hdr=0, hdr-body={size}"), ("body only", "res-body=0"),
            ("twice the same", f"res-hdr=0, res-hdr=5, res-body={size}"),
            ("falling", f"res-hdr={size}, res-body=0")):
        field = [] if value is None else [f"Encapsulated: {value}"]
        head = head_bytes("ICAP/1.0 200 OK", "ISTag: \"x\"", *field)
        # It may as well wait for what isn't there: that is cut short.
        yield Case(21, name, icap.raw(head + page + body, "close", after="all"),
                   Refused((502, 503, 504)), Virgin())
    yield Case(21, "a GET with another body, and none there", other_body, Sent(), point="REQMOD")
    yield Case(21, "nothing at all",
               icap.raw(head_bytes("ICAP/1.0 200 OK", "Encapsulated: null-body=0"), after="all"),
               Either(Refused(), Virgin()), Virgin())
    for name, start, field in (("no status line", "200 OK", ""), ("not a field", "HTTP/1.1 200 OK",
                                                                  "no colon"),
                               ("bare CR", "HTTP/1.1 200 OK", "X-A: b\rc"),
                               ("NUL", "HTTP/1.1 200 OK", "X-A: b\0c"),
                               ("status of four", "HTTP/1.1 2000 OK", "X-A: b"),
                               ("two lengths", "HTTP/1.1 200 OK", "Content-Length: 4")):
        yield Case(21, f"HTTP head: {name}",
                   icap.adapted(b"abc", *([field] if field else []), start=start), Refused(),
                   Virgin())


def errors():
    for status in ("400 Bad request", "404 Not found", "405 Not allowed", "408 Timeout",
                   "418 Bad composition", "500 Broken", "501 Not here", "503 Overloaded",
                   "505 Not this version", "302 Found", "299 What"):
        yield from by_point(22, status, icap.error(status), Refused((502, 503, 504)), Virgin())
    for name, data in (("HTTP status line", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
                       ("garbage", bytes(range(256)) * 40), ("empty lines", b"\r\n\r\n\r\n"),
                       ("ICAP 2.0", b"ICAP/2.0 204 No\r\n\r\n"), ("no status", b"ICAP/1.0\r\n\r\n"),
                       ("endless head", b"ICAP/1.0 200 OK\r\nX-A: " + b"a" * 300_000)):
        yield from by_point(22, name, icap.raw(data, "close"), Refused((502, 503, 504)), Virgin())
    yield Case(22, "a request in answer to RESPMOD",
               icap.request("GET http://h.test/ HTTP/1.1", None, "Host: h.test"), Refused(),
               Virgin())


def strays():
    outcomes = (Either(Adapted(b"new"), Refused()), Either(Adapted(b"new"), Virgin()))
    new = icap.adapted(b"new")
    yield Case(23, "100 twice", icap.continued(new, times=2), *outcomes)
    yield Case(23, "100 after ieof", icap.continued(new), *outcomes, given=Given(b"small"))
    yield Case(23, "100 without a preview", icap.continued(new), *outcomes, options=NO_PREVIEW)
    yield Case(23, "100 for null-body", icap.continued(icap.unmodified()),
               Either(Virgin(), Refused()), Virgin(), point="REQMOD")
    yield Case(23, "100 without end", icap.continued(new, times=5000), *outcomes)


def forbidden_204():
    large = Given(BODY * 1000, framing="chunked")
    settings = Settings(keep_limit=64 * KB)
    for framing in ("length", "chunked", "close"):
        given = Given(BODY * 1000, framing=framing)
        yield Case(24, f"more than is held, {framing}, at the preview", icap.unmodified(), Virgin(),
                   given=given, settings=settings)
        for name, options in (("preview", Options()), ("no preview", NO_PREVIEW)):
            yield Case(24, f"more than is held, {framing}, {name}, not allowed after all",
                       icap.honest(after="all"), Virgin(), given=given, settings=settings,
                       options=options)
    for name, options in (("after a preview", Options()), ("no preview", NO_PREVIEW)):
        yield Case(24, f"{name}", icap.unmodified(after="all"),
                   Either(Refused(), Aborted(), Virgin()), given=large, options=options,
                   settings=settings)


def extra_bytes():
    """Nobody may ever see what is behind an answer."""
    forged = icap.response(b"forged", status="200 OK")
    for name, data in (("a second answer", forged), ("a 204", icap.unmodified()),
                       ("garbage", b"garbage"), ("an empty line", b"\r\n"),
                       ("half an answer", b"ICAP/1.0 200 OK\r\nEncaps")):
        yield Case(25, f"{name} behind 204", icap.followed(icap.unmodified(), data), Virgin(),
                   times=4)
        yield Case(25, f"{name} behind 200", icap.followed(icap.adapted(b"new"), data),
                   Adapted(b"new"), times=4)


def broken_origins():
    def not_complete(run):
        expect(not any(request.complete for request in run.requests),
               "the service got a last chunk")

    for framing in ("length", "chunked"):
        for size in (0, 500, 100 * KB):
            given = Given(BODY * 100, framing=framing, cut=size)
            for name, script in (("taken whole", icap.honest(after="all")),
                                 ("204 at the preview", icap.unmodified())):
                yield Case(32, f"{framing} after {size} {name}", script,
                           Either(Aborted(), Refused((502, 503, 504))), given=given,
                           checks=[not_complete])
    yield Case(32, "user's upload", icap.honest(after="all"), drive=broken_upload, point="REQMOD")


def broken_upload(run):
    user = run.user()
    user.send(POST.head(run.origin.url) + POST.content[:2000])
    run.wait_for(lambda: run.requests, "the service to be asked")
    user.close()
    run.wait_for(lambda: run.requests[0].broke, "the service to lose it")
    expect(not run.requests[0].complete, "the service got a last chunk")
    expect(not run.origin.whole_requests("/a"), "the origin got a whole request")
