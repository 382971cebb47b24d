"""ICAP (RFC 3507) as bytes on sockets: messages made and read, and a plain client. See
doubles_icap.py for the server."""

import dataclasses
import re

from harness import Client
from wire import Cut, Message, chunk, head_bytes, parse_fields

HEADS = {"req-hdr", "res-hdr"}
BODIES = {"req-body", "res-body", "opt-body", "null-body"}
LAST_CHUNK = b"0\r\n\r\n"
LAST_CHUNK_IEOF = b"0; ieof\r\n\r\n"


@dataclasses.dataclass
class IcapMessage(Message):
    """What came of a request or an answer. `body` is without chunks; the HTTP heads in it are
    Messages without body."""

    parts: list = dataclasses.field(default_factory=list)  # of Encapsulated: (kind, offset)
    http_request: Message | None = None
    http_response: Message | None = None
    original_from: int | None = None  # what use-original-body says
    continued: bool = False  # at a client: 100 came first

    @property
    def body_kind(self):
        return self.parts[-1][0] if self.parts and self.parts[-1][0] in BODIES else None

    @property
    def has_body(self):
        return self.body_kind not in (None, "null-body")


def encapsulated(heads, body_kind):
    """The value of the field for these heads, as (kind, bytes), and what follows them."""
    parts, offset = [], 0
    for kind, data in heads:
        parts.append(f"{kind}={offset}")
        offset += len(data)
    return ", ".join([*parts, f"{body_kind}={offset}"])


def body_kind_for(heads, has_body):
    """"req-body", "res-body" or "null-body"."""
    if not has_body:
        return "null-body"
    return "res-body" if heads and heads[-1][0] == "res-hdr" else "req-body"


def parse_encapsulated(value):
    """[(kind, offset)]; ValueError for what isn't a legal list of rising offsets from 0."""
    parts = []
    for item in value.split(","):
        match = re.fullmatch(r"\s*([a-z]+-[a-z]+)\s*=\s*([0-9]+)\s*", item)
        if not match:
            raise ValueError(f"not a part: {item!r}")
        parts.append((match[1], int(match[2])))
    kinds, offsets = [kind for kind, _ in parts], [offset for _, offset in parts]
    if kinds[-1] not in BODIES or not HEADS.issuperset(kinds[:-1]) or kinds[:-1] != sorted(
            set(kinds[:-1])):
        raise ValueError(f"not a legal row of parts: {value!r}")
    if offsets[0] != 0 or any(one >= two for one, two in zip(offsets, offsets[1:])):
        raise ValueError(f"offsets do not rise from 0: {value!r}")
    return parts


def parse_http_head(data):
    """One block of a start line, fields and the empty line, and nothing else."""
    if data.find(b"\r\n\r\n") != len(data) - 4:
        raise ValueError(f"the block does not end in its first empty line: {data!r}")
    text = data[:-4].decode("latin-1")
    if re.search(r"[\x00\n\r]", text.replace("\r\n", "")):
        raise ValueError(f"stray control bytes in {data!r}")
    start, *lines = text.split("\r\n")
    try:
        return Message(start, parse_fields(lines), data)
    except AssertionError as error:
        raise ValueError(str(error)) from error


def split_heads(message, block):
    """Sets the HTTP heads from the bytes up to the body's offset."""
    ends = [offset for _, offset in message.parts[1:]]
    for (kind, begin), end in zip(message.parts, ends):
        if kind == "req-hdr":
            message.http_request = parse_http_head(block[begin:end])
        else:
            message.http_response = parse_http_head(block[begin:end])


def edited(head, *fields, start=None, without=()):
    """The bytes of an HTTP head with another start line, without the fields of some names, and with
    more fields behind."""
    gone = {name.lower() for name in without}
    kept = [f"{name}: {value}" for name, value in head.fields if name.lower() not in gone]
    return head_bytes(start or head.start, *kept, *fields)


