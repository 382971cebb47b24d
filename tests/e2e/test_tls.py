"""TLS to clients: who gets which certificate, what is offered, and what is said when it fails."""

import os
import shutil
import socket
import ssl
import subprocess

from doubles import DoublesTest
from doubles_tls import Authority
from harness import wait_until
from real_servers import find_program
from wire import LIMIT, Cut, Wire, request_bytes, response_bytes


class TlsListenerTest(DoublesTest):
    """A reverse listener with TLS before an origin that answers with what it is asked for."""

    @classmethod
    def setUpClass(cls):
        cls.authority = cls.enterClassContext(Authority())
        cls.pair = cls.authority.issue("DNS:localhost,IP:127.0.0.1")

    def setUp(self):
        self.server = self.origin(lambda request, _: response_bytes(
            b"got " + request.target.encode(), f"X-Client: {request.value('X-Client') or ''}"))

    def certificates(self, *pairs):
        return [{"certificate": certificate, "key": key} for certificate, key in pairs]

    def secure(self, *pairs, listener=None, tls=None, **sections):
        settings = {"certificates": self.certificates(*(pairs or (self.pair,)))} | (tls or {})
        return self.reverse(self.server, **{"listener": [{
            "address": "127.0.0.1:0", "mode": "reverse", "tls": settings,
        } | (listener or {})]} | sections)

    def connect(self, proxy, name="localhost", trust=None, identity=None, **limits):
        """A TLS connection; `limits` are attributes of its context."""
        context = ssl.create_default_context(cafile=(trust or self.authority).path)
        context.set_alpn_protocols(["http/1.1"])
        if identity:
            context.load_cert_chain(*identity)
        for key, value in limits.items():
            setattr(context, key, value)
        host, _, port = proxy.address.rpartition(":")
        plain = socket.create_connection((host, int(port)), LIMIT)
        self.addCleanup(plain.close)
        secure = context.wrap_socket(plain, server_hostname=name)
        self.addCleanup(secure.close)
        return Client(secure)

    def openssl(self, proxy, *arguments, said=b"", limit=LIMIT):
        """What s_client prints."""
        command = [find_program("openssl"), "s_client", "-connect", proxy.address, *arguments]
        done = subprocess.run(command, input=said, capture_output=True, timeout=limit, check=False)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def curl(self, proxy, *arguments, path="/x", name="localhost", scheme="https"):
        port = proxy.address.rpartition(":")[2]
        done = subprocess.run(
            [find_program("curl"), "-sS", "--max-time", str(LIMIT), "--cacert", self.authority.path,
             "--resolve", f"{name}:{port}:127.0.0.1", "-w", "\n%{http_version} %{http_code}",
             *arguments, f"{scheme}://{name}:{port}{path}"],
            capture_output=True, timeout=2 * LIMIT, check=False)
        return done.stdout.decode() + done.stderr.decode()

    def logged(self, proxy, *words):
        """Waits for a line with all of the words."""
        return wait_until(lambda: next((line for line in proxy.log
                                        if all(word in line for word in words)), None),
                          f"a line with {words} in {proxy.log}")


class Client(Wire):
    """HTTP/1.1 inside TLS."""

    def request(self, target, *fields, **options):
        self.send(request_bytes(target, *fields, **options))
        return self.read_response(options.get("method", "GET"))

    def certificate_names(self):
        return [value for _, value in self.socket.getpeercert()["subjectAltName"]]


