"""`penstock fetch`: the server side as a client, between real sockets."""

import os
import re
import subprocess
import tempfile
import threading
import unittest

from doubles import Double, DoublesTest, HealthOrigin
from doubles_dns import DnsServer
from doubles_login import BasicOrigin, DigestOrigin
from doubles_proxy import ParentProxy, Socks5Proxy
from doubles_tls import Authority, TlsOrigin
from harness import BINARY, DISASTERS
from real_servers import Nginx, Squid, free_port
from wire import LIMIT, Cut, chunked, head_bytes, response_bytes


class FetchTest(DoublesTest):
    def fetch(self, *arguments, code=0, stdin=b"", **options):
        """What it put out, as text; what it said is in self.said."""
        result = subprocess.run([BINARY, "fetch", *arguments], input=stdin, timeout=2 * LIMIT,
                                capture_output=True, check=False, **options)
        self.said = result.stderr.decode()
        for disaster in DISASTERS:
            self.assertNotIn(disaster, self.said)
        self.assertEqual(result.returncode, code, self.said)
        return result.stdout.decode("latin-1")

    def folder(self):
        return self.enterContext(tempfile.TemporaryDirectory(prefix="penstock-"))

    def redirecting(self, answers):
        """An origin that answers each path as told: a status and a Location, else what it got."""
        def answer(request, _):
            if request.target in answers:
                status, location = answers[request.target]
                return response_bytes(b"over there", f"Location: {location}", status=status)
            return response_bytes(f"{request.method} {request.target} ".encode() + request.body)
        return self.origin(answer)


