"""HTTP/2 and the PROXY protocol towards servers that others wrote."""

import os
import subprocess
import unittest

from doubles import DoublesTest
from doubles_tls import Authority
from harness import BINARY, wait_until
from real_servers import HOST, Apache, Nginx, RealServer, free_port
from test_tunnels import SWITCH, WEBSOCKET
from wire import LIMIT, request_bytes, response_bytes


class Nghttpd(RealServer):
    """Serves the files of its folder; in clear text unless there is a `pair`."""

    programs = ("nghttpd",)

    def __init__(self, *options, pair=None):
        super().__init__()
        self.options = options
        self.pair = pair

    def prepare(self):
        self.write("files/hello.txt", "hello from nghttpd\n")

    def command(self):
        tls = ["--no-tls"] if self.pair is None else []
        files = [] if self.pair is None else [self.pair[1], self.pair[0]]
        return [self.binary, "-v", "-a", HOST, "-d", self.path("files"), *self.options, *tls,
                str(self.port), *files]


class Haproxy(RealServer):
    """Says what the PROXY protocol has told it. It takes no connection without a header."""

    programs = ("haproxy",)

    def prepare(self):
        words = "%[src]:%[src_port] %[dst]:%[dst_port] %[fc_pp_authority]"
        self.write("haproxy.cfg", f"""
global
  maxconn 100
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend all
  bind {self.address} accept-proxy
  http-request return status 200 content-type text/plain lf-string "{words}"
""")

    def command(self):
        return [self.binary, "-db", "-f", self.path("haproxy.cfg")]


class Http2Nginx(Nginx):
    """Speaks HTTP/2 with TLS at `secure_port`, HTTP/1.1 only at `old_port`, and takes headers of the
    PROXY protocol at `proxied_port`. /version says by what it was asked, /peer what a header said.
    """

    def __init__(self, pair, more=""):
        super().__init__()
        self.pair = pair
        self.more = more

    def prepare(self):
        self.secure_port, self.old_port, self.proxied_port = (free_port() for _ in range(3))
        self.locations = f"""
    listen {HOST}:{self.secure_port} ssl http2;
    listen {HOST}:{self.old_port} ssl;
    listen {HOST}:{self.proxied_port} proxy_protocol;
    ssl_certificate {self.pair[0]};
    ssl_certificate_key {self.pair[1]};
    client_max_body_size 100m;
    location = /version {{{{ return 200 $server_protocol; }}}}
    location = /peer {{{{ return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }}}}
    {self.more}
"""
        super().prepare()


class Http2Apache(Apache):
    """With TLS; HTTP/2 as well as HTTP/1.1."""

    wanted = Apache.wanted + ("ssl", "http2", "headers", "socache_shmcb")

    def __init__(self, pair):
        super().__init__({})
        self.pair = pair

    def prepare(self):
        super().prepare()
        self.write("apache.conf", self.read("apache.conf") + f"""
Protocols h2 http/1.1
SSLEngine on
SSLSessionCache none
SSLCertificateFile {self.pair[0]}
SSLCertificateKeyFile {self.pair[1]}
Header set X-Protocol "expr=%{{SERVER_PROTOCOL}}"
""")