def icap_request(method, uri, *fields, heads=(), body=None, preview=None):
    """The bytes of a request up to where the client has to wait or is done, and those that follow
    100 (None when there is nothing to wait for)."""
    host = uri.split("/")[2]
    own = [f"Host: {host}"]
    if method != "OPTIONS":
        own.append("Encapsulated: " + encapsulated(heads, body_kind_for(heads, body is not None)))
    if preview is not None:
        own.append(f"Preview: {preview}")
    data = head_bytes(f"{method} {uri} ICAP/1.0", *own, *fields) + b"".join(h for _, h in heads)
    if body is None:
        return data, None
    if preview is None:
        return data + pieces(body) + LAST_CHUNK, None
    data += pieces(body[:preview])
    if len(body) <= preview:
        return data + LAST_CHUNK_IEOF, None
    return data + LAST_CHUNK, pieces(body[preview:]) + LAST_CHUNK


def pieces(body, size=30_000):
    """Its chunks, without the last one."""
    return b"".join(chunk(body[at:at + size]) for at in range(0, len(body), size))


class IcapClient(Client):
    """A client that reads what servers send with some patience: folded fields, answers without
    Encapsulated, chunk extensions. `tls` is an ssl context. A connection has one client."""

    def __init__(self, address, tls=None):
        super().__init__(address)
        self.address = address
        self.scheme = "icaps" if tls else "icap"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")

    def uri(self, service):
        return f"{self.scheme}://{self.address}/{service.lstrip('/')}"

    def options(self, service, *fields):
        self.send(icap_request("OPTIONS", self.uri(service), *fields)[0])
        return self.read_answer()

    def reqmod(self, service, head, *fields, **more):
        return self.ask("REQMOD", service, [("req-hdr", head)], *fields, **more)

    def respmod(self, service, request_head, head, *fields, **more):
        return self.ask("RESPMOD", service, [("req-hdr", request_head), ("res-hdr", head)], *fields,
                        **more)

    def ask(self, method, service, heads, *fields, body=None, preview=None):
        """Sends a request, with its rest if the server says 100, and reads the answer to it."""
        data, rest = icap_request(method, self.uri(service), *fields, heads=heads, body=body,
                                  preview=preview)
        self.send(data)
        answer = self.read_answer()
        if answer.status != 100:
            return answer
        if rest is not None:
            self.send(rest)
        answer = self.read_answer()
        answer.continued = True
        return answer

    def read_answer(self):
        answer = self.read_answer_head()
        return self.read_answer_body(answer)

    def read_answer_head(self):
        """The ICAP head and the HTTP heads in it."""
        raw = self.read_until(b"\r\n\r\n") + b"\r\n\r\n"
        start, *lines = re.sub(r"\r\n[ \t]+", " ", raw[:-4].decode("latin-1")).split("\r\n")
        if not re.fullmatch(r"ICAP/1\.0 [1-5][0-9][0-9]( .*)?", start):
            raise AssertionError(f"not a status line: {start!r}")
        answer = IcapMessage(start, parse_fields(lines), raw)
        value = answer.value("Encapsulated")
        if value is not None:
            answer.parts = parse_encapsulated(value)
            split_heads(answer, self.read_exactly(answer.parts[-1][1]))
        return answer

    def read_answer_body(self, answer):
        if not answer.has_body:
            return answer
        got = []
        while True:
            line = self.read_until(b"\r\n").decode("latin-1")
            match = re.fullmatch(r"([0-9A-Fa-f]+)\s*(;.*)?", line)
            if not match:
                raise AssertionError(f"not a chunk size: {line!r}")
            size = int(match[1], 16)
            if size == 0:
                break
            got.append(self.read_exactly(size))
            if self.read_exactly(2) != b"\r\n":
                raise AssertionError("a chunk goes on past its size")
        answer.body = b"".join(got)
        original = re.search(r";\s*use-original-body=([0-9]+)", match[2] or "")
        answer.original_from = int(original[1]) if original else None
        lines = []
        while line := self.read_until(b"\r\n"):
            lines.append(line.decode("latin-1"))
        answer.trailers = parse_fields(lines)
        return answer

    def is_cut(self):
        """True when the connection ends, or is reset, with nothing before."""
        try:
            self.fill()
        except Cut:
            return self.buffer == b""
        return False
