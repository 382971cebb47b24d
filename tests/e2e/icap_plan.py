"""What a proxy with ICAP services is to do, as data: a Case has a script for the double, what a
user asks and an origin gives, and what comes of it where the service is essential (no answer
without it) and where it is optional. Nothing here knows how a proxy is configured:

    @plan_tests(cases)
    class CasesTest(IcapPlanTest):
        def start_proxy(self, services, settings):
            return self.forward(...)
"""

import dataclasses
import threading
import time

from doubles import Double, DoublesTest
from doubles_icap import IcapDouble, Options, Service
from doubles_icap_scripts import by_path, honest
from doubles_tls import Authority
from harness import wait_until
from wire import Cut, chunk, chunked, head_bytes

BODY = bytes(range(256)) * 12
POLICIES = ("essential", "optional")
CONTROL = "/control"  # asked after each case, to see that all is in step


# What a case is made of.

@dataclasses.dataclass(frozen=True)
class Ask:
    """A user's request. `framing` is that of the body: "length" or "chunked"."""

    path: str = "/a"
    method: str = "GET"
    fields: tuple = ()
    body: bytes | None = None
    framing: str = "length"
    target: str | None = None  # stands for the origin's URL and the path

    def head(self, url):
        target = self.target or url + self.path
        host = target.removeprefix("http://").partition("/")[0]
        framing = []
        if self.body is not None:
            framing = ["Transfer-Encoding: chunked"] if self.framing == "chunked" else [
                f"Content-Length: {len(self.body)}"]
        return head_bytes(f"{self.method} {target} HTTP/1.1", f"Host: {host}", *framing,
                          *self.fields)

    @property
    def content(self):
        if self.body is None:
            return b""
        return chunked(self.body) if self.framing == "chunked" else self.body


