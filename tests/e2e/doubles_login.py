"""Origins that ask who is there: Basic, Digest (RFC 7616), and NTLM, which binds a user to a
connection. They check with code of their own."""

import base64
import hashlib
import re
import secrets
import struct
import threading

from doubles import Double
from wire import response_bytes


class BasicLogin:
    """RFC 7617, with users as {name: password}."""

    def __init__(self, users, realm="doubles"):
        self.users = users
        self.realm = realm

    def challenges(self, _request):
        return [f'Basic realm="{self.realm}", charset="UTF-8"']

    def user_of(self, request, credentials):
        """The user whose credentials (the value of the field) these are, or None."""
        scheme, _, token = credentials.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
        except ValueError:
            return None
        return user if colon and self.users.get(user) == password else None


def parse_parameters(text):
    """name=value, name="value with \\" in it" ...; names in lower case. Strict."""
    found, at = {}, 0
    pattern = re.compile(r'\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
    while at < len(text):
        match = pattern.match(text, at)
        if not match or match[1].lower() in found:
            raise ValueError(f"not parameters: {text!r}")
        quoted = match[2] is not None
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if quoted else match[3]
        at = match.end()
    return found


class DigestLogin:
    """RFC 7616 with users as {name: password}.

    Offers each of `algorithms` (MD5, SHA-256, with -sess or without) in that order. qop "" is the
    way of RFC 2069. A nonce is good until make_stale(); a count that was used with it before makes
    the login fail, and counts in `replays`.
    """

    HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}

    def __init__(self, users, realm="doubles", algorithms=("MD5",), qop="auth"):
        self.users = users
        self.realm = realm
        self.algorithms = algorithms
        self.qop = qop
        self.opaque = secrets.token_hex(8)
        self.lock = threading.Lock()
        self.nonces = {}  # each with the counts used
        self.replays = 0
        self.last = {}  # parameters of the last credentials seen

    def make_stale(self):
        """No nonce given out so far is good any more."""
        with self.lock:
            self.nonces.clear()

    def challenges(self, request):
        values = []
        for algorithm in self.algorithms:
            nonce = secrets.token_hex(16)
            with self.lock:
                self.nonces[nonce] = set()
            parts = [f'realm="{self.realm}"', f'nonce="{nonce}"', f"algorithm={algorithm}",
                     f'opaque="{self.opaque}"']
            if self.qop:
                parts.append(f'qop="{self.qop}"')
            if getattr(request, "stale", False):
                parts.append("stale=true")
            values.append("Digest " + ", ".join(parts))
        return values

    def expected(self, request, given):
        """The response parameter that is right, by RFC 7616 section 3.4.1."""
        algorithm = given.get("algorithm", "MD5")
        make = self.HASHES[algorithm.removesuffix("-sess")]

        def digest(*parts):
            return make(":".join(parts).encode()).hexdigest()

        one = digest(given["username"], self.realm, self.users[given["username"]])
        if algorithm.endswith("-sess"):
            one = digest(one, given["nonce"], given["cnonce"])
        two = [request.method, given["uri"]]
        if given.get("qop") == "auth-int":
            two.append(make(request.body).hexdigest())
        if not self.qop:
            return digest(one, given["nonce"], digest(*two))
        return digest(one, given["nonce"], given["nc"], given["cnonce"], given["qop"],
                      digest(*two))

    def user_of(self, request, credentials):
        scheme, _, rest = credentials.partition(" ")
        if scheme.lower() != "digest":
            return None
        try:
            given = parse_parameters(rest)
            self.last = given
            right = self.is_right(request, given)
        except (KeyError, ValueError):
            return None
        return given["username"] if right and self.is_fresh(request, given) else None

    def is_right(self, request, given):
        # Towards a proxy some send the path alone, though the target is absolute.
        path = re.sub(r"^\w+://[^/]+", "", request.target)
        return (given["username"] in self.users and given["realm"] == self.realm
                and given.get("opaque") == self.opaque
                and given.get("algorithm", "MD5") in self.algorithms
                and (given.get("qop") or "") in self.qop.split(",")
                and given["uri"] in (request.target, path)
                and given["response"] == self.expected(request, given))

    def is_fresh(self, request, given):
        with self.lock:
            counts = self.nonces.get(given["nonce"])
            if counts is None:
                request.stale = True
                return False
            count = given.get("nc", "")
            if self.qop and (count in counts or not re.fullmatch("[0-9a-f]{8}", count)):
                self.replays += 1
                return False
            counts.add(count)
            return True


class LoginOrigin(Double):
    """Answers `hello USER` to those it knows, else 401 with the challenges of all its logins.
    request.user is who it was, or None."""

    def __init__(self, *logins):
        self.logins = logins
        super().__init__(self.respond)

    def respond(self, request, _):
        request.user = None
        for value in request.values("Authorization"):
            for login in self.logins:
                request.user = request.user or login.user_of(request, value)
        if request.user is None:
            challenges = [f"WWW-Authenticate: {value}" for login in self.logins
                          for value in login.challenges(request)]
            return response_bytes(b"who are you?", *challenges, status="401 Unauthorized")
        return response_bytes(f"hello {request.user}".encode())