class RequestTest(FetchTest):
    def test_get(self):
        origin = self.origin(response_bytes(b"hello", "X-A: 1"))
        self.assertEqual(self.fetch(origin.url + "/a?b#c"), "hello")
        self.assertEqual(self.said, "")
        request = origin.requests[0]
        self.assertEqual(request.start, "GET /a?b HTTP/1.1")
        self.assertEqual([name for name, _ in request.fields], ["Host", "User-Agent", "Accept"])
        self.assertEqual(request.value("Host"), origin.address)

    def test_the_head_too(self):
        origin = self.origin(response_bytes(b"hello", "X-A: 1"))
        self.assertEqual(self.fetch("-i", origin.url),
                         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello")
        head = self.origin(response_bytes(b"", "X-A: 1", status="204 Nothing")
                           .replace(b"Content-Length: 0\r\n", b""))
        self.assertEqual(self.fetch("-I", head.url), "HTTP/1.1 204 Nothing\r\nX-A: 1\r\n\r\n")
        self.assertEqual(head.requests[0].method, "HEAD")

    def test_connections_are_used_again(self):
        origin = self.origin(response_bytes(b"x"))
        self.assertEqual(self.fetch("-v", *[origin.url] * 3), "xxx")
        self.assertEqual(len(origin.connections), 1)
        self.assertEqual(self.said.count("* new connection to"), 1)
        self.assertEqual(self.said.count(f"* connection to {origin.address} reused"), 2)

    def test_verbose(self):
        origin = self.origin(response_bytes(b"x", "X-A: 1"))
        self.fetch("-v", "-H", "Authorization: Basic c2VjcmV0", origin.url)
        for line in (f"* connecting to {origin.address}", "> GET / HTTP/1.1",
                     f"> Host: {origin.address}", "> Authorization: Basic ...", "< HTTP/1.1 200 OK",
                     "< X-A: 1", "* connection: kept"):
            self.assertIn(line + "\n", self.said)
        self.assertNotIn("c2VjcmV0", self.said)
        self.assertRegex(self.said, r"\* ms: resolve \S+, connect \S+, tls 0\.0, head \S+, total ")

    def test_fields(self):
        origin = self.origin()
        self.fetch("-H", "X-A: 1", "-H", "x-a:  2 ", "-H", "accept: x/y", "-H", "User-Agent:",
                   "-H", "Host: other", origin.url)
        request = origin.requests[0]
        self.assertEqual(request.values("X-A"), ["1", "2"])
        self.assertEqual(request.value("Accept"), "x/y")
        self.assertIsNone(request.value("User-Agent"))
        self.assertEqual(request.value("Host"), "other")

    def test_no_injection(self):
        origin = self.origin()
        for arguments in (["-H", "A: b\r\nC: d", origin.url], ["-X", "GET / HTTP/1.1\r\nA: b\r\n"],
                          [origin.url + "/\r\nA: b"], [origin.url + "/ HTTP/1.1"],
                          ["-H", "Transfer-Encoding: chunked", origin.url]):
            self.fetch(*arguments, *([] if len(arguments) != 2 else [origin.url]), code=2)
        self.assertEqual(origin.requests, [])

    def test_data(self):
        origin = self.origin(lambda request, _: response_bytes(request.body))
        self.assertEqual(self.fetch("-d", "a=b&c=d", origin.url), "a=b&c=d")
        request = origin.requests[0]
        self.assertEqual((request.method, request.framing), ("POST", "length"))
        self.assertEqual(request.value("Content-Type"), "application/x-www-form-urlencoded")
        self.fetch("-d", "", origin.url)
        self.assertEqual(origin.requests[1].value("Content-Length"), "0")
        self.fetch("-X", "PUT", "-d", "x", "-H", "Content-Type: a/b", origin.url)
        self.assertEqual(origin.requests[2].method, "PUT")
        self.assertEqual(origin.requests[2].values("Content-Type"), ["a/b"])

    def test_a_file_is_sent(self):
        origin = self.origin(lambda request, _: response_bytes(b"%d" % len(request.body)))
        path = os.path.join(self.folder(), "data")
        data = os.urandom(3_000_000)
        with open(path, "wb") as file:
            file.write(data)
        self.assertEqual(self.fetch("--data-file", path, origin.url, origin.url), "3000000" * 2)
        for request in origin.requests:
            self.assertEqual(request.framing, "length")
            self.assertEqual(request.body, data)
        self.fetch("--data-file", path + "no", origin.url, code=1)
        self.assertIn("can't read", self.said)
        self.fetch("--data-file", os.path.dirname(path), origin.url, code=1)
        self.assertIn("Is a directory", self.said)

    def test_stdin_is_sent_as_it_comes(self):
        seen = threading.Event()

        def serve(wire):
            wire.read_until(b"\r\n\r\n")
            self.assertEqual(wire.read_until(b"first\r\n"), b"5\r\n")
            seen.set()
            wire.read_until(b"0\r\n\r\n")
            wire.send(response_bytes(b"thanks"))

        origin = self.origin(serve=serve)
        process = subprocess.Popen([BINARY, "fetch", "--data-file", "-", origin.url],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b"first")
        process.stdin.flush()
        self.assertTrue(seen.wait(LIMIT))
        out, _ = process.communicate(b"second", LIMIT)
        self.assertEqual((out, process.returncode), (b"thanks", 0))

    def test_stdin_of_every_kind(self):
        origin = self.origin(lambda request, _: response_bytes(request.body))
        data = os.urandom(200_000)
        path = os.path.join(self.folder(), "data")
        with open(path, "wb") as file:
            file.write(data)
        out = self.fetch("--data-file", "-", origin.url, stdin=data)
        self.assertEqual(out.encode("latin-1"), data)
        for name, body in ((path, data), ("/dev/null", b"")):
            with open(name, "rb") as file:
                out = subprocess.run([BINARY, "fetch", "--data-file", "-", origin.url], stdin=file,
                                     capture_output=True, timeout=LIMIT, check=True).stdout
            self.assertEqual(out, body)
        self.assertEqual([request.framing for request in origin.requests], ["chunked"] * 3)

    def test_an_early_answer_ends_the_upload(self):
        def serve(wire):
            wire.read_until(b"\r\n\r\n")
            wire.send(response_bytes(b"no", "Connection: close", status="413 Too Large"))

        origin = self.origin(serve=serve)
        process = subprocess.Popen([BINARY, "fetch", "--data-file", "-", origin.url],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # Nothing is written to stdin, and it is not closed.
        self.assertEqual(process.stdout.read(), b"no")
        self.assertEqual(process.wait(LIMIT), 0)
        process.stdin.close()
        process.stdout.close()

    def test_output(self):
        origin = self.origin(response_bytes(b"new"))
        path = os.path.join(self.folder(), "out")
        with open(path, "w", encoding="ascii") as file:
            file.write("something longer")
        self.fetch("-o", path, f"http://127.0.0.1:{free_port()}/", code=1)
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "something longer")
        self.assertEqual(self.fetch("-o", path, origin.url, origin.url), "")
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "newnew")
        self.fetch("-o", "/no/such/folder/x", origin.url, code=1)
        self.assertIn("can't write to /no/such/folder/x: No such file", self.said)
        self.assertEqual(len(origin.requests), 2)

    def test_a_reader_that_is_gone(self):
        origin = self.origin(response_bytes(bytes(2_000_000)))
        process = subprocess.Popen([BINARY, "fetch", origin.url], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(LIMIT), 1)
        self.assertIn(b"can't write to stdout: Broken pipe", said)


