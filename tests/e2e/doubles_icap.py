"""An ICAP server that does what the test's script says, writes down what it gets, and holds that
against the rules. See doubles_icap_scripts.py for scripts that are ready.

    double = self.double(IcapDouble(unmodified(), Options(preview=0)))
    ... double.uri, double.requests, double.lookups, double.connections

A script is a function of an Exchange. It moves that on step by step, and gives what is to be sent
in the end: bytes, an Answer, another script, or None if it has seen to that itself.
"""

import dataclasses
import itertools
import re
import select
import socket
import struct
import threading
import time

import icap_rules
from doubles import Double
from doubles_tls import TlsFront
from wire import LIMIT, Cut, head_bytes, parse_fields
from wire_icap import (LAST_CHUNK, IcapMessage, body_kind_for, encapsulated,
                       parse_encapsulated, pieces, split_heads)


@dataclasses.dataclass(frozen=True)
class Options:
    """What OPTIONS is answered. None leaves a field out; `fields` are added. With `script`, that
    answers instead; the rest then says what clients are held to."""

    methods: tuple = ("REQMOD", "RESPMOD")
    preview: int | None = 1024
    allow: tuple = ("204",)
    ttl: int | None = 3600
    istag: str | None = '"double-1"'
    max_connections: int | None = None
    transfer: tuple = ("Transfer-Preview: *",)  # only with a preview
    fields: tuple = ()
    script: object = None

    def lines(self):
        known = {"Methods": ", ".join(self.methods), "Options-TTL": self.ttl,
                 "Preview": self.preview, "Allow": ", ".join(self.allow) or None,
                 "Max-Connections": self.max_connections}
        return [*(f"{name}: {value}" for name, value in known.items() if value is not None),
                *(self.transfer if self.preview is not None else ()), *self.fields]