class BasicOrigin(LoginOrigin):
    def __init__(self, **users):
        self.login = BasicLogin(users)
        super().__init__(self.login)


class DigestOrigin(LoginOrigin):
    """DigestOrigin({"alice": "secret"}, algorithms=["SHA-256"])"""

    def __init__(self, users, **options):
        self.login = DigestLogin(users, **options)
        super().__init__(self.login)


SIGNATURE = b"NTLMSSP\0"
UNICODE = 0x00000001
CHALLENGE_FLAGS = UNICODE | 0x4 | 0x200 | 0x8000 | 0x80000 | 0x800000 | 0x20000000


def ntlm_challenge(nonce, domain="DOUBLES"):
    """A type 2 message ([MS-NLMP] 2.2.1.2)."""
    name = domain.encode("utf-16-le")
    pairs = (struct.pack("<HH", 2, len(name)) + name + struct.pack("<HH", 1, len(name)) + name
             + bytes(4))
    at = 48
    return b"".join([
        SIGNATURE, struct.pack("<I", 2), struct.pack("<HHI", len(name), len(name), at),
        struct.pack("<I", CHALLENGE_FLAGS), nonce, bytes(8),
        struct.pack("<HHI", len(pairs), len(pairs), at + len(name)), name, pairs])


def ntlm_type(message):
    """1, 2 or 3; None for what is no NTLM message."""
    if len(message) < 12 or not message.startswith(SIGNATURE):
        return None
    return struct.unpack_from("<I", message, 8)[0]


def ntlm_user(message):
    """Whom a type 3 message names ([MS-NLMP] 2.2.1.3); without its domain."""
    length, _, at = struct.unpack_from("<HHI", message, 36)
    flags = struct.unpack_from("<I", message, 60)[0]
    raw = message[at:at + length]
    if len(raw) != length or length == 0:
        raise ValueError("no user in it")
    return raw.decode("utf-16-le" if flags & UNICODE else "latin-1")


class NtlmOrigin(Double):
    """An origin whose login belongs to the TCP connection: what comes on it later is that user's.

    Takes `NTLM` and `Negotiate` with NTLM messages, and `Negotiate` with opaque tokens of its own
    (see opaque()). Checks the user's name only. Answers `hello USER`; a request without login on a
    connection of nobody gets 401. request.user is who it was, or None; request.leg is what it was
    in the handshake: "none", "begin", "finish", "failed" or "bound" (logged in before).
    `strays` counts second legs without a first one on their connection: a mix-up.
    """

    def __init__(self, *users):
        self.users = users  # empty: everyone is known
        self.strays = 0
        super().__init__(self.respond)

    @property
    def users_by_connection(self):
        """One for each connection, None for nobody."""
        return [getattr(wire, "user", None) for wire in self.connections]

    def respond(self, request, wire):
        value = request.value("Authorization")
        request.leg = "none" if getattr(wire, "user", None) is None else "bound"
        reply = None
        if value is not None:
            scheme, _, token = value.partition(" ")
            request.leg, reply = self.next_leg(wire, scheme, token)
            reply = reply and f"{scheme} {base64.b64encode(reply).decode()}"
        request.user = getattr(wire, "user", None)
        if request.user is not None:
            fields = [f"WWW-Authenticate: {reply}"] if reply else []
            return response_bytes(f"hello {request.user}".encode(), *fields)
        offers = [reply] if reply else ["Negotiate", "NTLM"]
        return response_bytes(b"who are you?", *(f"WWW-Authenticate: {o}" for o in offers),
                              status="401 Unauthorized")

    def next_leg(self, wire, scheme, token):
        """What it is, and the bytes that go back, if any."""
        wire.user = None
        try:
            message = base64.b64decode(token, validate=True)
            kind = ntlm_type(message)
            if kind is None and scheme.lower() == "negotiate":
                return self.opaque(wire, message.decode())
            if scheme.lower() not in ("ntlm", "negotiate"):
                return "failed", None
            if kind == 1:
                wire.challenged = "ntlm"
                return "begin", ntlm_challenge(struct.pack(">Q", wire.number + 1))
            if kind == 3 and self.was_challenged(wire, "ntlm"):
                return self.log_in(wire, ntlm_user(message)), None
        except (ValueError, struct.error):
            pass
        return "failed", None

    def opaque(self, wire, text):
        """`ticket USER` logs in at once, as Kerberos does; `begin USER`, `finish USER` in two."""
        word, _, user = text.partition(" ")
        if word == "ticket":
            return self.log_in(wire, user), b"welcome"
        if word == "begin":
            wire.challenged = user
            return "begin", b"go on"
        if word == "finish" and self.was_challenged(wire, user):
            return self.log_in(wire, user), b"welcome"
        return "failed", None

    def was_challenged(self, wire, what):
        challenged, wire.challenged = getattr(wire, "challenged", None), None
        self.strays += challenged != what
        return challenged == what

    def log_in(self, wire, user):
        if not user or (self.users and user not in self.users):
            return "failed"
        wire.user = user
        return "finish"


def opaque_token(text):
    """The value of Authorization for one of NtlmOrigin's own tokens."""
    return "Negotiate " + base64.b64encode(text.encode()).decode()