class AnswerTest(FetchTest):
    def test_a_large_chunked_answer_and_its_trailers(self):
        data = os.urandom(2_000_000)
        head = head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
        origin = self.origin(head + chunked(data, 30_000, "X-Sum: 5"))
        self.assertEqual(self.fetch("-v", origin.url).encode("latin-1"), data)
        self.assertIn("< X-Sum: 5\n", self.said)

    def test_interim_answers(self):
        origin = self.origin(head_bytes("HTTP/1.1 103 Early Hints", "X-A: 1") + response_bytes())
        self.assertEqual(self.fetch("-v", origin.url), "hello")
        self.assertIn("< HTTP/1.1 103 Early Hints\n< X-A: 1\n", self.said)

    def test_bad_status(self):
        origin = self.origin(response_bytes(b"sorry", status="404 Nowhere"))
        self.assertEqual(self.fetch(origin.url), "sorry")
        self.assertEqual(self.fetch("--fail", origin.url, code=22), "")
        self.assertIn("the status is 404", self.said)
        self.fetch("--fail", "-s", origin.url, code=22)
        self.assertEqual(self.said, "")
        # A failure counts for more, whatever its place.
        bad = f"http://127.0.0.1:{free_port()}/"
        self.fetch("--fail", origin.url, bad, origin.url, code=1)

    def test_failures_say_which_step(self):
        def cut(_, wire):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            raise Cut("now")

        def close(_, wire):
            raise Cut("now")

        def switch(_, wire):
            wire.send(head_bytes("HTTP/1.1 101 Switching", "Upgrade: x", "Connection: upgrade"))

        cases = [
            (self.origin(cut).url, "the response was cut after 5 bytes of content: "
                                   "the connection was closed early", "hello"),
            (self.origin(close).url, "the exchange failed: the connection was closed before a "
                                     "response", ""),
            (self.origin(b"garbage\r\n\r\n").url, "the exchange failed: The protocol version is", ""),
            (self.origin(switch).url, "the server switches protocols", ""),
            (f"http://127.0.0.1:{free_port()}/", "connecting failed: the connection was refused",
             ""),
            ("http://no-such-name.invalid/", "resolving failed: the host has no address", ""),
        ]
        for url, text, out in cases:
            with self.subTest(text):
                self.assertEqual(self.fetch(url, code=1), out)
                self.assertIn(f"penstock: {url.removesuffix('/')}/: {text}", self.said)

    def test_what_ends_with_the_connection(self):
        def answer(_, wire):
            wire.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
            raise Cut("now")

        self.assertEqual(self.fetch(self.origin(answer).url), "hello")

    def test_connect_timeout(self):
        origin = self.double(Double(serve=lambda wire: origin.hang()))
        # TLS is part of it.
        self.fetch("--connect-timeout", "200ms", "https://" + origin.address, code=1)
        self.assertIn("connecting failed: it took too long", self.said)

    def test_max_time(self):
        origin = self.double(HealthOrigin())
        origin.behave("/slow", then="hang")
        out = self.fetch("--max-time", "300ms", origin.url + "/slow", origin.url + "/", code=1)
        self.assertEqual(out, "origin")
        self.assertIn("/slow: not done within 300ms", self.said)

    def test_retries(self):
        origin = self.double(HealthOrigin())
        origin.behave(status="503 Busy")
        self.fetch("--fail", origin.url, code=22)
        self.assertEqual(origin.count(), 1)
        self.fetch("-v", "--fail", "--retry", "2", origin.url, code=22)
        self.assertEqual(origin.count(), 4)
        self.assertIn("* 3 attempts\n", self.said)
        self.fetch("--fail", "--retry", "2", "-d", "x", origin.url, code=22)
        self.assertEqual(origin.count(), 5)
        origin.behave(status="200 OK", then="reset")
        self.fetch("--retry", "1", origin.url, code=1)
        self.assertEqual(origin.count(), 7)
        self.assertIn("the connection broke before a response", self.said)