@dataclasses.dataclass(frozen=True)
class Given:
    """An origin's response. `framing` is "length", "chunked", "close" or "none". With `cut` it ends
    after so many bytes of the body."""

    body: bytes = BODY
    status: str = "200 OK"
    fields: tuple = ()
    framing: str = "length"
    cut: int | None = None

    def parts(self):
        framing = {"length": [f"Content-Length: {len(self.body)}"], "none": [],
                   "chunked": ["Transfer-Encoding: chunked"], "close": ["Connection: close"]}
        head = head_bytes(f"HTTP/1.1 {self.status}", *framing[self.framing], *self.fields)
        body = self.body if self.cut is None else self.body[:self.cut]
        if self.framing == "chunked":
            # The chunk of nothing would be the last one.
            body = chunked(body) if self.cut is None else chunk(body) if body else b""
        return head, b"" if self.framing == "none" else body

    @property
    def ends(self):
        return self.framing == "close" or self.cut is not None

    def body_for(self, method):
        none = method == "HEAD" or self.status[:3] in ("204", "304") or self.framing == "none"
        return b"" if none else self.body


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the proxy is told about its services; None is its own choice. Times in seconds."""

    io_timeout: float | None = None
    keep_limit: int | None = None  # bytes of a body held for bypass, retry and 204
    allow_206: bool = True
    options_ttl: float | None = None  # where OPTIONS says none
    retry_after: float | None = None  # before a dead service is tried again
    overload: str | None = None  # "wait", "bypass" or "refuse"
    group: str | None = None  # several services are a "chain" or a "set"
    share: tuple = ()  # fields of one service's answer that others of the transaction get
    ca: str | None = None  # whom icaps servers are trusted by
    cache: bool = False


@dataclasses.dataclass(frozen=True)
class WantedService:
    uri: str
    point: str  # "REQMOD" or "RESPMOD": before the cache
    policy: str


@dataclasses.dataclass(frozen=True)
class Case:
    """Cases of one `number` belong together. Either `script` (with `options`), `ask`, `given`, done
    `times` times on one connection of the user, with outcomes; or `drive`, a function of a Run that
    does it all. `optional` is as `essential` when it is not given. `checks` are functions of the
    Run. `services` are scripts (or Services) by path, instead of `script`. `control`: afterwards
    the proxy answers as ever."""

    number: int
    name: str
    script: object = None
    essential: object = None
    optional: object = None
    point: str = "RESPMOD"
    options: Options = Options()
    ask: Ask = Ask()
    given: Given = Given()
    times: int = 1
    settings: Settings = Settings()
    checks: tuple = ()
    services: dict | None = None
    tls: str | None = None  # "good", "wrong name", "expired"
    control: bool = True
    kept: bool = True  # the user's connection is
    drive: object = None

    def outcome(self, policy):
        return (self.optional if policy == "optional" else None) or self.essential


# What comes of it. Each has check(run, result), which raises AssertionError.

@dataclasses.dataclass
class Result:
    """What a user got: `ended` is "whole", "end" (too early), "reset" or "silence"."""

    head: object = None
    body: bytes = b""
    ended: str = "whole"
    took: float = 0.0

    @property
    def status(self):
        return self.head.status if self.head else None


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def shown(data):
    return f"{len(data)} bytes, {data[:40]!r}"


def expect_same(got, wanted, what):
    if isinstance(wanted, bytes):
        expect(got == wanted, f"{what}: {shown(got)} instead of {shown(wanted)}")
    else:
        expect(got == wanted, f"{what}: {got!r} instead of {wanted!r}")


def expect_fields(head, present, absent):
    for field in present:
        name, _, value = field.partition(": ")
        expect(value in head.values(name), f"no {field!r} in {head.raw_head!r}")
    for name in absent:
        expect(not head.values(name), f"{name} in {head.raw_head!r}")


@dataclasses.dataclass(frozen=True)
class Adapted:
    """The user gets this response, whole. body=None: that of the origin."""

    body: bytes | None = None
    status: int = 200
    present: tuple = ()
    absent: tuple = ()
    untouched: bool = False  # the origin hears nothing of it

    def check(self, run, result):
        body = run.case.given.body_for(run.case.ask.method) if self.body is None else self.body
        expect_same((result.status, result.ended), (self.status, "whole"), "the response")
        expect_same(result.body, body, "its body")
        expect_fields(result.head, self.present, self.absent)
        if self.untouched:
            expect(not run.origin.whole_requests(run.case.ask.path), "the origin was asked")


@dataclasses.dataclass(frozen=True)
class Virgin:
    """As if there were no service."""

    def check(self, run, result):
        case = run.case
        expect_same((result.status, result.ended), (int(case.given.status[:3]), "whole"),
                    "the response")
        expect_same(result.body, case.given.body_for(case.ask.method), "its body")
        Sent().check_request(run)


@dataclasses.dataclass(frozen=True)
class Sent:
    """The origin gets exactly this request, and the user its response. What is None is as the user
    has it."""

    method: str | None = None
    path: str | None = None
    body: bytes | None = None
    present: tuple = ()
    absent: tuple = ("Expect",)

    def check(self, run, result):
        given = run.origin.by_path.get(self.path or run.case.ask.path, run.case.given)
        expect_same((result.status, result.ended), (int(given.status[:3]), "whole"), "the response")
        expect_same(result.body, given.body_for(self.method or run.case.ask.method), "its body")
        self.check_request(run)

    def check_request(self, run):
        ask = run.case.ask
        path = self.path or ask.path
        requests = run.origin.whole_requests(path)
        expect(requests, f"the origin was not asked for {path}")
        expect_same(requests[-1].method, self.method or ask.method, "the origin's request")
        expect_same(requests[-1].body, (ask.body or b"") if self.body is None else self.body,
                    "its body")
        expect_fields(requests[-1], self.present, self.absent)


@dataclasses.dataclass(frozen=True)
class Refused:
    """An error of the proxy itself; nothing whole has reached the origin if it was a request."""

    statuses: tuple = (502, 503)
    within: float | None = None  # seconds
    too_late: bool = False  # all of the request may have gone before

    def check(self, run, result):
        expect_same(result.ended, "whole", "the response")
        expect(result.status in self.statuses, f"{result.status} instead of {self.statuses}")
        if run.case.point == "REQMOD" and not self.too_late:
            expect(not run.origin.whole_requests(run.case.ask.path), "the origin was asked")
        if self.within is not None:
            expect(result.took <= self.within, f"it took {result.took:.2f} s")


@dataclasses.dataclass(frozen=True)
class Aborted:
    """The user sees that the response is not whole; what there is of it is the beginning of `of`,
    or of the origin's body."""

    of: bytes | None = None

    def check(self, run, result):
        expect(result.status is not None and result.ended in ("end", "reset"),
               f"{result.status} that ended {result.ended}, not cut off")
        whole = run.case.given.body if self.of is None else self.of
        expect(whole.startswith(result.body), f"{shown(result.body)} is not what it begins with")


