"""Proxies that really forward, and remember what they were asked: SOCKS5, and HTTP."""

import dataclasses
import ipaddress
import struct

from doubles import Double, join
from harness import Client
from wire import Cut, head_bytes, response_bytes

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade",
              "transfer-encoding", "content-length", "proxy-authorization"}


def split_authority(text, default_port):
    """Host without brackets, port."""
    host, colon, port = text.rpartition(":")
    if not colon or host.count(":") and not host.endswith("]"):
        host, port = text, default_port
    return host.strip("[]"), int(port)


def joined(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclasses.dataclass
class Asked:
    """A target that a SOCKS5 proxy was asked for."""

    kind: str  # "name", "ipv4", "ipv6"
    host: str
    port: int
    user: str | None  # who had logged in
    connection: int


class Socks5Proxy(Double):
    """RFC 1928 and 1929, CONNECT only.

    `hosts` says where a host leads to ({"example.test": "127.0.0.1"}; "host:port" for another port
    too); any other is resolved by the system. With `users` ({name: password}) it takes no one
    without a login. To be switched at any time: `refuse`, a reply code, and `stall`, the message it
    leaves unanswered ("greeting", "login" or "request"). Replies give the address as `reply_type`
    ("ipv4", "ipv6" or "name"). `asked` has the targets, `logins` the (user, password) pairs.
    """

    def __init__(self, users=None, hosts=None, refuse=None, stall=None, reply_type="ipv4"):
        self.users = users
        self.hosts = hosts or {}
        self.refuse = refuse
        self.stall = stall
        self.reply_type = reply_type
        self.asked = []
        self.logins = []
        super().__init__(serve=self.serve_tunnel)

    def serve_tunnel(self, wire):
        user = self.greet(wire)
        version, command, reserved, kind = wire.read_exactly(4)
        if (version, reserved) != (5, 0):
            raise AssertionError("not a SOCKS5 request")
        kind, host = self.read_host(wire, kind)
        port, = struct.unpack(">H", wire.read_exactly(2))
        self.asked.append(Asked(kind, host, port, user, wire.number))
        if self.stall == "request":
            self.hang()
        code = self.refuse if self.refuse is not None else 0 if command == 1 else 7
        server = None
        if code == 0:
            try:
                server = self.connect(host, port)
            except ConnectionRefusedError:
                code = 5
            except OSError:
                code = 4
        wire.send(bytes([5, code, 0]) + self.bound_address())
        if server is not None:
            try:
                join(wire, server)
            finally:
                server.close()

    def greet(self, wire):
        """Who logged in, None without a login."""
        version, count = wire.read_exactly(2)
        methods = wire.read_exactly(count)
        if version != 5:
            raise AssertionError("not a SOCKS5 greeting")
        if self.stall == "greeting":
            self.hang()
        method = 0 if self.users is None else 2
        if method not in methods:
            wire.send(b"\x05\xff")
            raise Cut("no method in common")
        wire.send(bytes([5, method]))
        return self.read_login(wire) if method == 2 else None

    def read_login(self, wire):
        if wire.read_exactly(1) != b"\x01":
            raise AssertionError("not a login")
        user = wire.read_exactly(wire.read_exactly(1)[0]).decode()
        password = wire.read_exactly(wire.read_exactly(1)[0]).decode()
        self.logins.append((user, password))
        if self.stall == "login":
            self.hang()
        right = self.users.get(user) == password
        wire.send(b"\x01\x00" if right else b"\x01\x01")
        if not right:
            raise Cut("login refused")
        return user

    @staticmethod
    def read_host(wire, kind):
        if kind == 1:
            return "ipv4", str(ipaddress.IPv4Address(wire.read_exactly(4)))
        if kind == 4:
            return "ipv6", str(ipaddress.IPv6Address(wire.read_exactly(16)))
        if kind == 3:
            return "name", wire.read_exactly(wire.read_exactly(1)[0]).decode("ascii")
        raise AssertionError(f"not a type of address: {kind}")

    def connect(self, host, port):
        name, port = split_authority(self.hosts.get(host, joined(host, port)), port)
        return Client(joined(name, port))

    def bound_address(self):
        address = {"ipv4": b"\x01\x7f\0\0\x01", "ipv6": b"\x04" + bytes(15) + b"\x01",
                   "name": b"\x03\x09localhost"}[self.reply_type]
        return address + struct.pack(">H", 1080)


class ParentProxy(Double):
    """An HTTP proxy that takes requests in absolute form, and CONNECT.

    `hosts` as for Socks5Proxy. With a `login` (BasicLogin or DigestLogin) others get 407. `fail`,
    to be switched at any time, is a status it answers ("503 Sick"), or "reset", "close" or "hang".
    `requests` has all requests; request.user is who it was. `tunnels` has the targets of CONNECT
    that got one. Its responses have `X-Parent: NAME`. A connection to a server belongs to one
    client's connection, so that a login bound to one works through it.
    """

    def __init__(self, name="parent", login=None, hosts=None, fail=None, early=b""):
        self.name = name
        self.login = login
        self.hosts = hosts or {}
        self.fail = fail
        self.early = early  # sent together with the 200 to CONNECT, as if the server spoke first
        self.tunnels = []
        super().__init__(self.respond)

    def respond(self, request, wire):
        request.user = None
        if self.fail == "hang":
            self.hang()
        if self.fail == "reset":
            wire.reset()
        if self.fail in ("reset", "close"):
            raise Cut(self.fail)
        if self.fail:
            return self.error(self.fail)
        if self.login is not None:
            request.user = self.login.user_of(request, request.value("Proxy-Authorization") or "")
            if request.user is None:
                challenges = (f"Proxy-Authenticate: {c}" for c in self.login.challenges(request))
                return self.error("407 Proxy Authentication Required", *challenges)
        if request.method == "CONNECT":
            return self.tunnel(request, wire)
        return self.forward(request, wire)

    def error(self, status, *fields):
        return response_bytes(f"{self.name}: {status}".encode(), f"X-Parent: {self.name}", *fields,
                              status=status)

    def connect(self, authority, default_port):
        host, port = split_authority(authority, default_port)
        name, port = split_authority(self.hosts.get(host, joined(host, port)), port)
        return Client(joined(name, port))

    def tunnel(self, request, wire):
        try:
            server = self.connect(request.target, 443)
        except OSError:
            return self.error("502 Bad Gateway")
        self.tunnels.append(request.target)
        wire.send(head_bytes("HTTP/1.1 200 Tunnel", f"X-Parent: {self.name}") + self.early)
        try:
            join(wire, server)
        finally:
            server.close()
        raise Cut("the tunnel has ended")

    def forward(self, request, wire):
        scheme, _, rest = request.target.partition("://")
        if scheme != "http" or not rest:
            return self.error("400 Not in absolute form")
        authority, slash, path = rest.partition("/")
        message = self.rewrite(request, f"{request.method} {slash}{path} HTTP/1.1"
                               if slash else f"{request.method} / HTTP/1.1",
                               request.framing == "length")
        wire.servers = getattr(wire, "servers", {})
        for fresh in (False, True):
            server = None if fresh else wire.servers.pop(authority, None)
            try:
                server = server or self.connect(authority, 80)
                server.send(message)
                response = server.read_response(request.method)
            except (Cut, OSError):
                if server is not None:
                    server.close()
                continue
            break
        else:
            return self.error("502 Bad Gateway")
        if response.framing == "close" or "close" in response.connection_options:
            server.close()
        else:
            wire.servers[authority] = server
        has_length = response.framing != "none" or response.value("Content-Length")
        return self.rewrite(response, response.start, has_length, f"X-Parent: {self.name}")

    @staticmethod
    def rewrite(message, start, has_length, *more):
        """The message with its fields less those of one hop, framed by Content-Length."""
        fields = [f"{name}: {value}" for name, value in message.fields
                  if name.lower() not in HOP_BY_HOP]
        if has_length:
            length = message.value("Content-Length") if message.framing == "none" else None
            fields.append(f"Content-Length: {length or len(message.body)}")
        return head_bytes(start, *fields, *more) + message.body

    def run(self, wire):
        try:
            super().run(wire)
        finally:
            for server in getattr(wire, "servers", {}).values():
                server.close()