class RedirectTest(FetchTest):
    def test_only_when_asked(self):
        origin = self.redirecting({"/a": ("302 Found", "/b")})
        self.assertEqual(self.fetch(origin.url + "/a"), "over there")
        self.assertEqual(self.fetch("-L", origin.url + "/a"), "GET /b ")
        self.assertEqual(len(origin.connections), 2)

    def test_methods(self):
        origin = self.redirecting({"/301": ("301 Moved", "x"), "/303": ("303 See", "x"),
                                   "/307": ("307 Again", "?q"), "/308": ("308 Again", "//x/")})
        self.assertEqual(self.fetch("-L", "-d", "data", origin.url + "/301"), "GET /x ")
        self.assertEqual(self.fetch("-L", "-X", "PUT", "-d", "data", origin.url + "/303"),
                         "GET /x ")
        self.assertIsNone(origin.requests[-1].value("Content-Type"))
        self.assertEqual(self.fetch("-L", "-d", "data", origin.url + "/301"), "GET /x ")
        self.assertEqual(self.fetch("-L", "-X", "PUT", "-d", "data", origin.url + "/307"),
                         "PUT /307?q data")
        where = f"x:80:{origin.address.partition(':')[0]}"
        self.fetch("-L", "--resolve", where, origin.url + "/308", code=1)
        self.assertIn("connecting failed", self.said)

    def test_a_file_is_sent_again_and_stdin_is_not(self):
        origin = self.redirecting({"/a": ("307 Again", "/b")})
        path = os.path.join(self.folder(), "data")
        with open(path, "wb") as file:
            file.write(b"x" * 300_000)
        self.assertEqual(self.fetch("-L", "--data-file", path, origin.url + "/a"),
                         "POST /b " + "x" * 300_000)
        self.fetch("-L", "--data-file", "-", origin.url + "/a", stdin=b"data", code=1)
        self.assertIn("stdin", self.said)

    def test_the_number_is_bounded(self):
        origin = self.redirecting({"/a": ("302 Found", "/a")})
        self.fetch("-L", origin.url + "/a", code=1)
        self.assertIn("more than 10 redirects", self.said)
        self.assertEqual(len(origin.requests), 11)
        self.assertEqual(len(origin.connections), 1)

    def test_strange_places(self):
        for place in ("ftp://127.0.0.1/", "http://", "javascript:alert(1)", "http://a:b:c/"):
            origin = self.redirecting({"/a": ("302 Found", place)})
            self.fetch("-L", origin.url + "/a", code=1)
            self.assertIn("a redirect to", self.said)
        origin = self.redirecting({"/a": ("302 Found", "/b c\xe9?d=\"e\"")})
        self.assertEqual(self.fetch("-L", origin.url + "/a"), "GET /b%20c%E9?d=\"e\" ")

    def test_secrets_stay_at_their_origin(self):
        other = self.origin(response_bytes(b"other"))
        origin = self.redirecting({"/a": ("302 Found", other.url), "/b": ("302 Found", "/c")})
        secrets = ["-H", "Authorization: Bearer x", "-H", "Cookie: a=b"]
        self.assertEqual(self.fetch("-L", *secrets, origin.url + "/a"), "other")
        self.assertIsNone(other.requests[0].value("Authorization"))
        self.assertIsNone(other.requests[0].value("Cookie"))
        self.fetch("-L", *secrets, origin.url + "/b")
        self.assertEqual(origin.requests[-1].value("Authorization"), "Bearer x")
        self.fetch("-L", "--user", "alice:secret", "--auth", "basic", origin.url + "/a")
        self.assertIsNotNone(origin.requests[-1].value("Authorization"))
        self.assertIsNone(other.requests[-1].value("Authorization"))