class Either:
    def __init__(self, *outcomes):
        self.outcomes = outcomes

    def check(self, run, result):
        reasons = []
        for outcome in self.outcomes:
            try:
                return outcome.check(run, result)
            except AssertionError as reason:
                reasons.append(f"{type(outcome).__name__}: {reason}")
        raise AssertionError("\n".join(reasons))


# What runs it.

class PlanOrigin(Double):
    """Gives each path its Given. A request that does not come whole is among `requests`, too, with
    `broke`."""

    def __init__(self, by_path):
        self.by_path = by_path
        super().__init__()

    def whole_requests(self, path):
        return [request for request in list(self.requests)
                if request.target.endswith(path) and request.broke == ""]

    def serve_requests(self, wire):
        while not wire.closed:
            request = wire.read_request_head()
            request.broke = "under way"
            self.requests.append(request)
            try:
                wire.read_body(request)
            except (Cut, OSError) as error:
                request.broke = str(error)
                raise
            request.broke = ""
            path = "/" + request.target.rpartition("/")[2]
            given = self.by_path.get(path) or Given(b"not here", "404 Not Found")
            head, body = given.parts()
            wire.send(head + (b"" if request.method == "HEAD" else body))
            if given.ends:
                wire.close()


class Run:
    """A case under a policy: the double or doubles, the origin, the proxy; and what to do it
    with."""

    def __init__(self, test, case, policy):
        self.test = test
        self.case = case
        self.policy = policy
        self.origin = test.double(PlanOrigin({CONTROL: Given(b"control"),
                                              case.ask.path: case.given}))
        self.authority = None
        settings = case.settings
        pair = None
        if case.tls:
            self.authority = test.enterContext(Authority())
            pair = self.authority.issue(
                names="DNS:other.test" if case.tls == "wrong name" else "DNS:localhost",
                days=-1 if case.tls == "expired" else 2)
            settings = dataclasses.replace(settings, ca=self.authority.path)
        services = {path: self.service(each) for path, each in (case.services or {}).items()}
        own = self.service(case.script or honest())
        self.double = test.double(IcapDouble(own.script, own.options, services, pair))
        uris = [self.double.uri.replace("/service", path) for path in services]
        self.proxy = test.start_proxy(
            [WantedService(uri, case.point, policy) for uri in uris or [self.double.uri]], settings)

    def service(self, script):
        if isinstance(script, Service):
            return script
        return Service(by_path({CONTROL: honest()}, script), self.case.options)

    @property
    def requests(self):
        """What came to the service, without what was asked to see that all is in step."""
        return [request for request in list(self.double.requests)
                if not request.http_request.target.endswith(CONTROL)]

    def memory(self):
        """Bytes that the proxy takes; 0 if it is not known."""
        return self.proxy.memory() if hasattr(self.proxy, "memory") else 0

    def user(self, **options):
        return self.test.client(self.proxy, **options)

    def exchange(self, user, ask):
        """One request on a user's connection, as far as it goes."""
        return exchange(user, ask, self.origin.url)

    def wait_for(self, condition, what):
        return wait_until(condition, what)

    def get(self, path="/a", **more):
        """By a connection of its own."""
        user = self.user()
        try:
            return self.exchange(user, Ask(path, **more))
        finally:
            user.close()

    def users(self, count, function):
        """Calls it with 0, 1, ... in threads; gives what they gave, in order."""
        results, errors = [None] * count, []

        def run(number):
            try:
                results[number] = function(number)
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return results

    def check_in_step(self, user, result):
        """The connection, if it still is one, takes another request; else a new one does."""
        if over(result):
            user = self.user()
        again = self.exchange(user, Ask(CONTROL))
        if not self.case.kept and again.head is None and again.ended in ("end", "reset"):
            again = self.exchange(self.user(), Ask(CONTROL))
        expect_same((again.status, again.body, again.ended), (200, b"control", "whole"),
                    "the next request")

    def run(self):
        case = self.case
        if case.drive:
            case.drive(self)
            return
        user = self.user()
        for _ in range(case.times):
            result = self.exchange(user, case.ask)
            case.outcome(self.policy).check(self, result)
            if over(result):
                user = self.user()
        for check in case.checks:
            check(self)
        if case.control:
            self.check_in_step(user, result)


