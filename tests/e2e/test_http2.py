"""HTTP/2 with clients that others wrote: curl, nghttp, h2load and a browser."""

import base64
import hashlib
import json
import os
import re
import subprocess
import tempfile
import threading

from doubles_tls import TlsOrigin
from harness import wait_until
from real_servers import find_program
from test_tls import TlsListenerTest
from wire import LIMIT, head_bytes, response_bytes

CHAT = """<!doctype html><title>chat</title><script>
const socket = new WebSocket(`wss://${location.host}/chat`);
socket.onopen = () => socket.send('hello '.repeat(1000));
socket.onmessage = event => { document.body.append(event.data); socket.close(); };
</script><body><img src=/over>"""
PAGE = """<!doctype html><title>pending</title>
<link rel=stylesheet href=/style.css><body><script>
Promise.all([...Array(40).keys()].map(i => fetch('/piece/' + i).then(r => r.text())))
  .then(all => { document.title = 'loaded ' + all.length; document.body.append(all.join(' ')); });
</script>"""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, timeout=4 * LIMIT, check=False, **options)


class CurlTest(TlsListenerTest):
    """Over TLS, and in clear text by prior knowledge."""

    def setUp(self):
        def answer(request, _):
            target = request.target
            if target.startswith("/size/"):
                return response_bytes(b"x" * int(target[6:]))
            if target == "/hash":
                digest = hashlib.sha256(request.body).hexdigest().encode()
                return response_bytes(digest)
            if target == "/trailer":
                return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                        b"3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n")
            if target == "/early":
                return (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response_bytes(b"late"))
            if target == "/empty":
                return b"HTTP/1.1 204 No Content\r\n\r\n"
            return response_bytes(b"got " + request.method.encode())

        self.server = self.origin(answer)
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.ways = [(self.secure(), "https", "--http2"),
                     (self.reverse(self.server), "http", "--http2-prior-knowledge")]

    def ask(self, way, *arguments, path="/x"):
        proxy, scheme, version = way
        return self.curl(proxy, version, *arguments, path=path, scheme=scheme)

    def test_methods(self):
        for way in self.ways:
            self.assertEqual(self.ask(way), "got GET\n2 200")
            self.assertEqual(self.ask(way, "-X", "DELETE"), "got DELETE\n2 200")
            self.assertEqual(self.ask(way, "-d", "content"), "got POST\n2 200")
            self.assertIn("content-length: 8", self.ask(way, "-I").lower())
            self.assertEqual(self.ask(way, path="/empty"), "\n2 204")

    def test_large_bodies(self):
        path = os.path.join(self.folder, "upload")
        content = os.urandom(1024) * 20_000
        with open(path, "wb") as file:
            file.write(content)
        expected = hashlib.sha256(content).hexdigest()
        for way in self.ways:
            self.assertEqual(self.ask(way, "-T", path, path="/hash"), expected + "\n2 200")
            said = self.ask(way, "-o", os.path.join(self.folder, "got"), path="/size/30000000")
            self.assertEqual(said, "\n2 200")
            self.assertEqual(os.path.getsize(os.path.join(self.folder, "got")), 30_000_000)

    def test_upload_of_unknown_length(self):
        for way in self.ways:
            proxy, scheme, version = way
            port = proxy.address.rpartition(":")[2]
            done = run(find_program("curl"), "-sS", version, "--cacert", self.authority.path,
                       "-T", "-", f"{scheme}://localhost:{port}/hash", input=b"y" * 500_000)
            self.assertEqual(done.stdout.decode(), hashlib.sha256(b"y" * 500_000).hexdigest())

    def test_informational_and_trailers(self):
        for way in self.ways:
            said = self.ask(way, "-i", path="/early")
            self.assertLess(said.index("HTTP/2 103"), said.index("HTTP/2 200"))
            said = self.ask(way, "-i", path="/trailer")
            self.assertIn("x-sum: 6", said)

    def test_errors_are_answers(self):
        proxy = self.reverse("127.0.0.1:1")
        self.assertIn("\n2 502", self.curl(proxy, "--http2-prior-knowledge", scheme="http"))

    def test_many_at_once(self):
        proxy, scheme, version = self.ways[0]  # curl 7.88 can't do it with prior knowledge
        port = proxy.address.rpartition(":")[2]
        urls = [f"{scheme}://localhost:{port}/size/{i}" for i in range(50)]
        done = run(find_program("curl"), "-sS", "-Z", version, "--cacert", self.authority.path,
                   *urls)
        self.assertEqual(len(done.stdout), sum(range(50)), done.stderr)