class LoginTest(FetchTest):
    def test_basic(self):
        origin = self.double(BasicOrigin(alice="s:cret"))
        self.assertEqual(self.fetch("--user", "alice:s:cret", "--auth", "basic", origin.url),
                         "hello alice")
        self.assertEqual(len(origin.requests), 1)
        url = origin.url.replace("://", "://alice:s%3Acret@")
        self.assertEqual(self.fetch("-v", url), "hello alice")
        self.assertEqual(len(origin.requests), 3)
        self.assertIn("* sent with Authorization: Basic ...\n", self.said)
        self.assertNotIn("s:cret", self.said)
        self.assertEqual(self.fetch("-i", "--user", "alice:x", origin.url)[:12], "HTTP/1.1 401")

    def test_digest(self):
        origin = self.double(DigestOrigin({"alice": "secret"}, algorithms=["SHA-256", "MD5"]))
        for auth in ("digest", "auto"):
            out = self.fetch("-v", "--user", "alice:secret", "--auth", auth, origin.url + "/a?b",
                             origin.url + "/c")
            self.assertEqual(out, "hello alice" * 2)
        self.assertEqual(len(origin.requests), 6)
        self.assertEqual(origin.login.replays, 0)
        self.assertEqual(self.fetch("--user", "alice:x", "--fail", origin.url, code=22), "")

    def test_with_a_body(self):
        origin = self.double(DigestOrigin({"alice": "secret"}))
        self.assertEqual(self.fetch("--user", "alice:secret", "-d", "x" * 1000, origin.url),
                         "hello alice")
        self.assertEqual([len(request.body) for request in origin.requests], [1000, 1000])


class WayTest(FetchTest):
    def test_resolve(self):
        origin = self.origin(response_bytes(b"here"))
        port = origin.address.rpartition(":")[2]
        out = self.fetch("-v", "--resolve", f"App.test:{port}:127.0.0.1", f"http://app.TEST:{port}/")
        self.assertEqual(out, "here")
        self.assertEqual(origin.requests[0].value("Host"), f"app.test:{port}")
        self.assertIn("* resolving app.test\n* addresses: 127.0.0.1\n", self.said)
        # The first address does not answer.
        self.assertEqual(self.fetch("--resolve", f"app.test:{port}:127.0.0.2,127.0.0.1",
                                    f"http://app.test:{port}/"), "here")

    def test_dns(self):
        origin = self.origin(response_bytes(b"here"))
        port = origin.address.rpartition(":")[2]
        dns = self.double(DnsServer())
        dns.set("app.test", "A", "127.0.0.1")
        dns.set("app.test", "AAAA")
        url = f"http://app.test:{port}/"
        self.assertEqual(self.fetch("--dns", dns.name, url, url), "herehere")
        self.assertEqual(dns.count("app.test", "A"), 1)
        self.fetch("--dns", dns.name, "http://no.test/", code=1)
        self.assertIn("resolving failed: the host has no address", self.said)
        dns.fail("bad.test", "SERVFAIL")
        self.fetch("--dns", dns.name, "http://bad.test/", code=1)
        self.assertIn("resolving failed: the name servers failed to answer", self.said)
        dns.fail("slow.test", "drop")
        self.fetch("--dns", dns.name, "--connect-timeout", "300ms", "http://slow.test/", code=1)
        self.assertIn("resolving failed: the name servers did not answer in time", self.said)

    def test_http_peer(self):
        peer = self.double(ParentProxy(hosts={"app.test": "127.0.0.1"}))
        origin = self.origin(response_bytes(b"here"))
        port = origin.address.rpartition(":")[2]
        url = f"http://app.test:{port}/a"
        self.assertEqual(self.fetch("-v", "--peer", peer.url, url, url), "herehere")
        self.assertEqual(peer.requests[0].target, url)
        self.assertEqual(len(peer.connections), 1)
        self.assertIn(f"> GET {url} HTTP/1.1\n", self.said)
        self.assertIn(f"* through the peer {peer.address}\n", self.said)

    def test_socks5_peer(self):
        peer = self.double(Socks5Proxy(users={"alice": "s@cret"}, hosts={"app.test": "127.0.0.1"}))
        origin = self.origin(response_bytes(b"here"))
        port = origin.address.rpartition(":")[2]
        url = f"http://app.test:{port}/a"
        use = f"socks5://alice:s%40cret@{peer.address}"
        self.assertEqual(self.fetch("--peer", use, url, url), "herehere")
        self.assertEqual([(asked.host, asked.user) for asked in peer.asked], [("app.test", "alice")])
        self.assertEqual(origin.requests[0].start, "GET /a HTTP/1.1")
        self.fetch("--peer", use.replace("s%40cret", "x"), url, code=1)
        self.assertIn("the peer failed: it wants a login, or refuses ours", self.said)
        peer.refuse = 2
        self.fetch("--peer", use, url, code=1)
        self.assertIn("the peer failed: it does not allow this", self.said)

    def test_peers_in_turn(self):
        peer = self.double(ParentProxy())
        origin = self.origin(response_bytes(b"here"))
        dead = f"http://127.0.0.1:{free_port()}"
        self.assertEqual(self.fetch("--peer", dead, "--peer", peer.url, origin.url), "here")
        self.assertEqual(len(peer.requests), 1)
        self.assertEqual(self.fetch("--peer", dead, "--peer", "direct", origin.url), "here")
        self.assertEqual(len(peer.requests), 1)
        self.fetch("--peer", dead, origin.url, code=1)
        self.assertIn("connecting failed: the connection was refused", self.said)
        self.fetch("--peer", "http://no-such-name.invalid", origin.url, code=1)
        self.assertIn("resolving failed", self.said)