@dataclasses.dataclass
class Answer:
    """`heads` are (kind, bytes). `encapsulated` stands for the value that is right, "" leaves the
    field out. `coded` stands for the body's chunks, `last` is what comes behind them."""

    status: str = "200 OK"
    fields: tuple = ()
    heads: tuple = ()
    body: bytes | None = None
    coded: bytes | None = None
    last: bytes = LAST_CHUNK
    encapsulated: str | None = None
    istag: bool = True  # that of the service

    def head(self, istag=None):
        kind = body_kind_for(self.heads, self.body is not None)
        value = self.encapsulated
        if value is None:
            value = encapsulated(self.heads, kind)
        lines = [f"ISTag: {istag}"] if istag and self.istag else []
        lines += [f"Encapsulated: {value}"] if value else []
        return head_bytes(f"ICAP/1.0 {self.status}", *lines, *self.fields)

    @property
    def http_heads(self):
        return b"".join(data for _, data in self.heads)

    @property
    def chunks(self):
        return pieces(self.body or b"") if self.coded is None else self.coded

    @property
    def end(self):
        return self.last if self.body is not None else b""

    def bytes(self, istag=None):
        return self.head(istag) + self.http_heads + self.chunks + self.end

    def cut(self, where, istag=None):
        """What has been sent when it breaks off before the "answer", in the "icap head", in the
        "http head", in a "chunk", or before the "last chunk"."""
        head, http_heads, chunks = self.head(istag), self.http_heads, self.chunks
        before = {"answer": b"", "icap head": head[:len(head) // 2],
                  "http head": head + http_heads[:len(http_heads) // 2],
                  "chunk": head + http_heads + chunks[:len(chunks) // 2],
                  "last chunk": head + http_heads + chunks}
        return before[where]


@dataclasses.dataclass
class IcapRequest(IcapMessage):
    """As it comes: what isn't there yet is empty."""

    preview_limit: int | None = None  # what Preview says
    preview: bytes = b""
    ieof: bool = False
    rest: bytes = b""  # all, where there was no preview
    complete: bool = False  # the last chunk came, or there is no body
    broke: str = ""  # "end" or "reset": how it ended before that
    index: int = 0  # on its connection, from 0
    answered: bool = False

    @property
    def content(self):
        return self.preview + self.rest

    @property
    def allows(self):
        return {item.strip() for item in (self.value("Allow") or "").split(",") if item.strip()}

    @property
    def path(self):
        """The last part of the URI, with a slash before it and the query behind."""
        return "/" + self.target.split("/", 3)[3] if self.target.count("/") > 2 else "/"


class Exchange:
    """A request and its answer, on the double's side. Reading goes as far as the client may send:
    "heads", then "preview" and "paused" or at once "rest", "done"."""

    def __init__(self, double, wire, request):
        self.double = double
        self.wire = wire
        self.request = request
        self.stage = "heads"
        self.quiet_at = None
        self.reader = None
        self.service = double.service_of(request.path)

    def report(self, violations):
        self.double.report(self.request, violations)

    # Reading.

    def read_heads(self):
        """The HTTP heads in it."""
        if self.stage != "heads":
            return
        request = self.request
        value = request.value("Encapsulated")
        if value is not None:
            request.parts = parse_encapsulated(value)
            self.report(icap_rules.of_parts(request))
            split_heads(request, self.wire.read_exactly(request.parts[-1][1]))
            self.report(icap_rules.of_http_heads(request))
        if not request.has_body:
            self.done()
        else:
            self.stage = "rest" if request.preview_limit is None else "preview"

    def read_chunk(self):
        """The content of the next one; b"" when the preview, or the body, is over."""
        self.read_heads()
        if self.stage not in ("preview", "rest"):
            return b""
        line = self.wire.read_until(b"\r\n")
        match = re.fullmatch(rb"([0-9A-Fa-f]+)(; ieof)?", line)
        if not match or (match[2] and (self.stage == "rest" or int(match[1], 16))):
            raise ValueError(f"not a chunk's line of a client: {line!r}")
        size = int(match[1], 16)
        if size == 0:
            self.end_of_chunks(bool(match[2]))
            return b""
        data = self.wire.read_exactly(size)
        if self.wire.read_exactly(2) != b"\r\n":
            raise ValueError("a chunk goes on past its size")
        if self.stage == "preview":
            self.request.preview += data
        else:
            self.request.rest += data
        return data

    def end_of_chunks(self, ieof):
        lines = []
        while line := self.wire.read_until(b"\r\n"):
            lines.append(line.decode("latin-1"))
        self.request.trailers = parse_fields(lines)
        if self.stage == "preview":
            self.request.ieof = ieof
            self.report(icap_rules.of_preview(self.request))
            self.stage = "paused"
        if self.stage == "rest" or ieof:
            self.done()

    def done(self):
        self.stage = "done"
        self.request.complete = True
        self.report(icap_rules.of_whole(self.request))

    def read(self):
        """All that comes without 100."""
        while self.read_chunk():
            pass

    def read_all(self):
        """With 100, where that is wanted."""
        self.read()
        if self.stage == "paused":
            self.go_on()
            self.read()

    def read_some(self, count):
        """Chunks until there are so many bytes, or no more."""
        while len(self.request.content) < count and self.read_chunk():
            pass

    def alongside(self, function=None):
        """Reads in a thread of its own (as read() does) while the script sends; join() that."""
        def run():
            try:
                (function or self.read)()
            except (Cut, OSError) as error:
                self.request.broke = str(error)
            except (AssertionError, ValueError) as error:
                self.report([str(error)])

        self.reader = threading.Thread(target=run, daemon=True)
        self.reader.start()
        return self.reader

    def finish(self):
        """Reads what is under way, to stay in step."""
        if self.reader:
            self.reader.join()
            if not self.request.complete:
                raise Cut(self.request.broke)
        self.read()

    # Sending.

    def send(self, data):
        """Bytes, or an Answer."""
        self.check_quiet()
        if isinstance(data, Answer):
            data = self.bytes_of(data)
        self.request.answered = True
        self.wire.send(data)

    def bytes_of(self, answer):
        return answer.bytes(self.service.options.istag)

    def go_on(self, *fields):
        """100: the rest of the body comes."""
        self.check_quiet()
        self.wire.send(head_bytes("ICAP/1.0 100 Continue", *fields))
        if self.stage == "paused":
            self.stage = "rest"

    def check_quiet(self):
        """After a preview, and after all, a client waits."""
        if self.stage in ("paused", "done") and self.stage != self.quiet_at:
            self.quiet_at = self.stage
            early = self.wire.buffer or peek(self.wire.socket)
            if early:
                self.report([f"not quiet when {self.stage}: {early[:80]!r}"])

    def dribble(self, data):
        """One byte at a time: the next is sent when the client has read that."""
        self.check_quiet()
        sock = self.wire.socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            self.wire.send(data[at:at + 1])
            wait_until_read(sock)

    # Ends and pauses.

    def wait(self, event):
        """For what the test sets."""
        deadline = time.monotonic() + LIMIT
        while not event.wait(0.05):
            if self.double.stopping.is_set():
                raise Cut("the test is over")
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain for the test's event")

    def stall(self):
        """Neither sends nor reads until the client leaves; which is not seen behind more unread
        bytes than the sockets hold."""
        poller = select.poll()
        poller.register(self.wire.socket, select.POLLRDHUP)
        poller.poll()
        raise Cut("end")

    def end(self):
        """An orderly end: what the client still sends is read and dropped."""
        self.wire.closed_by = self.wire.closed_by or "double"
        self.wire.finish_sending()
        if self.reader:
            self.reader.join()
        try:
            while self.wire.socket.recv(262144):
                pass
        except OSError:
            pass
        self.wire.close()

    def reset(self):
        self.wire.closed_by = self.wire.closed_by or "double"
        self.wire.reset()

    def await_bytes(self):
        """Of the next request, which stays unread; Cut when the client leaves instead."""
        self.wire.idle = True
        if not self.wire.buffer and not self.wire.socket.recv(1, socket.MSG_PEEK):
            raise Cut("end")
        self.wire.idle = False


@dataclasses.dataclass
class Service:
    """One of the double's URIs, which may change while it runs."""

    script: object
    options: Options
    offers: list = dataclasses.field(default_factory=list)  # each that was made


class IcapDouble(Double):
    """`requests` are REQMOD and RESPMOD, `lookups` OPTIONS. `violations` are what clients did
    against the rules; if `strict`, stop() fails when there are any. Of `connections` each has
    `closed_by` ("client", "double" or None) and `served`, a count.

    `services` are Services by path, besides the one at any other path. `tls` is the pair of a
    certificate and a key; `front` then is the TlsFront.
    """

    def __init__(self, script, options=Options(), services=None, tls=None, strict=True):
        self.lock = threading.Lock()
        self.default = Service(script, options)
        self.services = services or {}
        self.strict = strict
        self.lookups = []
        self.violations = []
        self.most_open = 0
        self.front = None
        super().__init__()
        if tls:
            self.front = TlsFront(self.address, tls)
            self.address = f"localhost:{self.front.port}"

    @property
    def uri(self):
        return f"{'icaps' if self.front else 'icap'}://{self.address}/service"

    def service_of(self, path):
        return self.services.get(path.partition("?")[0], self.default)

    @property
    def opened(self):
        """How many connections there have been."""
        return len(self.connections)

    @property
    def open_now(self):
        return sum(is_open(wire) for wire in list(self.connections))

    def report(self, request, violations):
        where = f"request {request.index} of connection {request.connection}, {request.start}"
        self.violations += [f"{violation}: in {where}" for violation in violations]

    def forget(self):
        """What came so far."""
        self.requests.clear()
        self.lookups.clear()

    def serve_requests(self, wire):
        wire.closed_by, wire.served, wire.idle = None, 0, True
        self.count_open()
        try:
            for index in itertools.count():
                if wire.closed:
                    return
                self.serve_one(wire, index)
        except Cut:
            wire.closed_by = wire.closed_by or ("double" if wire.closed else "client")
            raise
        finally:
            wire.idle = False
            wire.closed_by = wire.closed_by or "double"

    def count_open(self):
        with self.lock:
            count = self.open_now
            self.most_open = max(self.most_open, count)
            most = [service.options.max_connections
                    for service in (self.default, *self.services.values())]
            if None not in most and count > sum(most):
                self.violations.append(f"{count} connections, where {most} are offered")

    def serve_one(self, wire, index):
        exchange = None
        try:
            wire.idle = True
            if not wire.buffer:
                wire.fill()
            wire.idle = False
            head = wire.read_head()
            exchange = self.begin(wire, head, index)
            self.run_script(exchange)
            if not wire.closed:
                exchange.finish()
        except (Cut, OSError) as error:
            if exchange and not exchange.request.complete:
                exchange.request.broke = str(error)
            raise
        except (AssertionError, ValueError) as error:
            self.violations.append(f"{error}: in request {index} of connection {wire.number}")
            wire.closed_by = "double"
            raise Cut("not legal") from error

    def begin(self, wire, head, index):
        request = IcapRequest(head.start, head.fields, head.raw_head, connection=wire.number,
                              index=index)
        wire.served += 1
        if not icap_rules.REQUEST_LINE.fullmatch(head.start):
            raise ValueError(f"not a request line: {head.start!r}")
        self.report(request, icap_rules.of_icap_head(request))
        if request.values("Preview"):
            request.preview_limit = int(request.values("Preview")[0])
        exchange = Exchange(self, wire, request)
        if request.method != "OPTIONS":
            exchange.report(icap_rules.of_promises(request, exchange.service.offers[-2:]))
            exchange.read_heads()
        (self.lookups if request.method == "OPTIONS" else self.requests).append(request)
        return exchange

    def run_script(self, exchange):
        if exchange.request.method == "OPTIONS":
            options = exchange.service.options
            exchange.read()
            exchange.service.offers.append(options)
            answer = options.script or Answer(fields=tuple(options.lines()))
        else:
            answer = exchange.service.script
        while callable(answer):
            answer = answer(exchange)
        if answer:
            exchange.send(answer)

    def stop(self):
        if self.front:
            self.front.stop()
        super().stop()
        if self.strict and self.violations:
            raise AssertionError("an ICAP client broke the rules:\n" + "\n".join(self.violations))


def peek(sock):
    """What has come and is not read."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    try:
        return sock.recv(256, socket.MSG_PEEK) if poller.poll(0) else b""
    except OSError:
        return b""


def is_open(wire):
    """Whether neither side has ended it; sees an end behind bytes that are not read yet."""
    if wire.closed:
        return False
    poller = select.poll()
    try:
        poller.register(wire.socket, select.POLLRDHUP)
        return not poller.poll(0)
    except (OSError, ValueError):  # closed meanwhile
        return False


SOCK_DIAG = 4  # of netlink; sock_diag(7)
SOCK_DIAG_BY_FAMILY = 20
ERROR = 2


def unread_at_the_other_end(sock):
    """How many bytes its peer, a socket of this machine (IPv4), has and has not read."""
    ends = (sock.getpeername(), sock.getsockname())
    ports = struct.pack("!HH", *(port for _, port in ends))
    hosts = b"".join(socket.inet_aton(host).ljust(16, b"\0") for host, _ in ends)
    question = (struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
                + ports + hosts + bytes(4) + b"\xff" * 8)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, SOCK_DIAG) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(question), SOCK_DIAG_BY_FAMILY, 1, 1, 0)
                     + question)
        reply = netlink.recv(8192)
    if struct.unpack_from("=H", reply, 4)[0] == ERROR:  # it is gone
        return 0
    return struct.unpack_from("=I", reply, 16 + 56)[0]  # idiag_rqueue


def wait_until_read(sock):
    """Until the program at the other end has read all that was sent."""
    deadline = time.monotonic() + LIMIT
    while unread_at_the_other_end(sock):
        if time.monotonic() > deadline:
            raise AssertionError("the client does not read")
        time.sleep(0.0002)