class ToolTest(TlsListenerTest):
    def test_nghttp(self):
        proxy = self.secure()
        port = proxy.address.rpartition(":")[2]
        done = run(find_program("nghttp"), "-nv", "-m", "30", "--no-verify-peer",
                   f"https://localhost:{port}/a")
        said = done.stdout.decode()
        self.assertEqual(len(re.findall(r":status: 200", said)), 30)
        self.assertNotIn("RST_STREAM", said)
        self.assertNotIn("ERROR", said.replace("NO_ERROR", "").replace("error_code", ""))

    def test_h2load(self):
        tls, clear = self.secure(), self.reverse(self.server)
        for url in (f"https://{tls.address}/", f"http://{clear.address}/"):
            for more in ([], ["-d", __file__]):
                done = run(find_program("h2load"), "-n", "2000", "-c", "8", "-m", "20", *more, url)
                self.assertIn("2000 succeeded, 0 failed, 0 errored, 0 timeout",
                              done.stdout.decode())


class BrowserTest(TlsListenerTest):
    def setUp(self):
        self.chat_over = threading.Event()

        def answer(request, wire):
            if request.target == "/":
                return response_bytes(PAGE.encode(), "Content-Type: text/html")
            if request.target == "/talk":
                return response_bytes(CHAT.encode(), "Content-Type: text/html")
            if request.target == "/chat":
                return self.chat(request, wire)
            if request.target == "/over":  # the browser takes its picture after that
                self.assertTrue(self.chat_over.wait(LIMIT))
                return response_bytes()
            if request.target == "/style.css":
                return response_bytes(b"body { color: green }", "Content-Type: text/css")
            return response_bytes(b"[" + request.target.encode() + b"]" + b"." * 5000)

        self.answer = answer
        self.server = self.origin(answer)
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(self.folder, "access.log")

    def chat(self, request, wire):
        """The server's side of a WebSocket: says what it hears in capitals, until it is closed."""
        key = request.value("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        wire.send(head_bytes("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade",
                             "Upgrade: websocket", "Sec-WebSocket-Accept: " + accept))
        while True:
            opcode, length = wire.read_exactly(2)
            length &= 0x7f
            if length == 126:
                length = int.from_bytes(wire.read_exactly(2), "big")
            mask = wire.read_exactly(4)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(wire.read_exactly(length)))
            size = bytes([126]) + length.to_bytes(2, "big") if length > 125 else bytes([length])
            wire.send(bytes([opcode]) + size + data.upper())
            if opcode & 0xf == 8:
                self.chat_over.set()
                return None

    def browse(self, url, *arguments):
        said, errors = self.dump(url, "--virtual-time-budget=20000", *arguments)
        self.assertIn("<title>loaded 40</title>", said, errors)
        for number in range(40):
            self.assertIn(f"[/piece/{number}]", said)

    def dump(self, url, *arguments):
        done = run(find_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
                   "--disable-quic", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
                   f"--user-data-dir={self.folder}/profile", "--dump-dom", *arguments, url)
        return done.stdout.decode("utf-8", "replace"), done.stderr[-2000:]

    def records(self, count):
        def read():
            with open(self.path, encoding="ascii") as file:
                lines = [json.loads(line) for line in file]
            return lines if len(lines) >= count else None

        return wait_until(read, "the access log")

    def test_a_page_with_its_parts(self):
        proxy = self.secure(log={"access": self.path})
        self.browse(f"https://{proxy.address}/")
        records = self.records(42)
        self.assertEqual({record["version"] for record in records}, {"HTTP/2"})
        self.assertEqual(len({record["connection"] for record in records}), 1)

    def test_websocket_on_the_same_connection(self):
        proxy = self.secure(log={"access": self.path})
        said, errors = self.dump(f"https://{proxy.address}/talk")
        self.assertIn("HELLO " * 1000, said, errors)
        proxy.stop()
        chat = next(one for one in self.records(3) if one["target"].endswith("/chat"))
        self.assertEqual((chat["method"], chat["version"]), ("GET", "HTTP/2"))
        self.assertEqual(len({record["connection"] for record in self.records(3)}), 1)

    def test_by_way_of_a_forward_proxy(self):
        """Tunnels are streams of one connection to the proxy."""
        origin = self.double(TlsOrigin(self.pair, self.answer))
        proxy = self.penstock({
            "listener": [{"address": "127.0.0.1:0",
                          "tls": {"certificates": self.certificates(self.pair)}}],
            "forward": {"connect_ports": [origin.port]},
            "log": {"access": self.path}})
        self.browse(f"https://{origin.address}/", f"--proxy-server=https://{proxy.address}",
                    "--proxy-bypass-list=<-loopback>")
        proxy.stop()
        tunnels = [record for record in self.records(1) if record["method"] == "CONNECT"
                   and record["target"] == origin.address]
        self.assertEqual({record["version"] for record in tunnels}, {"HTTP/2"})
        self.assertGreater(sum(record["bytes_out"] for record in tunnels), 40 * 5000)
        self.assertEqual(len({record["connection"] for record in tunnels}), 1)