class RealServersTest(FetchTest):
    def test_nginx(self):
        with Nginx(locations="location /moved {{ return 301 /hello.txt; }}") as nginx:
            data = os.urandom(5_000_000)
            nginx.put("large", data)
            out = self.fetch("-v", nginx.url + "/large", nginx.url + "/large")
            self.assertEqual(out.encode("latin-1"), data * 2)
            self.assertIn(f"* connection to {nginx.address} reused\n", self.said)
            self.assertEqual(self.fetch("-L", nginx.url + "/moved"), "hello from nginx\n")
            self.assertEqual(self.fetch("-H", "Range: bytes=0-4", nginx.url + "/hello.txt"), "hello")

    def test_squid_with_a_login(self):
        for scheme in ("basic", "digest"):
            origin = self.origin(response_bytes(b"here"))
            with Squid(users={"alice": "secret"}, scheme=scheme) as squid:
                use = f"http://alice:secret@{squid.address}"
                self.assertEqual(self.fetch("-v", "--peer", use, origin.url, origin.url),
                                 "herehere")
                name = scheme.capitalize()
                self.assertIn(f"* sent with Proxy-Authorization: {name} ...\n", self.said)
                self.assertIn("1.1 squid.test", origin.requests[0].value("Via"))
                self.assertIsNone(origin.requests[0].value("Proxy-Authorization"))
                self.fetch("--peer", use.replace("secret", "x"), origin.url, code=1)
                self.assertIn("the peer failed: it wants a login, or refuses ours", self.said)

    def test_squid_tunnels(self):
        with Authority() as authority, Squid(users={"alice": "secret"}) as squid:
            origin = self.double(TlsOrigin(authority.issue()))
            use = f"http://alice:secret@{squid.address}"
            url = origin.url.replace("localhost", "127.0.0.1")
            out = self.fetch("-v", "--cacert", authority.path, "--peer", use, url, url)
            self.assertEqual(out, "hellohello")
            self.assertEqual(len(origin.connections), 1)
            self.assertIn("* TLS 1.3, ", self.said)


