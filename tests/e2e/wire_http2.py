"""HTTP/2 as frames on a socket: what is read is taken apart, what is sent may break any rule."""

import dataclasses
import socket
import struct

from wire import LIMIT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
          "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")

STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def number(value):
    return struct.pack(">I", value)


def literal(name, value):
    """A field line that changes no table (RFC 7541 section 6.2.2)."""
    def text(word):
        word = word.encode() if isinstance(word, str) else word
        if len(word) < 127:
            return bytes([len(word)]) + word
        rest, length = len(word) - 127, b"\x7f"
        while rest >= 128:
            length += bytes([rest % 128 + 128])
            rest //= 128
        return length + bytes([rest]) + word

    return b"\0" + text(name) + text(value)


def block(*lines):
    return b"".join(literal(*line) for line in lines)


def request_lines(method="GET", path="/", scheme="http", authority="a.test"):
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]


def headers(stream=1, lines=None, flags=END_STREAM | END_HEADERS, more=()):
    return frame(HEADERS, flags, stream, block(*(lines or request_lines()), *more))


@dataclasses.dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends_stream(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def status(self):
        """Of a HEADERS frame of a response; 0 where the table of the decoder would be needed."""
        first = self.payload[0]
        if first & 0x80:
            return STATIC_STATUS.get(first & 0x7f, 0)
        length = self.payload[1]
        return 0 if length & 0x80 else int(self.payload[2:2 + length])


class Http2Client:
    """A client's connection, in clear text."""

    def __init__(self, address, *pairs, preface=PREFACE):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), LIMIT)
        self.rest = b""
        self.ended = False
        if preface:
            self.send(preface + settings(*pairs))

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # what was said before that is still to be read

    def frame(self):
        """The next frame; None at the end, or when nothing comes."""
        while len(self.rest) < 9 or len(self.rest) < 9 + int.from_bytes(self.rest[:3], "big"):
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                got = b""
            except TimeoutError:
                return None
            if not got:
                self.ended = True
                return None
            self.rest += got
        length = int.from_bytes(self.rest[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.rest[3:9])
        read = Frame(kind, flags, stream, self.rest[9:9 + length])
        self.rest = self.rest[9 + length:]
        return read

    def frames(self, last):
        """Those up to the one of which `last` is true, or to the end."""
        read = []
        while (one := self.frame()) is not None:
            read.append(one)
            if last(one):
                break
        return read

    def sync(self):
        """What comes up to the answer to a PING: all that was sent before it is dealt with."""
        self.send(frame(PING, 0, 0, b"in order"))
        return self.frames(lambda one: one.kind == PING and one.flags & ACK)