def exchange(user, ask, url):
    """One request to the origin at the URL, as far as it goes."""
    began, result, body, sending = time.monotonic(), Result(), [], None
    try:
        result.head, sending = send(user, ask, url)
        result.head = result.head or user.read_response_head(ask.method)
        body.extend(pieces_of(user, result.head))
    except Cut as cut:
        result.ended = str(cut)
    except TimeoutError:
        result.ended = "silence"
    result.body = b"".join(body)
    result.took = time.monotonic() - began
    if sending and not over(result):
        sending.join()  # what comes next must not get between
    return result


def send(user, ask, url):
    """All of the request; gives the response if that comes where 100 was expected, or the thread
    that sends the content."""
    user.send(ask.head(url))
    if any(field.startswith("Expect:") for field in ask.fields):
        head = user.read_head()
        if head.status != 100:
            head.framing = user.coding_of(head) or "close"
            return head, None
    if not ask.content:
        return None, None
    thread = threading.Thread(target=send_while_it_lasts, args=(user, ask.content), daemon=True)
    thread.start()
    return None, thread


def send_while_it_lasts(user, data):
    try:
        user.send(data)
    except OSError:
        pass


def over(result):
    """Whether there can't be another response on that connection."""
    return (result.ended != "whole" or result.head.framing == "close"
            or "close" in result.head.connection_options)


def pieces_of(wire, head):
    """The content as it comes; Cut if it ends too early."""
    if head.framing == "length":
        left = int(head.value("Content-Length"))
        while left:
            if not wire.buffer:
                wire.fill()
            data = wire.read_exactly(min(left, len(wire.buffer)))
            left -= len(data)
            yield data
    elif head.framing == "chunked":
        while size := int(wire.read_until(b"\r\n"), 16):
            yield wire.read_exactly(size + 2)[:-2]
        while wire.read_until(b"\r\n"):
            pass
    elif head.framing == "close":
        yield wire.read_to_end()


class IcapPlanTest(DoublesTest):
    def start_proxy(self, services, settings):
        """A forward proxy for anybody, as `address`, with these WantedServices for all requests, or
        responses; it ends with the test."""
        raise NotImplementedError


def plan_tests(cases, wanted=lambda case: True):
    """A class gets a test of each case under each policy."""
    def add(test_class):
        for case in filter(wanted, cases()):
            for policy in POLICIES:
                name = "".join(c if c.isalnum() else "_" for c in case.name)
                name = f"test_{case.number:02}_{name}_{policy}"
                expect(not hasattr(test_class, name), f"two cases are {name}")
                setattr(test_class, name, method(case.number, case.name, policy))
        return test_class

    def method(number, name, policy):
        def test(self):
            # Scripts count: each run has its own.
            case, = (case for case in cases() if (case.number, case.name) == (number, name))
            Run(self, case, policy).run()

        return test

    return add
