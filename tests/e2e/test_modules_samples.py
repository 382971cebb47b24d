"""The sample modules in the real proxy: on its own threads, on others, and in a process."""

import gzip
import json
import os
import struct
import tempfile
import threading
import unittest
import zlib

from harness import BINARY, ScenarioTest, wait_until
from wire import chunk, chunked, head_bytes, response_bytes

MODULES = os.path.join(os.path.dirname(BINARY), "modules")


def png(side):
    """A picture, badly compressed."""
    rows = b"".join(b"\0" + bytes((x * y + channel * 60) % 256 for x in range(side)
                                  for channel in range(3)) for y in range(side))

    def part(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + part(b"IDAT", zlib.compress(rows, 0)) + part(b"IEND", b""))


class Samples:
    """What has to be the same wherever callbacks run."""

    isolation = "inline"

    def module(self, name, config, **filters):
        """The sections of a configuration in which the module stands before all."""
        return {
            "module.sample": {"file": os.path.join(MODULES, name + ".so"),
                              "isolation": self.isolation, "config": config},
            "filter": [{"module": "sample"} | filters],
        }

    def before(self, name, config, *origins, sections=None, **filters):
        return self.reverse(*origins, **self.module(name, config, **filters), **(sections or {}))

    def test_text_injector(self):
        def serve(wire):
            while True:
                self.accepted = wire.read_request().value("Accept-Encoding")
                wire.send(head_bytes("HTTP/1.1 200 OK", "Content-Type: text/html", 'ETag: "1"',
                                     "Transfer-Encoding: chunked"))
                for piece in (b"<body>one</bo", b"dy", b">two"):
                    wire.send(chunk(piece))
                wire.send(b"0\r\n\r\n")

        penstock = self.before("text_injector", {"text": "<i>hi</i>"}, self.origin(serve=serve),
                               at="server")
        client = self.client(penstock)
        for _ in range(2):
            response = client.request("/", "Accept-Encoding: gzip")
            self.assertEqual(response.body, b"<body>one<i>hi</i></body>two")
            self.assertEqual(response.value("ETag"), 'W/"1"')
            self.assertEqual(self.accepted, "identity")

    def test_text_injector_before_content_that_has_a_length(self):
        page = response_bytes(b"<head>" + b"x" * 300_000, "Content-Type: text/html")
        penstock = self.before("text_injector", {"text": "hi", "place": "head"}, self.origin(page))
        self.assertEqual(self.ask(penstock, "/").body, b"<head>hi" + b"x" * 300_000)
        head = self.ask(penstock, "/", method="HEAD")
        self.assertEqual((head.body, head.value("Content-Length")), (b"", None))

    def test_advert_remover(self):
        page = response_bytes(b"<p>a<div class=advert><div>b</div></div>c",
                              "Content-Type: text/html")
        origin = self.origin(page)
        config = {"block": ["*/banners/*"], "remove": [{"tag": "div", "mark": "advert"}]}
        penstock = self.before("advert_remover", config, origin)
        self.assertEqual(self.ask(penstock, "/").body, b"<p>ac")
        self.assertEqual(self.ask(penstock, "/banners/1").status, 204)
        image = self.ask(penstock, "/banners/1", "Accept: image/webp")
        self.assertEqual((image.status, image.body[:6]), (200, b"GIF89a"))
        self.assertEqual(len(origin.requests), 1)

    def test_advert_remover_refuses_tunnels(self):
        penstock = self.forward(**self.module("advert_remover", {"block": ["ads.test/*"]}))
        for host in ("ads.test:443", "ADS.test:8443"):
            self.assertEqual(self.ask(penstock, host, method="CONNECT", host=host).status, 403)

    def test_compressor(self):
        text = b"".join(b"line %d\n" % (i * i) for i in range(20_000))
        origin = self.origin(response_bytes(text, "Content-Type: text/plain"))
        penstock = self.before("compressor", {}, origin)
        response = self.ask(penstock, "/", "Accept-Encoding: gzip")
        self.assertEqual(response.value("Content-Encoding"), "gzip")
        self.assertEqual(response.value("Vary"), "Accept-Encoding")
        self.assertEqual(gzip.decompress(response.body), text)
        self.assertLess(len(response.body), len(text) // 2)
        plain = self.ask(penstock, "/")
        self.assertEqual((plain.body, plain.value("Vary")), (text, "Accept-Encoding"))

    def test_compressor_holds_no_stream_up(self):
        seen = threading.Event()

        def serve(wire):
            wire.read_request()
            wire.send(head_bytes("HTTP/1.1 200 OK", "Content-Type: text/event-stream",
                                 "Transfer-Encoding: chunked") + chunk(b"data: one\n\n"))
            self.assertTrue(seen.wait(20))
            wire.send(chunk(b"data: two\n\n") + b"0\r\n\r\n")

        penstock = self.before("compressor", {}, self.origin(serve=serve))
        client = self.client(penstock)
        client.send(head_bytes("GET / HTTP/1.1", "Host: a", "Accept-Encoding: gzip"))
        response = client.read_response_head()
        self.assertEqual(response.value("Content-Encoding"), "gzip")
        decoder, text = zlib.decompressobj(31), b""
        while text != b"data: one\n\n":
            size = int(client.read_until(b"\r\n"), 16)
            text += decoder.decompress(client.read_exactly(size + 2)[:-2])
        seen.set()

    def test_image_transcoder(self):
        picture, broken = png(100), b"\xff\xd8\xff no image"

        def answer(request, _):
            if request.target == "/broken":
                return response_bytes(broken, "Content-Type: image/jpeg")
            return response_bytes(picture, "Content-Type: image/png")

        penstock = self.before("image_transcoder", {"most": "40000B"}, self.origin(answer))
        made = self.ask(penstock, "/", "Accept: image/webp")
        self.assertEqual((made.value("Content-Type"), made.body[8:12]), ("image/webp", b"WEBP"))
        self.assertLess(len(made.body), len(picture))
        same = self.ask(penstock, "/", "Accept: image/png")
        self.assertEqual((same.value("Content-Type"), same.body), ("image/png", picture))
        same = self.ask(penstock, "/broken", "Accept: image/webp")
        self.assertEqual((same.value("Content-Type"), same.body), ("image/jpeg", broken))

    def test_image_transcoder_lets_go_what_is_too_large(self):
        picture = png(200)
        answer = (head_bytes("HTTP/1.1 200 OK", "Content-Type: image/png",
                             "Transfer-Encoding: chunked") + chunked(picture))
        penstock = self.before("image_transcoder", {"most": "50KiB"}, self.origin(answer))
        response = self.ask(penstock, "/", "Accept: image/webp")
        self.assertEqual((response.value("Content-Type"), response.body), ("image/png", picture))

    def test_content_manager(self):
        origin = self.origin()
        penstock = self.before("content_manager", {}, origin)
        response = self.ask(penstock, "/penstock-cache/list")
        self.assertEqual(response.status, 501)
        self.assertEqual(json.loads(response.body), {"error": "this proxy has no cache"})
        self.assertEqual(self.ask(penstock, "/penstock-cache/purge?url=http://a/").status, 405)
        self.assertEqual(self.ask(penstock, "/").body, b"hello")
        others = self.before("content_manager", {"allow": ["192.0.2.0/24"]}, origin)
        self.assertEqual(self.ask(others, "/penstock-cache/list").status, 403)

    def test_custom_logger(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "audit.log")
            pattern = '${client} "${method} ${path}" ${record.status} "${request.X-A}" ${host}'
            origin = self.origin()
            penstock = self.before("custom_logger", {"file": path, "pattern": pattern}, origin)
            self.ask(penstock, "/x?y", 'X-A: a"b', method="POST", body=b"z")

            def lines():
                if os.path.exists(path):
                    with open(path, encoding="ascii") as file:
                        return file.read().splitlines()
                return []

            wait_until(lines, "a line")
            self.assertEqual(lines(),
                             ['127.0.0.1 "POST /x?y" 200 "a\\x22b" example.test'])
            penstock.stop()

    def test_request_mirror(self):
        origin, shadow = self.origin(), self.origin()
        penstock = self.before("request_mirror", {"url": shadow.url}, origin)
        client = self.client(penstock)
        body = b"b" * 50_000
        for _ in range(2):
            response = client.request("/a?b", "Cookie: secret", "X-A: 1", method="POST", body=body)
            self.assertEqual(response.body, b"hello")
        wait_until(lambda: len(shadow.requests) == 2, "two copies")
        copy = shadow.requests[0]
        self.assertEqual((copy.method, copy.target, copy.body), ("POST", "/a?b", body))
        self.assertEqual((copy.value("X-A"), copy.value("Cookie")), ("1", None))
        self.assertEqual((copy.value("X-Mirrored"), copy.value("X-Forwarded-Host")),
                         ("1", "example.test"))

    def test_request_mirror_whose_server_does_not_answer(self):
        silent = self.origin(serve=lambda wire: wire.read_to_end())
        penstock = self.before("request_mirror", {"url": silent.url}, self.origin())
        for _ in range(3):
            self.assertEqual(self.ask(penstock, "/").body, b"hello")
        wait_until(lambda: silent.connections, "a copy")

    def test_server_selector(self):
        old, new = self.origin(response_bytes(b"old")), self.origin(response_bytes(b"new"))
        choice = {"name": "new", "values": ["new"], "share": 50, "upstream": "new"}
        config = {"key": "header:X-Group", "cookie": "release", "choice": [choice]}
        penstock = self.before("server_selector", config, old,
                               sections={"upstream.new": {"servers": [new.address]},
                                         "route": [{"to": "app"}]})
        self.assertEqual(self.ask(penstock, "/", "X-Group: new").body, b"new")
        seen = set()
        for _ in range(40):
            first = self.ask(penstock, "/")
            seen.add(first.body)
            cookie = first.value("Set-Cookie").split(";")[0]
            self.assertEqual(cookie, {b"new": "release=new", b"old": "release=-"}[first.body])
            again = self.ask(penstock, "/", f"Cookie: {cookie}")
            self.assertEqual((again.body, again.value("Set-Cookie")), (first.body, None))
        self.assertEqual(seen, {b"old", b"new"})

    def test_privacy_filter(self):
        origin = self.origin(response_bytes(b"x", "Set-Cookie: _ga=1", "Set-Cookie: a=2",
                                            "Server: secret"))
        config = {"cookies": ["_ga*"], "referer": "origin", "user_agent": "Any",
                  "request_remove": ["X-Id"], "response_remove": ["Server"]}
        penstock = self.before("privacy_filter", config, origin)
        response = self.ask(penstock, "/", "Cookie: _ga=1; b=2", "Referer: http://a/b?c",
                            "X-Id: 7", "User-Agent: Mine")
        self.assertEqual(response.values("Set-Cookie"), ["a=2"])
        self.assertEqual(response.value("Server"), None)
        sent = origin.requests[0]
        self.assertEqual([sent.value(name) for name in ("Cookie", "Referer", "X-Id", "User-Agent")],
                         ["b=2", "http://a/", None, "Any"])


class InlineTest(Samples, ScenarioTest):
    """On the proxy's own threads."""

    def test_several_work_together(self):
        """The compressor knows what the client takes, though the injector asks for none."""
        origin = self.origin(response_bytes(b"<body>" + b"x" * 1000 + b"</body>",
                                            "Content-Type: text/html"))
        sections = self.module("compressor", {})
        sections["module.banner"] = {"file": os.path.join(MODULES, "text_injector.so"),
                                     "config": {"text": "hi"}}
        sections["filter"].append({"module": "banner", "at": "server"})
        response = self.ask(self.reverse(origin, **sections), "/", "Accept-Encoding: gzip")
        self.assertEqual(gzip.decompress(response.body), b"<body>" + b"x" * 1000 + b"hi</body>")
        self.assertEqual(origin.requests[0].value("Accept-Encoding"), "identity")


class ThreadTest(Samples, ScenarioTest):
    """On threads beside them."""

    isolation = "thread"


class ProcessTest(Samples, ScenarioTest):
    """In a process."""

    isolation = "process"


if __name__ == "__main__":
    unittest.main()
