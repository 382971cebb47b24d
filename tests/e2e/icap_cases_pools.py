"""Cases of connections, OPTIONS, and more than one service; see icap_cases.py."""

import threading

import doubles_icap_scripts as icap
from doubles_icap import Answer, Options, Service
from icap_plan import (BODY, Adapted, Ask, Case, Either, Given, Refused, Sent, Settings, Virgin,
                       expect, expect_same)

POST = Ask(method="POST", body=BODY)
KB = 1024
SMALL = Given(b"small")


def cases():
    for make in (ends, retries, many, transfers, options, users_that_leave, several, secure,
                 freshness):
        yield from make()


# 26 and 27: connections that the server ends.

def ends():
    for name, script in (("says close", icap.closing(icap.honest())),
                         ("just closes", icap.then(icap.honest(), "close")),
                         ("408 when idle", icap.timed_out_when_idle(icap.honest())),
                         ("408 crossing", icap.crossed(icap.honest(), "408"))):
        yield Case(26, name, script, Virgin(), times=5)
        yield Case(26, f"{name} of a request", script, Sent(), times=5, point="REQMOD")


def retries():
    def once_each(run):
        # Answers came on fresh connections; what died there was asked for once more.
        expect_same(len(run.double.lookups), 1, "OPTIONS lookups")
        expect(run.double.opened <= 8, f"{run.double.opened} connections")

    for how in ("close", "reset"):
        for point in ("RESPMOD", "REQMOD"):
            for name, ask in (("GET", Ask()), ("POST", POST)):
                yield Case(27, f"{how} {point} {name}", icap.crossed(icap.honest(), how), Virgin(),
                           point=point, ask=ask, times=5, checks=[once_each])


# 28 and 29: many at once.

def many():
    yield Case(28, "100 in a row", icap.honest(), Virgin(), times=100, given=SMALL,
               checks=[lambda run: expect(run.double.opened <= 4,
                                          f"{run.double.opened} connections")])
    yield Case(28, "240 at 24", drive=mixed)
    yield Case(29, "3 connections", drive=few_connections,
               options=Options(max_connections=3), settings=Settings(overload="wait"))


