"""A name server on a loopback port, and questions to one. The coding of messages (RFC 1035) is
done by hand."""

import collections
import dataclasses
import ipaddress
import secrets
import socket
import struct
import threading

from wire import LIMIT

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41,
         "HTTPS": 65}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
CODE_NAMES = {number: name for name, number in CODES.items()}
RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED, RECURSION_AVAILABLE = (
    0x8000, 0x0400, 0x0200, 0x0100, 0x0080)


def encode_name(name):
    labels = [label.encode("ascii") for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def decode_name(data, at):
    """The name there, pointers followed, and where what is behind it begins."""
    labels, end, jumps = [], None, 0
    while True:
        length = data[at]
        if length & 0xC0 == 0xC0:
            end = end if end is not None else at + 2
            at = struct.unpack_from(">H", data, at)[0] & 0x3FFF
            jumps += 1
            if jumps > 20:
                raise ValueError("pointers go round in circles")
            continue
        if length & 0xC0:
            raise ValueError("not a label")
        if length == 0:
            return ".".join(labels), end if end is not None else at + 1
        labels.append(data[at + 1:at + 1 + length].decode("ascii"))
        at += 1 + length


@dataclasses.dataclass
class Record:
    """One answer. The value of SRV is (priority, weight, port, target), else a text."""

    name: str
    type: str
    value: object
    ttl: int

    def data(self):
        if self.type in ("A", "AAAA"):
            return ipaddress.ip_address(self.value).packed
        if self.type == "SRV":
            priority, weight, port, target = self.value
            return struct.pack(">HHH", priority, weight, port) + encode_name(target)
        if self.type == "SOA":
            return (encode_name("ns." + self.name) + encode_name("who." + self.name)
                    + struct.pack(">IIIII", 1, 60, 60, 60, self.value))
        return encode_name(self.value)

    def encode(self):
        data = self.data()
        return (encode_name(self.name) + struct.pack(">HHIH", TYPES[self.type], 1, self.ttl,
                                                     len(data)) + data)

    @classmethod
    def decode(cls, message, at):
        name, at = decode_name(message, at)
        kind, _, ttl, length = struct.unpack_from(">HHIH", message, at)
        at += 10
        raw, kind = message[at:at + length], NAMES.get(kind, str(kind))
        value = raw
        if kind in ("A", "AAAA"):
            value = str(ipaddress.ip_address(raw))
        elif kind == "SRV":
            value = (*struct.unpack_from(">HHH", raw), decode_name(message, at + 6)[0])
        elif kind in ("CNAME", "NS"):
            value = decode_name(message, at)[0]
        return cls(name, kind, value, ttl), at + length


@dataclasses.dataclass
class Reply:
    """What came back on a question."""

    code: str
    answers: list
    authority: list
    truncated: bool
    question: tuple  # name as sent, type

    @property
    def values(self):
        return [record.value for record in self.answers]


def encode_question(number, name, kind, edns=0):
    message = struct.pack(">HHHHHH", number, RECURSION_DESIRED, 1, 0, 0, 1 if edns else 0)
    message += encode_name(name) + struct.pack(">HH", TYPES[kind], 1)
    if edns:
        message += b"\0" + struct.pack(">HHIH", TYPES["OPT"], edns, 0, 0)
    return message


def decode_question(message):
    """Its number and flags, name, type, the raw question, and the UDP size the asker takes."""
    number, flags, questions, answers, authority, additional = struct.unpack_from(">HHHHHH",
                                                                                  message)
    if questions != 1 or flags & RESPONSE:
        raise ValueError("not one question")
    name, at = decode_name(message, 12)
    kind, _ = struct.unpack_from(">HH", message, at)
    raw, at, size = message[12:at + 4], at + 4, 0
    for _ in range(answers + authority + additional):
        _, at = decode_name(message, at)
        record, klass, _, length = struct.unpack_from(">HHIH", message, at)
        at += 10 + length
        if record == TYPES["OPT"]:
            size = max(klass, 512)
    return number, flags, name, NAMES.get(kind, str(kind)), raw, size


def decode_reply(message):
    number, flags, _, answers, authority, _ = struct.unpack_from(">HHHHHH", message)
    name, at = decode_name(message, 12)
    kind, _ = struct.unpack_from(">HH", message, at)
    at += 4
    records = []
    for _ in range(answers + authority):
        record, at = Record.decode(message, at)
        records.append(record)
    code = CODE_NAMES.get(flags & 0xF, str(flags & 0xF))
    return number, Reply(code, records[:answers], records[answers:], bool(flags & TRUNCATED),
                         (name, NAMES.get(kind, str(kind))))


def receive(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("the end")
        data += piece
    return data


def ask(address, name, kind="A", tcp=False, edns=0, limit=LIMIT):
    """Asks the server at (host, port) once. Raises TimeoutError when no answer comes."""
    number = secrets.randbelow(65536)
    message = encode_question(number, name, kind, edns)
    with socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(limit)
        sock.connect(address)
        if tcp:
            sock.sendall(struct.pack(">H", len(message)) + message)
            reply = receive(sock, struct.unpack(">H", receive(sock, 2))[0])
        else:
            sock.send(message)
            reply = sock.recv(65535)
    answered, reply = decode_reply(reply)
    if answered != number:
        raise AssertionError("an answer to another question")
    return reply


class DnsServer:
    """Answers by UDP and TCP on one loopback port, from records that are set while it runs.

    Names are compared without regard to case, and the question is given back as it was asked. A
    name with no record is NXDOMAIN, one without a record of the type asked for has no answers; both
    say how long that is to be kept (`negative_ttl`). An answer that is too large for UDP is
    truncated, so that it is asked again by TCP.
    """

    def __init__(self, negative_ttl=60):
        self.negative_ttl = negative_ttl
        self.lock = threading.Lock()
        self.records = {}
        self.troubles = {}
        self.delays = {}
        self.questions = []  # (name, type, "udp" or "tcp"), names in lower case
        self.errors = []
        self.stopping = threading.Event()
        self.tcp, self.udp = self.bind()
        self.connections = []
        self.address = self.tcp.getsockname()
        self.name = f"{self.address[0]}:{self.address[1]}"
        self.threads = [threading.Thread(target=loop, daemon=True)
                        for loop in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def bind():
        """Both sockets on one port."""
        for attempt in range(20):
            tcp = socket.create_server(("127.0.0.1", 0))
            udp = socket.socket(type=socket.SOCK_DGRAM)
            try:
                udp.bind(tcp.getsockname())
                return tcp, udp
            except OSError:
                tcp.close()
                udp.close()
                if attempt == 19:
                    raise
        raise AssertionError("not reached")

    def set(self, name, kind, *values, ttl=60):
        """The records of the name and type, in place of those before; none: there is nothing of
        that type."""
        key = name.lower().strip(".")
        with self.lock:
            by_type = self.records.setdefault(key, {})
            by_type[kind] = [Record(key, kind, value, ttl) for value in values]

    def fail(self, name, how):
        """From now on: an error's name (SERVFAIL, REFUSED, NXDOMAIN), "drop" (no answer), "garbage"
        or "truncate" (of every UDP answer); None ends it."""
        with self.lock:
            self.troubles[name.lower()] = how

    def delay(self, name, seconds):
        """Answers on the name wait so long; other questions are answered meanwhile."""
        with self.lock:
            self.delays[name.lower()] = seconds

    def forget(self, name):
        """The name, and its troubles, are there no more."""
        with self.lock:
            for table in (self.records, self.troubles, self.delays):
                table.pop(name.lower(), None)

    def count(self, name=None, kind=None):
        """Questions that came, by UDP and TCP."""
        with self.lock:
            seen = collections.Counter(
                1 for asked, asked_kind, _ in self.questions
                if name in (None, asked) and kind in (None, asked_kind))
            return seen[1]

    def stop(self):
        self.stopping.set()
        self.udp.sendto(b"", self.address)  # wakes it, which close() alone does not
        for sock in (self.tcp, *self.connections):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        for thread in self.threads:
            thread.join(LIMIT)
        self.udp.close()
        if self.errors:
            raise AssertionError(f"at the name server: {self.errors}") from self.errors[0]

    def serve_udp(self):
        while not self.stopping.is_set():
            try:
                message, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            if self.stopping.is_set():
                return
            threading.Thread(target=self.answer_datagram, args=(message, peer),
                             daemon=True).start()

    def answer_datagram(self, message, peer):
        try:
            reply = self.reply_to(message, "udp")
            if reply is not None:
                self.udp.sendto(reply, peer)
        except OSError:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self.converse, args=(sock,), daemon=True).start()

    def converse(self, sock):
        try:
            sock.settimeout(LIMIT)
            while True:
                message = receive(sock, struct.unpack(">H", receive(sock, 2))[0])
                reply = self.reply_to(message, "tcp")
                if reply is not None:
                    sock.sendall(struct.pack(">H", len(reply)) + reply)
        except OSError:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            sock.close()

    def reply_to(self, message, way):
        number, flags, name, kind, raw, size = decode_question(message)
        key = name.lower()
        with self.lock:
            self.questions.append((key, kind, way))
            trouble, delay = self.troubles.get(key), self.delays.get(key, 0)
        if delay:
            self.stopping.wait(delay)
        if trouble == "drop" or self.stopping.is_set():
            return None
        if trouble == "garbage":
            return message[:2] + b"\xff" * 20
        code, answers, authority = self.look_up(key, kind)
        if trouble in CODES:
            code, answers, authority = trouble, [], []
        flags = (RESPONSE | AUTHORITATIVE | RECURSION_AVAILABLE | (flags & RECURSION_DESIRED)
                 | CODES[code])
        additional = b"\0" + struct.pack(">HHIH", TYPES["OPT"], 1232, 0, 0) if size else b""
        body = b"".join(record.encode() for record in answers + authority) + additional
        too_long = 12 + len(raw) + len(body) > max(size, 512)
        if way == "udp" and (too_long or trouble == "truncate"):
            return struct.pack(">HHHHHH", number, flags | TRUNCATED, 1, 0, 0, 0) + raw
        counts = struct.pack(">HHHH", 1, len(answers), len(authority), 1 if size else 0)
        return struct.pack(">HH", number, flags) + counts + raw + body

    def look_up(self, key, kind):
        """Code, answers and authority section; follows CNAMEs."""
        answers, asked = [], key
        with self.lock:
            for _ in range(10):
                by_type = self.records.get(key)
                found = (by_type or {}).get(kind, [])
                alias = (by_type or {}).get("CNAME", [])
                answers += found or alias
                if found or not alias:
                    break
                key = alias[0].value.lower().strip(".")
        if answers and found:
            return "NOERROR", answers, []
        soa = Record(asked.partition(".")[2] or asked, "SOA", self.negative_ttl,
                     self.negative_ttl)
        return "NXDOMAIN" if by_type is None else "NOERROR", answers, [soa]