class Http2Test(DoublesTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = cls.enterClassContext(Authority())
        cls.pair = cls.authority.issue("DNS:localhost,IP:127.0.0.1")

    def group(self, address, http="2", tls=True, listener=None, **options):
        group = {"servers": [address], "http": http} | options
        if tls:
            group["tls"] = {"ca_file": self.authority.path}
        return self.reverse(**{
            "listener": [{"address": "127.0.0.1:0", "mode": "reverse"} | (listener or {})],
            "upstream.app": group})

    def many(self, proxy, target, count, body):
        """So many requests at a time."""
        clients = [self.client(proxy) for _ in range(count)]
        for client in clients:
            client.send(request_bytes(target))
        for client in clients:
            self.assertEqual(client.read_response().body, body)


class NghttpdTest(Http2Test):
    """Servers of HTTP/2 alone."""

    def check(self, server, **options):
        server.write("files/large", os.urandom(5_000_000))
        with open(server.path("files/large"), "rb") as file:
            large = file.read()
        proxy = self.group(server.address, **options)
        client = self.client(proxy)
        response = client.request("/hello.txt")
        self.assertEqual(response.body, b"hello from nghttpd\n")
        self.assertIn("1.1", response.start)
        self.assertEqual(client.request("/none").status, 404)
        self.assertEqual(client.request("/hello.txt", method="HEAD").body, b"")
        self.assertEqual(client.request("/large").body, large)
        self.many(proxy, "/hello.txt", 50, b"hello from nghttpd\n")
        return proxy

    def test_clear_text(self):
        server = self.enterContext(Nghttpd())
        self.check(server, tls=False)
        # All of it on one connection.
        self.assertEqual(server.said().count("SETTINGS_INITIAL_WINDOW_SIZE"), 1, server.said())

    def test_tls(self):
        for http in ("2", "auto"):
            self.check(self.enterContext(Nghttpd(pair=self.pair)), http=http)

    def test_few_streams(self):
        server = self.enterContext(Nghttpd("-m", "3"))
        server.write("files/hello.txt", "hello from nghttpd\n")
        self.many(self.group(server.address, tls=False), "/hello.txt", 40,
                  b"hello from nghttpd\n")

    def test_upload(self):
        server = self.enterContext(Nghttpd("--echo-upload"))
        proxy = self.group(server.address, tls=False)
        body = os.urandom(3_000_000)
        client = self.client(proxy)
        self.alongside(client.send, request_bytes("/", method="POST", body=body))
        self.assertEqual(client.read_response("POST").body, body)

    def test_client_leaves(self):
        server = self.enterContext(Nghttpd())
        server.write("files/large", b"x" * 50_000_000)
        proxy = self.group(server.address, tls=False)
        client = self.client(proxy)
        client.send(request_bytes("/large"))
        client.read_exactly(1000)
        client.close()
        wait_until(lambda: "RST_STREAM" in server.said(), "the stream to be reset")
        self.assertEqual(self.ask(proxy, "/hello.txt").status, 200)
        self.assertEqual(server.said().count("SETTINGS_INITIAL_WINDOW_SIZE"), 1)


class NginxTest(Http2Test):
    def test_versions(self):
        server = self.enterContext(Http2Nginx(self.pair))
        secure, old = f"{HOST}:{server.secure_port}", f"{HOST}:{server.old_port}"
        for address, http, version in ((secure, "2", b"HTTP/2.0"), (secure, "auto", b"HTTP/2.0"),
                                       (secure, "1.1", b"HTTP/1.1"), (old, "auto", b"HTTP/1.1"),
                                       (old, "1.1", b"HTTP/1.1")):
            proxy = self.group(address, http=http)
            client = self.client(proxy)
            for _ in range(3):
                self.assertEqual(client.request("/version").body, version)
            self.many(proxy, "/version", 20, version)
        response = self.ask(self.group(old, http="2"), "/version")
        self.assertEqual(response.status, 502)
        self.assertRegex(response.value("Proxy-Status"), "error=tls_(protocol_error|alert_received)")

    def test_goaway(self):
        """It ends each connection after a few requests."""
        server = self.enterContext(Http2Nginx(self.pair, "keepalive_requests 7;"))
        proxy = self.group(f"{HOST}:{server.secure_port}")
        for _ in range(5):
            self.many(proxy, "/version", 20, b"HTTP/2.0")

    def test_uploads(self):
        echo = self.origin(lambda request, _: response_bytes(str(len(request.body)).encode()))
        server = self.enterContext(Http2Nginx(
            self.pair, f"location /up {{{{ proxy_pass {echo.url}; proxy_http_version 1.1; }}}}"))
        proxy = self.group(f"{HOST}:{server.secure_port}")
        client = self.client(proxy)
        for size in (1, 100_000, 3_000_000):
            response = client.request("/up", method="POST", body=b"x" * size)
            self.assertEqual(response.body, str(size).encode())

    def test_websocket_falls_back(self):
        """nginx takes none by HTTP/2."""
        def switch(_, wire):
            wire.send(SWITCH)
            while not wire.buffer:
                wire.fill()
            wire.send(wire.buffer.upper())
            wire.buffer = b""

        target = self.origin(switch)
        server = self.enterContext(Http2Nginx(self.pair, f"""location /chat {{{{
          proxy_pass {target.url};
          proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection upgrade;
        }}}}"""))
        address = f"{HOST}:{server.secure_port}"
        proxy = self.group(address, http="auto")
        self.assertEqual(self.ask(proxy, "/version").body, b"HTTP/2.0")
        client = self.client(proxy)
        client.send(request_bytes("/chat", *WEBSOCKET))
        self.assertEqual(client.read_response().status, 101)
        client.send(b"hello")
        self.assertEqual(client.read_exactly(5), b"HELLO")
        self.assertEqual(self.ask(proxy, "/version").body, b"HTTP/2.0")
        refused = self.ask(self.group(address, http="2"), "/chat", *WEBSOCKET)
        self.assertEqual(refused.status, 502)
        self.assertIn("http_upgrade_failed", refused.value("Proxy-Status"))

    def test_checks(self):
        server = self.enterContext(Http2Nginx(self.pair))
        proxy = self.group(f"{HOST}:{server.secure_port}",
                           check={"type": "http", "path": "/version", "interval": "100ms"})
        wait_until(lambda: server.read("access.log").count('GET /version HTTP/2.0') >= 3,
                   "checks by HTTP/2")
        self.assertEqual(self.ask(proxy, "/version").status, 200)


class FetchTest(Http2Test):
    """`penstock fetch --http2`."""

    def fetch(self, *arguments, code=0):
        done = subprocess.run([BINARY, "fetch", "--http2", *arguments], capture_output=True,
                              timeout=2 * LIMIT, check=False)
        self.said = done.stderr.decode()
        self.assertEqual(done.returncode, code, self.said)
        return done.stdout

    def test_clear_text(self):
        server = self.enterContext(Nghttpd())
        url = server.url + "/hello.txt"
        self.assertEqual(self.fetch("-v", url, url), b"hello from nghttpd\n" * 2)
        self.assertIn("> GET /hello.txt HTTP/2\n", self.said)
        self.assertIn("< HTTP/2 200", self.said)
        self.assertIn("reused", self.said)

    def test_tls(self):
        server = self.enterContext(Http2Nginx(self.pair))
        trust = ("-v", "--cacert", self.authority.path)
        url = f"https://localhost:{server.secure_port}/version"
        self.assertEqual(self.fetch(*trust, url), b"HTTP/2.0")
        self.assertIn("ALPN h2", self.said)
        self.fetch(*trust, f"https://localhost:{server.old_port}/version", code=1)
        self.assertIn("TLS failed", self.said)

    def test_server_of_http1(self):
        server = self.origin()
        self.fetch(server.url, code=1)
        server.errors.clear()  # a preface is no request


class ApacheTest(Http2Test):
    def test_versions(self):
        server = self.enterContext(Http2Apache(self.pair))
        for http, version in (("2", "HTTP/2.0"), ("auto", "HTTP/2.0"), ("1.1", "HTTP/1.1")):
            proxy = self.group(server.address, http=http)
            client = self.client(proxy)
            for _ in range(3):
                response = client.request("/hello.txt")
                self.assertEqual(response.body, b"hello from apache\n")
                self.assertEqual(response.value("X-Protocol"), version)
            self.many(proxy, "/hello.txt", 20, b"hello from apache\n")


class ProxyProtocolTest(Http2Test):
    """Each connection to a server names the client whose it is."""

    def name_of(self, client):
        host, port = client.socket.getsockname()
        return f"{host}:{port}".encode()

    def check(self, proxy, target, expected):
        first, second = self.client(proxy), self.client(proxy)
        for client in (first, second, first, second):
            self.assertEqual(client.request(target).body, expected(client))

    def test_nginx(self):
        server = self.enterContext(Http2Nginx(self.pair))
        for version in ("v1", "v2"):
            proxy = self.group(f"{HOST}:{server.proxied_port}", "1.1", False,
                               proxy_protocol=version)
            self.check(proxy, "/peer", self.name_of)

    def test_haproxy(self):
        server = self.enterContext(Haproxy())
        for version in ("v1", "v2"):
            for http in ("1.1", "2"):
                proxy = self.group(server.address, http, False, proxy_protocol=version)
                local = proxy.address.encode()
                self.check(proxy, "/", lambda client, local=local:
                           self.name_of(client) + b" " + local + b" ")

    def test_checks(self):
        """One is for nobody; a server that wants headers takes it."""
        server = self.enterContext(Haproxy())
        for version in ("v1", "v2"):
            proxy = self.group(server.address, "1.1", False, proxy_protocol=version,
                               check={"type": "http", "interval": "50ms", "fall": 1})
            wait_until(lambda proxy=proxy: self.ask(proxy, "/").status == 200, "an answer")

    def test_sessions_of_tcp(self):
        server = self.enterContext(Haproxy())
        proxy = self.group(server.address, "1.1", False, proxy_protocol="v2",
                           listener={"mode": "tcp"})
        self.check(proxy, "/", lambda client: self.name_of(client) + b" "
                   + proxy.address.encode() + b" ")


if __name__ == "__main__":
    unittest.main()
