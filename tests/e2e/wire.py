"""HTTP/1 as bytes on sockets: what is read is held against the grammar, what is sent is not."""

import dataclasses
import re
import socket
import struct
import time

LIMIT = 20.0  # seconds: the most anything may take that should take none


class Cut(Exception):
    """The connection ended inside a message, or before one."""


@dataclasses.dataclass
class Message:
    """A request or a response as it was on the wire."""

    start: str
    fields: list
    raw_head: bytes
    framing: str = "none"  # or "length", "chunked", "close"
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    interim: list = dataclasses.field(default_factory=list)  # 1xx responses before this one
    connection: int = 0  # at an origin: which of its connections, from 0

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name):
        """All lines of that name as one value; None if there are none."""
        values = self.values(name)
        return ", ".join(values) if values else None

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    @property
    def connection_options(self):
        return {o.strip().lower() for o in (self.value("Connection") or "").split(",") if o.strip()}


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise AssertionError(f"not a field line: {line!r}")
        fields.append((name, value.strip(" \t")))
    return fields


class Wire:
    """One end of a connection. Reads strictly: what is not legal HTTP/1 fails the test."""

    def __init__(self, sock):
        sock.settimeout(LIMIT)
        self.socket = sock
        self.buffer = b""
        self.closed = False

    def send(self, data):
        self.socket.sendall(data)

    def dribble(self, data, sizes=(5, 10), pause=0.1):
        """Sends in small fragments, a pause after each."""
        turn = 0
        while data:
            size = sizes[turn % len(sizes)]
            self.socket.sendall(data[:size])
            data = data[size:]
            turn += 1
            time.sleep(pause)

    def fill(self):
        try:
            data = self.socket.recv(262144)
        except ConnectionError as error:
            raise Cut("reset") from error
        if not data:
            raise Cut("end")
        self.buffer += data

    def read_until(self, mark):
        while mark not in self.buffer:
            self.fill()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def read_exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_to_end(self):
        """All up to a clean end; raises Cut after a reset."""
        pieces = []
        while True:
            pieces.append(self.buffer)
            self.buffer = b""
            try:
                self.fill()
            except Cut as cut:
                if str(cut) == "reset":
                    raise
                return b"".join(pieces)

    def read_head(self):
        raw = self.read_until(b"\r\n\r\n")
        text = raw.decode("latin-1")
        if re.search(r"[\x00\n\r]", text.replace("\r\n", "")):
            raise AssertionError(f"stray control bytes in {raw!r}")
        start, *lines = text.split("\r\n")
        return Message(start, parse_fields(lines), raw + b"\r\n\r\n")

    def read_body(self, message):
        """The content, as message.framing says."""
        if message.framing == "length":
            message.body = self.read_exactly(int(message.value("Content-Length")))
        elif message.framing == "close":
            message.body = self.read_to_end()
        elif message.framing == "chunked":
            pieces = []
            while True:
                line = self.read_until(b"\r\n")
                if not re.fullmatch(rb"[0-9A-Fa-f]+", line):
                    raise AssertionError(f"not a chunk size: {line!r}")
                size = int(line, 16)
                if size == 0:
                    break
                pieces.append(self.read_exactly(size))
                if self.read_exactly(2) != b"\r\n":
                    raise AssertionError("a chunk goes on past its size")
            message.body = b"".join(pieces)
            lines = []
            while line := self.read_until(b"\r\n"):
                lines.append(line.decode("latin-1"))
            message.trailers = parse_fields(lines)
        return message

    def coding_of(self, message):
        """"chunked", "length" or None; never both, and chunked is the only coding."""
        coding, length = message.value("Transfer-Encoding"), message.value("Content-Length")
        if coding is not None and (coding != "chunked" or length is not None):
            raise AssertionError(f"illegal framing: {message.raw_head!r}")
        if length is not None and not re.fullmatch(r"[0-9]+", length):
            raise AssertionError(f"illegal Content-Length: {message.raw_head!r}")
        return "chunked" if coding else "length" if length else None

    def read_response_head(self, method="GET", version="1.1"):
        """The final response's head; those of 1xx before it are in `interim`."""
        interim = []
        while True:
            head = self.read_head()
            if not re.fullmatch(r"HTTP/1\.1 [1-5][0-9][0-9] .*", head.start):
                raise AssertionError(f"not a status line: {head.start!r}")
            coding = self.coding_of(head)
            if head.status < 200 and head.status != 101:
                if version == "1.0" or coding:
                    raise AssertionError(f"illegal: {head.raw_head!r} for HTTP/{version}")
                interim.append(head)
                continue
            head.interim = interim
            if coding == "chunked" and version == "1.0":
                raise AssertionError("a chunked response for HTTP/1.0")
            if method != "HEAD" and head.status not in (101, 204, 304):
                head.framing = coding or "close"
            elif coding == "chunked" and head.status in (101, 204):
                raise AssertionError(f"illegal framing: {head.raw_head!r}")
            return head

    def read_response(self, method="GET", version="1.1"):
        return self.read_body(self.read_response_head(method, version))

    def read_request_head(self):
        head = self.read_head()
        if not re.fullmatch(r"\S+ \S+ HTTP/1\.1", head.start):
            raise AssertionError(f"not a request line: {head.start!r}")
        if len(head.values("Host")) != 1:
            raise AssertionError(f"not one Host: {head.raw_head!r}")
        head.framing = self.coding_of(head) or "none"
        return head

    def read_request(self):
        return self.read_body(self.read_request_head())

    def ends(self):
        """True when nothing more comes but the end, or a reset."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.closed = True
        self.socket.close()

    def break_off(self):
        """Ends it from another thread, which close() cannot while one is waiting to read."""
        self.closed = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def head_bytes(start, *fields):
    return "\r\n".join([start, *fields, "", ""]).encode("latin-1")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(data, size=30_000, *trailers):
    """A whole chunked body."""
    parts = [chunk(data[at:at + size]) for at in range(0, len(data), size)]
    return b"".join(parts) + head_bytes("0", *trailers)


def request_bytes(target, *fields, method="GET", body=None, version="1.1", host="example.test"):
    """A request; with Content-Length if there is a body. host=None leaves Host out."""
    own = [f"Host: {host}"] if host is not None else []
    if body is not None:
        own.append(f"Content-Length: {len(body)}")
    return head_bytes(f"{method} {target} HTTP/{version}", *own, *fields) + (body or b"")


def response_bytes(body=b"hello", *fields, status="200 OK", version="1.1"):
    return head_bytes(f"HTTP/{version} {status}", f"Content-Length: {len(body)}", *fields) + body