class ProtocolTest(TlsListenerTest):
    def test_requests_on_one_connection(self):
        client = self.connect(self.secure())
        for number in range(5):
            response = client.request(f"/{number}", method="PUT", body=b"x" * 200_000)
            self.assertEqual(response.body, b"got /%d" % number)
        self.assertEqual(client.socket.selected_alpn_protocol(), "http/1.1")
        self.assertEqual(client.socket.version(), "TLSv1.3")
        self.assertEqual(self.server.requests[0].value("X-Forwarded-Proto"), "https")

    def test_versions_by_alpn(self):
        proxy = self.secure()
        self.assertEqual(self.curl(proxy, "--http2"), "got /x\n2 200")
        self.assertEqual(self.curl(proxy, "--http1.1"), "got /x\n1.1 200")
        self.assertEqual(self.curl(proxy, "--no-alpn"), "got /x\n1.1 200")
        only_old = self.secure(listener={"http2": False})
        self.assertEqual(self.curl(only_old, "--http2"), "got /x\n1.1 200")

    def test_nothing_in_common_by_alpn(self):
        proxy = self.secure()
        said = self.openssl(proxy, "-alpn", "imap")
        self.assertIn("no application protocol", said)
        self.logged(proxy, "ALPN")

    def test_what_is_offered(self):
        """TLS 1.2 with forward secrecy and AEAD, and TLS 1.3; nothing else."""
        proxy = self.secure()
        for version in ("-tls1", "-tls1_1"):
            said = self.openssl(proxy, version, "-cipher", "ALL:@SECLEVEL=0")
            self.assertIn("(NONE)", said)
        ciphers = subprocess.run([find_program("openssl"), "ciphers", "-tls1_2", "-s",
                                  "ALL:@SECLEVEL=0"], capture_output=True, text=True, check=True)
        taken = {cipher for cipher in ciphers.stdout.strip().split(":")
                 if not cipher.startswith("TLS_") and
                 f"Cipher is {cipher}" in self.openssl(proxy, "-tls1_2", "-cipher",
                                                       f"{cipher}:@SECLEVEL=0")}
        self.assertEqual(taken, {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                 "ECDHE-ECDSA-CHACHA20-POLY1305"})
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                      "TLS_CHACHA20_POLY1305_SHA256"):
            self.assertIn(f"Cipher is {suite}",
                          self.openssl(proxy, "-tls1_3", "-ciphersuites", suite))
        newer = self.secure(tls={"min_version": "1.3"})
        self.assertIn("(NONE)", self.openssl(newer, "-tls1_2"))
        self.logged(newer, "version")

    def test_renegotiation_is_refused(self):
        proxy = self.secure()
        host, _, port = proxy.address.rpartition(":")
        process = subprocess.Popen(
            [find_program("openssl"), "s_client", "-connect", f"{host}:{port}", "-tls1_2",
             "-legacy_renegotiation"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdin.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        process.stdin.flush()
        # A break amid a transaction would be told by the transaction's record alone.
        said = b""
        while b"got /" not in said:
            piece = os.read(process.stdout.fileno(), 65536)
            self.assertTrue(piece, said)
            said += piece
        process.stdin.write(b"R\n")
        process.stdin.flush()
        said = (said + process.communicate(timeout=LIMIT)[0]).decode("utf-8", "replace")
        self.assertRegex(said, "no renegotiation|handshake failure|unexpected message")
        self.assertEqual(len(self.server.requests), 1)
        self.logged(proxy, "TLS broke", "renegotiate")

    def test_truncated_record(self):
        """What is cut inside a record is no end: the request is not taken for complete."""
        proxy = self.secure()
        client = self.connect(proxy)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        raw = socket.socket(fileno=client.socket.detach())
        raw.settimeout(LIMIT)
        self.addCleanup(raw.close)
        raw.sendall(b"\x17\x03\x03\x40\x00" + b"half a record")
        raw.shutdown(socket.SHUT_WR)
        rest = b""
        try:
            while piece := raw.recv(65536):
                rest += piece
        except ConnectionError:
            pass
        self.assertEqual(self.server.requests, [])


class CertificateTest(TlsListenerTest):
    def test_by_name(self):
        first = self.authority.issue("DNS:first.test")
        exact = self.authority.issue("DNS:www.site.test")
        wild = self.authority.issue("DNS:*.site.test")
        proxy = self.secure(first, exact, wild)
        for name, expected in (("first.test", "first.test"), ("www.site.test", "www.site.test"),
                               ("WWW.Site.Test", "www.site.test"), ("api.site.test", "*.site.test")):
            self.assertEqual(self.connect(proxy, name).certificate_names(), [expected])
        for name in ("other.test", "a.b.site.test", "site.test"):
            client = self.connect(proxy, name, check_hostname=False)
            self.assertEqual(client.certificate_names(), ["first.test"])
        strict = self.secure(first, exact, wild, tls={"strict_names": True})
        with self.assertRaises(ssl.SSLError):
            self.connect(strict, "other.test")
        self.logged(strict, "other.test")

    def test_two_kinds_side_by_side(self):
        rsa = self.authority.issue("DNS:localhost", key=["-newkey", "rsa:2048", "-nodes"])
        proxy = self.secure(self.pair, rsa)
        self.assertIn("ECDSA", self.openssl(proxy, "-tls1_2"))
        old = self.openssl(proxy, "-tls1_2", "-cipher", "aRSA")
        self.assertIn("Cipher is ECDHE-RSA", old)
        newer = self.openssl(proxy, "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")
        self.assertIn("Peer signature type: RSA-PSS", newer)

    def test_sessions_go_on_in_every_worker(self):
        for version in ("-tls1_2", "-tls1_3"):
            proxy = self.secure(workers={"count": 2})
            path = self.authority.file("session" + version)
            request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            self.openssl(proxy, version, "-sess_out", path, "-ign_eof", said=request)
            for _ in range(8):
                said = self.openssl(proxy, version, "-sess_in", path, "-ign_eof", said=request)
                self.assertIn("Reused, ", said)
        none = self.secure(tls={"session_lifetime": "0s"})
        path = self.authority.file("session-none")
        self.openssl(none, "-tls1_2", "-sess_out", path, "-ign_eof", said=request)
        if os.path.exists(path):
            said = self.openssl(none, "-tls1_2", "-sess_in", path, "-ign_eof", said=request)
            self.assertNotIn("Reused, ", said)

    def test_stapled(self):
        response = self.authority.ocsp_response(self.pair[0])
        certificates = self.certificates(self.pair)
        certificates[0]["ocsp"] = response
        proxy = self.secure(tls={"certificates": certificates})
        self.assertIn("OCSP Response Status: successful", self.openssl(proxy, "-status"))
        self.assertIn("no response sent", self.openssl(self.secure(), "-status"))

    def test_new_files_are_taken_up(self):
        certificate, key = (shutil.copy(path, self.authority.file("live" + end))
                            for path, end in zip(self.pair, (".pem", ".key")))
        proxy = self.secure((certificate, key))
        client = self.connect(proxy)
        self.assertEqual(client.request("/1").body, b"got /1")
        newer = self.authority.issue("DNS:localhost,DNS:newer.test")
        shutil.copy(newer[0], certificate)
        shutil.copy(newer[1], key)
        wait_until(lambda: "newer.test" in self.connect(proxy).certificate_names(), "the new one")
        self.assertEqual(client.request("/2").body, b"got /2")
        with open(certificate, "w", encoding="ascii") as file:
            file.write("nothing of use")
        self.logged(proxy, "warn", "live.pem", "stay in use")
        self.assertIn("newer.test", self.connect(proxy).certificate_names())


class ClientCertificateTest(TlsListenerTest):
    def wanting(self, kind):
        return self.secure(
            tls={"client_certificates": kind, "client_ca": self.authority.path},
            route=[{"to": "app",
                    "request": {"set": {"X-Client": "${tls_client_subject}"}}}])

    def test_good_one(self):
        identity = self.authority.issue("DNS:alice.test")
        for kind in ("required", "optional"):
            response = self.connect(self.wanting(kind), identity=identity).request("/")
            self.assertEqual(response.value("X-Client"), "CN=server")

    def test_none(self):
        response = self.connect(self.wanting("optional")).request("/", "X-Client: forged")
        self.assertEqual(response.value("X-Client"), "")
        proxy = self.wanting("required")
        with self.assertRaises((ssl.SSLError, Cut, OSError)):
            self.connect(proxy).request("/")
        self.logged(proxy, "certificate")

    def test_bad_ones(self):
        with Authority() as stranger:
            for identity, word in ((self.authority.issue("DNS:alice.test", days=-1), "expired"),
                                   (stranger.issue("DNS:alice.test"), "certificate")):
                for kind in ("required", "optional"):
                    proxy = self.wanting(kind)
                    with self.assertRaises((ssl.SSLError, Cut, OSError)):
                        self.connect(proxy, identity=identity).request("/")
                    self.logged(proxy, word)
        self.assertEqual(self.server.requests, [])

    def test_routes(self):
        proxy = self.secure(
            tls={"client_certificates": "optional", "client_ca": self.authority.path},
            route=[{"to": "app", "client": "certificate"}])
        self.assertEqual(self.connect(proxy).request("/").status, 421)
        identity = self.authority.issue("DNS:alice.test")
        self.assertEqual(self.connect(proxy, identity=identity).request("/").status, 200)


class FailureTest(TlsListenerTest):
    """Each has a line in the log that says why, with the client's address."""

    def plain(self, proxy):
        host, _, port = proxy.address.rpartition(":")
        sock = socket.create_connection((host, int(port)), LIMIT)
        self.addCleanup(sock.close)
        return sock

    def end_of(self, sock):
        """All that comes until it ends, or is reset."""
        said = b""
        try:
            while piece := sock.recv(65536):
                said += piece
        except ConnectionError:
            pass
        return said

    def test_http_to_a_tls_port(self):
        proxy = self.secure()
        sock = self.plain(proxy)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        said = self.end_of(sock)
        self.assertTrue(said.startswith(b"HTTP/1.1 400 Bad Request\r\n"), said)
        self.assertTrue(said.endswith(b"\r\n\r\nThis port speaks TLS: use https://\n"), said)
        self.logged(proxy, "HTTP", "127.0.0.1")

    def test_garbage(self):
        proxy = self.secure()
        sock = self.plain(proxy)
        sock.sendall(b"\x16\x03\x01\xff\xff" + b"\x00" * 100)
        self.end_of(sock)
        self.logged(proxy, "127.0.0.1:%d" % sock.getsockname()[1])

    def test_slow_handshake(self):
        proxy = self.secure(timeouts={"client_handshake": "200ms"})
        for said in (b"", b"\x16\x03\x01\x02\x00\x01"):
            sock = self.plain(proxy)
            sock.sendall(said)
            self.end_of(sock)
            self.logged(proxy, "127.0.0.1:%d" % sock.getsockname()[1], "too long")

    def test_certificate_the_client_does_not_trust(self):
        proxy = self.secure()
        with Authority() as stranger:
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.connect(proxy, trust=stranger)
        self.logged(proxy, "unknown_ca")

    def test_client_leaves_in_the_handshake(self):
        proxy = self.secure()
        sock = self.plain(proxy)
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        sock.close()
        self.logged(proxy, "127.0.0.1")
        self.assertEqual(self.connect(proxy).request("/").status, 200)

    def test_unusable_files(self):
        for files, word in (((self.pair[0], self.authority.key), "key"),
                            ((self.authority.file("none.pem"), self.pair[1]), "none.pem")):
            with self.assertRaises(AssertionError) as caught:
                self.secure(files)
            self.assertIn(word, str(caught.exception))