def mixed(run):
    """Each user gets what is for him, whatever becomes of it in the service."""
    run.double.default.script = icap.by_path({
        "0": icap.unmodified(), "1": icap.echo(), "2": icap.adapted(bytes.swapcase),
        "3": icap.response(b"blocked", after="preview"), "4": icap.adapted(length=False),
    }, icap.honest(after="all"))

    def content(path):
        return (path.encode() + b" ") * 700

    for number in range(240):
        path = f"/x{number}"
        run.origin.by_path[path] = Given(content(path),
                                         framing=("length", "chunked")[number // 5 % 2])

    def user(first):
        wrong = []
        client = run.user()
        for number in range(first, 240, 24):
            path = f"/x{number}"
            wanted = {2: (200, content(path).swapcase()), 3: (403, b"blocked")}.get(
                number % 10, (200, content(path)))
            result = run.exchange(client, Ask(path))
            if (result.status, result.body, result.ended) != (*wanted, "whole"):
                wrong.append((path, result))
        return wrong

    expect_same([wrong for wrong in run.users(24, user) if wrong], [], "what is wrong")
    expect(run.double.most_open <= 30, f"{run.double.most_open} connections at once")


def few_connections(run):
    go = threading.Event()
    run.double.default.script = icap.when(go, icap.honest())
    run.test.addCleanup(go.set)

    def user(number):
        if number == 12:
            try:
                run.wait_for(lambda: len(run.requests) >= 3, "3 to be asked")
            finally:
                go.set()
            return 200, True
        result = run.get()
        return result.status, result.body == BODY

    expect_same(run.users(13, user), [(200, True)] * 13, "what users got")
    expect_same(run.double.most_open, 3, "connections")  # more are a violation


# 30 and 31: what OPTIONS says.

def transfers():
    lists = Options(transfer=("Transfer-Preview: *", "Transfer-Ignore: jpg, GIF",
                              "Transfer-Complete: zip"))
    for path, preview, asked in (
            ("/a.jpg", None, 0), ("/a.JPG", None, 0), ("/a.gif", None, 0),
            ("/a.jpg?b=c.txt", None, 0), ("/a.zip", None, 1), ("/a.Zip?b=c.jpg", None, 1),
            ("/a.txt", 1024, 1), ("/a.jpg.txt", 1024, 1), ("/jpg", 1024, 1), ("/a.", 1024, 1)):
        def check(run, preview=preview, asked=asked):
            expect_same([request.preview_limit for request in run.requests], [preview] * asked,
                        "previews")

        yield Case(30, path, icap.honest(), Virgin(), options=lists, ask=Ask(path), checks=[check])
    for name, lines, preview in (("all complete", ("Transfer-Complete: *",), None),
                                 ("preview of some", ("Transfer-Complete: *",
                                                      "Transfer-Preview: html"), None),
                                 ("no list", (), None)):
        yield Case(30, name, icap.honest(), Virgin(), options=Options(transfer=lines), checks=[
            lambda run, preview=preview: expect_same(run.requests[0].preview_limit, preview,
                                                     "the preview")])
    yield Case(30, "all ignored", icap.honest(), Virgin(), checks=[
        lambda run: expect_same(run.requests, [], "requests")],
               options=Options(transfer=("Transfer-Ignore: *",)))


def options():
    body = Answer(fields=(*Options().lines(), "Opt-body-type: x"), body=b"more" * 5000,
                  encapsulated="opt-body=0")
    yield Case(31, "opt-body", icap.honest(), Virgin(), options=Options(script=body), times=3,
               checks=[lambda run: expect_same(len(run.requests), 3, "requests")])
    for name, script in (("404", icap.error("404 None")), ("503", icap.error("503 Overloaded")),
                         ("closed", icap.broken("answer")),
                         ("reset", icap.broken("answer", "reset"))):
        yield Case(31, name, icap.honest(), Refused((502, 503, 504)), Virgin(),
                   options=Options(script=script), control=False,
                   checks=[lambda run: expect_same(run.requests, [], "requests")])
    # Something is there; whether it works may be tried.
    for name, script in (("500", icap.error("500 Broken")), ("501", icap.error("501 Not here")),
                         ("garbage", icap.raw(b"\0\1\2" * 99, "close"))):
        yield Case(31, name, icap.honest(), Either(Refused((502, 503, 504)), Virgin()), Virgin(),
                   options=Options(preview=None, allow=(), script=script), control=False)
    yield Case(31, "method not offered", icap.honest(), Refused((502, 503)), Virgin(),
               options=Options(methods=("REQMOD",)), control=False)
    yield Case(31, "no preview, no allow, no TTL", icap.honest(), Virgin(),
               options=Options(preview=None, allow=(), ttl=None, istag=None), times=2)
    yield Case(31, "TTL of 1 s under load", options=Options(ttl=1), drive=short_ttl)
    yield Case(31, "down and up again", drive=down_and_up,
               settings=Settings(retry_after=0.2, options_ttl=1))


def short_ttl(run):
    """Nobody waits for, or suffers from, what is looked up anew."""
    done = threading.Event()
    run.test.addCleanup(done.set)

    def user(number):
        if number == 4:
            try:
                run.wait_for(lambda: len(run.double.lookups) >= 3, "3 lookups")
            finally:
                done.set()
            return []
        client, wrong = run.user(), []
        while not done.is_set():
            result = run.exchange(client, Ask())
            if (result.status, result.body) != (200, BODY):
                wrong.append(result)
        return wrong

    expect_same([wrong for wrong in run.users(5, user) if wrong], [], "what is wrong")


def down_and_up(run):
    """The double refuses, then it is there again."""
    down = run.double
    expect_same(run.get().status, 200, "before")
    down.refuse_connections()
    for wire in down.connections:
        wire.break_off()
    for _ in range(3):
        result = run.get()
        expect(result.status == 200 if run.policy == "optional" else result.status in (502, 503),
               f"{result.status} while it is down")
    down.accept_connections()
    run.wait_for(lambda: run.get().status == 200, "it to be used again")
    seen = len(run.requests)
    run.wait_for(lambda: run.get().status == 200 and len(run.requests) > seen, "it to be asked")


# 33: users.

def users_that_leave():
    yield Case(33, "leaves midway", drive=leaves, given=Given(BODY * 3000))
    yield Case(33, "reads slowly", drive=reads_slowly, given=Given(BODY * 2700))


def leaves(run):
    """In the midst of a response: the service's connection must not be used on, nor stay."""
    for script in (icap.echo(), icap.silent(), icap.silent("all"),
                   icap.lets_go(len(BODY) * 3000, 60 * KB)):
        run.double.forget()
        run.double.default.script = script
        user = run.user()
        user.send(Ask().head(run.origin.url))
        run.wait_for(lambda: run.requests, "the service to be asked")
        user.reset()
        wire = run.double.connections[run.requests[0].connection]
        run.wait_for(lambda wire=wire: wire.closed_by or wire.idle, "the service to be left")
    run.double.default.script = icap.honest()
    expect_same(run.get().body, BODY * 3000, "what comes then")


def reads_slowly(run):
    """8 MB that are echoed to somebody who doesn't read at first: they are not kept meanwhile, and
    the server is not left alone."""
    run.double.default.script = icap.echo()
    run.get()
    before = run.memory()
    user = run.user(receive_buffer=64 * KB)
    user.send(Ask().head(run.origin.url))
    head = user.read_response_head()
    expect(run.memory() - before < 40 * KB * KB, f"{run.memory() - before} bytes more")
    expect_same(user.read_body(head).body, BODY * 2700, "the body")


# 34: chains and sets.

def several():
    def marked(name):
        return icap.adapted(lambda body: body + name.encode(), f"X-By: {name}")

    def both_in_order(run):
        expect_same([request.path for request in run.requests], ["/one", "/two"], "the order")

    chain, fallback = Settings(group="chain"), Settings(group="set")
    yield Case(34, "chain", services={"/one": marked("one"), "/two": marked("two")},
               essential=Adapted(BODY + b"onetwo", present=("X-By: one", "X-By: two")),
               settings=chain, checks=[both_in_order])
    yield Case(34, "chain of requests", services={"/one": marked("one"), "/two": marked("two")},
               essential=Sent(body=BODY + b"onetwo", present=("X-By: one", "X-By: two")),
               settings=chain, checks=[both_in_order], point="REQMOD", ask=POST)
    yield Case(34, "a response ends the chain", services={"/one": icap.response(),
                                                          "/two": marked("two")},
               essential=Adapted(b"blocked", 403, untouched=True), point="REQMOD", settings=chain,
               kept=False, checks=[lambda run: expect_same(len(run.requests), 1, "requests")])
    for name, dead in (("closes", icap.broken("answer")), ("says 500", icap.error("500 Broken")),
                       ("resets", icap.broken("icap head", "reset"))):
        yield Case(34, f"set, the first {name}", settings=fallback,
                   services={"/one": dead, "/two": marked("two")},
                   essential=Adapted(BODY + b"two"))
    yield Case(34, "set, the first has no OPTIONS", settings=fallback,
               services={"/one": Service(icap.honest(), Options(script=icap.error("404 None"))),
                         "/two": marked("two")},
               essential=Adapted(BODY + b"two"), control=False)
    token = "X-ICAP-E2G: -,G,0,0,0,"
    yield Case(34, "a shared field",
               services={"/one": icap.altered(icap.echo(), fields=(token,)), "/two": icap.echo()},
               essential=Virgin(), settings=Settings(group="chain", share=("X-ICAP-E2G",)),
               checks=[lambda run: expect_same(
                   [request.value("X-ICAP-E2G") for request in run.requests],
                   [None, token.partition(": ")[2]], "the field")])


# 35 and 36: TLS, and what a changed ISTag means.

def secure():
    yield Case(35, "good", icap.echo(), Virgin(), tls="good", times=3)
    for tls in ("wrong name", "expired"):
        yield Case(35, tls, icap.echo(), Refused((502, 503)), Virgin(), tls=tls, control=False,
                   checks=[lambda run: expect_same(run.double.lookups, [], "what came")])


def freshness():
    yield Case(36, "ISTag", drive=new_istag, settings=Settings(cache=True, options_ttl=1),
               given=Given(fields=("Cache-Control: max-age=1000",)))


def new_istag(run):
    """What was adapted under an ISTag is not fresh under the next. For a proxy with a cache."""
    def serve(istag, mark):
        run.double.default.options = Options(istag=istag)
        run.double.default.script = icap.adapted(mark)

    serve('"one"', b"one")
    expect_same([run.get().body, run.get().body], [b"one", b"one"], "before")
    expect_same(len(run.requests), 1, "requests: the second was from the cache")
    serve('"two"', b"two")
    run.origin.by_path["/b"] = Given(b"b")
    expect_same(run.get("/b").body, b"two", "another, which tells of the new ISTag")
    expect_same(run.get().body, b"two", "afterwards")