class TlsTest(FetchTest):
    def setUp(self):
        self.authority = self.enterContext(Authority())
        self.trust = ["--cacert", self.authority.path]

    def fails(self, text, *arguments):
        self.fetch(*arguments, code=1)
        self.assertIn("TLS failed: " + text, self.said)

    def test_what_was_agreed_on(self):
        origin = self.double(TlsOrigin(self.authority.issue()))
        self.assertEqual(self.fetch("-v", *self.trust, origin.url, origin.url), "hellohello")
        self.assertRegex(self.said, r"\* TLS 1\.3, TLS_\w+, ALPN http/1\.1, new session\n")
        self.assertIn(" reused\n", self.said)
        by_address = origin.url.replace("localhost", "127.0.0.1")
        self.assertEqual(self.fetch(*self.trust, by_address), "hello")

    def test_sessions_are_resumed(self):
        answer = response_bytes(b"x", "Connection: close")
        origin = self.double(TlsOrigin(self.authority.issue(), answer))
        self.assertEqual(self.fetch("-v", *self.trust, *[origin.url] * 2), "xx")
        said = re.findall(r"(session resumed|new session)", self.said)
        self.assertEqual(said, ["new session", "session resumed"])

    def test_certificates_that_are_not_accepted(self):
        expired = self.double(TlsOrigin(self.authority.issue(days=-1)))
        self.fails("certificate has expired", *self.trust, expired.url)
        other = self.double(TlsOrigin(self.authority.issue("DNS:other.test")))
        self.fails("hostname mismatch", *self.trust, other.url)
        own = self.double(TlsOrigin(self.authority.make_self_signed("own")))
        self.fails("self-signed certificate", *self.trust, own.url)
        good = self.double(TlsOrigin(self.authority.issue()))
        self.fails("unable to get local issuer certificate", good.url)
        for origin in (expired, other, own, good):
            self.assertEqual(origin.requests, [])
            self.assertEqual(self.fetch("--insecure", origin.url), "hello")

    def test_the_name_is_looked_for_wherever_it_leads(self):
        origin = self.double(TlsOrigin(self.authority.issue("DNS:app.test")))
        to = ["--resolve", f"app.test:{origin.port}:127.0.0.1"]
        self.assertEqual(self.fetch(*self.trust, *to, f"https://app.test:{origin.port}/"), "hello")

    def test_our_own_certificate(self):
        origin = self.double(TlsOrigin(self.authority.issue(), clients_of=self.authority))
        certificate, key = self.authority.issue("DNS:client.test")
        self.assertEqual(self.fetch(*self.trust, "--cert", certificate, "--key", key, origin.url),
                         "hello")
        self.fetch(*self.trust, origin.url, code=1)
        # The server's alert, unless the reset of its close overtakes it.
        self.assertRegex(self.said, "certificate required|the connection broke")

    def test_files_that_are_not_there(self):
        self.fetch("--cacert", "/no/such/file", "https://localhost/", code=1)
        self.assertIn("/no/such/file", self.said)

    def test_no_tls_at_the_other_end(self):
        origin = self.origin(lambda *_: response_bytes())
        self.fetch("https://" + origin.address, code=1)
        self.assertIn("failed: ", self.said)

    def test_a_socks5_peer(self):
        peer = self.double(Socks5Proxy())
        origin = self.double(TlsOrigin(self.authority.issue()))
        use = ["--peer", f"socks5://{peer.address}"]
        self.assertEqual(self.fetch(*self.trust, *use, origin.url), "hello")
        self.fails("unable to get local issuer certificate", *use, origin.url)

    def test_a_peer_that_is_spoken_to_by_tls(self):
        peer = self.double(TlsOrigin(self.authority.issue(), response_bytes(b"of the peer")))
        use = ["--peer", peer.url]
        self.assertEqual(self.fetch("-v", *self.trust, *use, "http://app.test/a"), "of the peer")
        self.assertEqual(peer.requests[0].target, "http://app.test/a")
        self.assertIn("* TLS 1.3, ", self.said)
        # --insecure is about the servers.
        self.fails("unable to get local issuer certificate", "--insecure", *use, "http://app.test/a")

    def test_from_http_to_https(self):
        origin = self.double(TlsOrigin(self.authority.issue(), response_bytes(b"safe")))
        plain = self.redirecting({"/": ("301 Moved", origin.url)})
        self.assertEqual(self.fetch("-L", *self.trust, plain.url), "safe")


if __name__ == "__main__":
    unittest.main()
