"""The filters that are built in, by real requests."""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
import zlib

from harness import ScenarioTest, wait_until
from real_servers import Nginx
from wire import Cut, chunked, head_bytes, request_bytes, response_bytes

CURL = shutil.which("curl")
PAGE = "".join(f"<p>line {number} of a page</p>\n" for number in range(2000)).encode()


class FilterTest(ScenarioTest):
    def filtered(self, origin, *filters, **sections):
        """A reverse proxy before the origin, with these filters."""
        return self.reverse(origin, filter=list(filters), **sections)

    def json_log(self):
        """A [log] with a file for each proxy; see record()."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.access = os.path.join(folder.name, "access.log")
        return {"access": self.access, "access_format": "json"}

    def record(self, number):
        """The record of that number, from 1, in the log given out last, as soon as it is there."""
        def read():
            if not os.path.exists(self.access):
                return None
            with open(self.access, encoding="ascii") as file:
                lines = file.read().split("\n")[:-1]
            return json.loads(lines[number - 1]) if len(lines) >= number else None

        return wait_until(read, "the record")


class FieldsTest(FilterTest):
    def test_edits_of_requests_and_responses(self):
        origin = self.origin(response_bytes(b"x", "Server: secret/1", "X-Kept: k"))
        proxy = self.filtered(origin, {"path": "/api", "fields": {
            "request": {"remove": ["X-Debug"],
                        "set": {"X-Asked": "${method} ${host}${path_and_query}"},
                        "add": {"X-More": ["1", "2"]}},
            "response": {"remove": ["Server"], "set": {"X-Seen": "${status} ${path}?${query}"}}}})
        response = self.ask(proxy, "/api/x?y=1", "x_debug: 1", "X-Asked: mine", "X-More: 0",
                            host="www.test:81")
        request = origin.requests[0]
        self.assertEqual(request.values("X-Asked"), ["GET www.test/api/x?y=1"])
        self.assertEqual(request.values("X-More"), ["0", "1", "2"])
        self.assertEqual(request.values("X_Debug"), [])
        self.assertEqual(response.values("Server"), [])
        self.assertEqual(response.values("X-Seen"), ["200 /api/x?y=1"])
        self.assertEqual(response.values("X-Kept"), ["k"])
        response = self.ask(proxy, "/other", "X-Debug: 1")
        self.assertEqual(origin.requests[1].values("X-Debug"), ["1"])
        self.assertEqual(response.values("Server"), ["secret/1"])

    def test_conditions_of_the_response(self):
        origin = self.origin(lambda request, _: response_bytes(
            b"", status="404 Not Found" if request.target == "/no" else "200 OK"))
        proxy = self.filtered(origin, {"status": "4xx", "fields": {
            "response": {"set": {"Cache-Control": "no-store"}}}})
        self.assertEqual(self.ask(proxy, "/no").values("Cache-Control"), ["no-store"])
        self.assertEqual(self.ask(proxy, "/yes").values("Cache-Control"), [])

    def test_trailers_cannot_say_what_the_head_must_not(self):
        origin = self.origin()
        proxy = self.filtered(origin, {"fields": {"request": {"set": {"X-User": "nobody"}}}})
        client = self.client(proxy)
        client.send(request_bytes("/", "Transfer-Encoding: chunked", method="POST")
                    + chunked(b"content", 30_000, "X_User: root", "X-Other: kept"))
        self.assertEqual(client.read_response("POST").status, 200)
        self.assertEqual(origin.requests[0].values("X-User"), ["nobody"])
        self.assertEqual(origin.requests[0].trailers, [("X-Other", "kept")])


class AnswerTest(FilterTest):
    def test_blocked_hosts(self):
        origin = self.origin()
        proxy = self.forward(filter=[{
            "name": "no games", "host": ["*.games.test", "games.test"],
            "answer": {"type": "text/html; charset=utf-8", "fields": {"X-Why": "${host}"},
                       "content": "<b>${host}</b>: '${path}' is blocked"}}])
        response = self.ask(proxy, "http://www.games.test/a\"'&b", host="www.games.test")
        self.assertEqual(response.status, 403)
        self.assertEqual(response.body,
                         b"<b>www.games.test</b>: '/a&#34;&#39;&#38;b' is blocked")
        self.assertEqual(response.value("Content-Type"), "text/html; charset=utf-8")
        self.assertEqual(response.value("X-Why"), "www.games.test")
        response = self.ask(proxy, "http://games.test/", host="games.test", method="HEAD")
        self.assertEqual((response.status, response.body), (403, b""))
        self.assertEqual(response.value("Content-Length"), str(len("<b>games.test</b>: '/' is "
                                                                  "blocked")))
        client = self.client(proxy)
        client.send(request_bytes("games.test:443", method="CONNECT", host="games.test:443"))
        self.assertEqual(client.read_response("CONNECT").status, 403)
        self.assertEqual(self.ask(proxy, origin.url + "/", host=origin.address).status, 200)

    def test_in_place_of_a_response(self):
        origin = self.origin(response_bytes(b"stack trace", "X-Power: 1",
                                            status="500 Internal Server Error"))
        proxy = self.filtered(origin, {"status": "5xx", "answer": {
            "status": 503, "content": "later (${status})", "fields": {"Retry-After": "5"}}})
        client = self.client(proxy)
        for _ in range(2):  # on one connection
            response = client.request("/")
            self.assertEqual((response.status, response.body), (503, b"later (500)"))
            self.assertEqual(response.value("Retry-After"), "5")
            self.assertIsNone(response.value("X-Power"))


class ContentTest(FilterTest):
    def page(self, *fields, body=PAGE, **options):
        return self.origin(response_bytes(body, "Content-Type: text/html", *fields, **options))

    def curl(self, *arguments):
        if CURL is None:
            self.skipTest("curl is not installed")
        done = subprocess.run([CURL, "-sS", "-m", "20", *arguments], stdout=subprocess.PIPE,
                              check=True)
        return done.stdout

    def test_curl_understands_each_coding(self):
        proxy = self.filtered(self.page(), {"compress": {}})
        for coding in ("gzip", "br", "zstd"):
            with self.subTest(coding):
                raw = self.curl("-H", f"Accept-Encoding: {coding}", f"http://{proxy.address}/")
                self.assertLess(len(raw), len(PAGE) / 4)
        self.assertEqual(self.curl("--compressed", f"http://{proxy.address}/"), PAGE)
        self.assertEqual(self.curl(f"http://{proxy.address}/"), PAGE)

    def test_compressed_and_not_on_one_connection(self):
        proxy = self.filtered(self.page('ETag: "a"', "Accept-Ranges: bytes"), {"compress": {}})
        client = self.client(proxy)
        response = client.request("/", "Accept-Encoding: gzip, deflate")
        self.assertEqual(gzip.decompress(response.body), PAGE)
        self.assertEqual(response.value("Content-Encoding"), "gzip")
        self.assertEqual(response.value("Vary"), "Accept-Encoding")
        self.assertEqual(response.value("ETag"), 'W/"a"')
        self.assertEqual(response.value("Accept-Ranges"), None)
        response = client.request("/")
        self.assertEqual((response.body, response.framing), (PAGE, "length"))
        self.assertEqual(response.value("Vary"), "Accept-Encoding")
        self.assertEqual(response.value("ETag"), '"a"')
        head = client.request("/", "Accept-Encoding: gzip", method="HEAD")
        self.assertEqual(head.value("Content-Encoding"), "gzip")
        self.assertEqual(head.value("Content-Length"), None)
        response = client.request("/", "Accept-Encoding: gzip")
        self.assertEqual(gzip.decompress(response.body), PAGE)

    def test_events_come_at_once(self):
        def answer(_, wire):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + b"9\r\ndata: 1\n\n\r\n")
            self.assertTrue(self.seen.wait(20))
            wire.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

        self.seen = threading.Event()
        proxy = self.filtered(self.origin(answer), {"compress": {}})
        client = self.client(proxy)
        client.send(request_bytes("/", "Accept-Encoding: gzip"))
        self.assertEqual(client.read_head().value("Content-Encoding"), "gzip")
        decoder, said = zlib.decompressobj(31), b""
        for event in (b"data: 1", b"data: 2"):
            while event not in said:
                size = int(client.read_until(b"\r\n"), 16)
                said += decoder.decompress(client.read_exactly(size + 2)[:-2])
            self.seen.set()  # until now the server has sent no more

    def test_decompressed_substituted_and_compressed_again(self):
        origin = self.page("Content-Encoding: gzip", 'ETag: "a"', body=gzip.compress(PAGE))
        proxy = self.filtered(origin, {"decompress": {"ask": "all"}},
                              {"substitute": {"rules": [{"pattern": "line (\\d+)",
                                                         "with": "row \\1", "regex": True}]}},
                              {"compress": {"codings": ["gzip"]}})
        wanted = PAGE.replace(b"line", b"row")
        response = self.ask(proxy, "/")
        self.assertEqual(response.body, wanted)
        self.assertEqual(response.value("Content-Encoding"), None)
        self.assertEqual(response.value("ETag"), 'W/"a"')
        self.assertEqual(origin.requests[0].value("Accept-Encoding"), "gzip, deflate, br, zstd")
        response = self.ask(proxy, "/", "Accept-Encoding: gzip")
        self.assertEqual(gzip.decompress(response.body), wanted)

    def test_trailers_say_nothing_strong_of_other_content(self):
        for filters in ({"compress": {}}, {"substitute": {"rules": [{"pattern": "page"}]}}):
            origin = self.origin(head_bytes("HTTP/1.1 200 OK", "Content-Type: text/html",
                                            "Transfer-Encoding: chunked")
                                 + chunked(PAGE, 9000, 'ETag: "q"', "X-Other: kept"))
            client = self.client(self.filtered(origin, filters))
            client.send(request_bytes("/", "Accept-Encoding: gzip", "TE: trailers"))
            self.assertEqual(client.read_response().trailers,
                             [("ETag", 'W/"q"'), ("X-Other", "kept")])

    def test_requests_decompressed(self):
        origin = self.origin()
        proxy = self.filtered(origin, {"decompress": {"requests": True, "responses": False}})
        response = self.ask(proxy, "/", "Content-Encoding: gzip", method="POST",
                            body=gzip.compress(PAGE))
        self.assertEqual(response.status, 200)
        self.assertEqual(origin.requests[0].body, PAGE)
        self.assertEqual(origin.requests[0].value("Content-Encoding"), None)

    def test_requests_that_are_not_what_they_say(self):
        proxy = self.filtered(self.origin(), {"decompress": {"requests": True}}, log=self.json_log())
        for number, body in enumerate((b"garbage", gzip.compress(PAGE)[:-5]), 1):
            response = self.ask(proxy, "/", "Content-Encoding: gzip", method="POST", body=body)
            self.assertEqual(response.status, 400)
            self.assertIn(b"The content is not what Content-Encoding says it is.", response.body)
            self.assertNotIn(b"acceptable", response.body)
            record = self.record(number)
            self.assertEqual((record["detail"], record["filter"]),
                             ("content-coding-broken", "decompress"))

    def test_what_cannot_be_decoded_is_cut(self):
        for body, options, why in (
                (PAGE, {}, "the content is not what Content-Encoding says"),
                (gzip.compress(PAGE), {"most": "50KB"}, "most or ratio"),
                (gzip.compress(bytes(8 << 20)), {"ratio": 100}, "most or ratio")):
            with self.subTest(why, **options):
                proxy = self.filtered(self.page("Content-Encoding: gzip", body=body),
                                      {"name": "plain", "decompress": options},
                                      log=self.json_log())
                client = self.client(proxy)
                client.send(request_bytes("/"))
                with self.assertRaises((Cut, OSError)):
                    client.read_response()
                self.assertEqual(self.record(1)["filter"], "plain")
                wait_until(lambda p=proxy, w=why: [line for line in p.log if
                                                   "filter plain: failed" in line and w in line],
                           "the failure in the log")

    def test_before_nginx(self):
        with Nginx("gzip on; gzip_types *; gzip_min_length 1; etag on;") as nginx:
            nginx.put("page.html", PAGE.decode())
            nginx.put("page.txt", PAGE.decode())
            proxy = self.filtered(nginx.address, {"decompress": {}}, {"substitute": {
                "types": ["text/plain", "text/html", "application/octet-stream"],
                "whole": True, "rules": [{"pattern": "page</p>", "with": "book</p>"}]}},
                {"compress": {"types": ["*/*"]}})
            wanted = PAGE.replace(b"page</p>", b"book</p>")
            url = f"http://{proxy.address}/page.html"
            self.assertEqual(self.curl(url), wanted)
            self.assertEqual(self.curl("--compressed", url), wanted)
            self.assertEqual(self.curl("--compressed", "-r", "0-9", url), wanted)
            first = self.ask(proxy, "/page.html", "Accept-Encoding: br")
            self.assertEqual(first.value("Content-Encoding"), "br")
            tag = first.value("ETag")
            self.assertTrue(tag.startswith("W/"), tag)
            again = self.ask(proxy, "/page.html", "Accept-Encoding: br", f"If-None-Match: {tag}")
            self.assertEqual(again.status, 304)
            self.assertEqual(again.value("ETag"), tag)


class WayTest(FilterTest):
    def test_rewritten_path_is_routed_anew(self):
        one, two = self.origin(response_bytes(b"one")), self.origin(response_bytes(b"two"))
        proxy = self.penstock({
            "listener": [{"address": "127.0.0.1:0", "mode": "reverse"}],
            "upstream.one": {"servers": [one.address]}, "upstream.two": {"servers": [two.address]},
            "route": [{"path": "/new", "to": "two"}, {"to": "one"}],
            "filter": [{"rewrite": {"pattern": "^/old/(.*)", "with": "/new/\\1"}},
                       {"at": "server",
                        "rewrite": {"pattern": "^/new/inner", "with": "/inner"}}]})
        self.assertEqual(self.ask(proxy, "/old/a?b").body, b"two")
        self.assertEqual(two.requests[0].target, "/new/a?b")
        self.assertEqual(self.ask(proxy, "/other").body, b"one")
        self.assertEqual(self.ask(proxy, "/old/inner/x").body, b"two")
        self.assertEqual(two.requests[1].target, "/inner/x")

    def test_another_host_of_a_forward_proxy(self):
        origin = self.origin()
        proxy = self.forward(filter=[{"rewrite": {
            "of": "url", "pattern": "^http://([a-z]+)\\.test/", "with": origin.url + "/\\1/"}}])
        self.assertEqual(self.ask(proxy, "http://www.test/x", host="www.test").status, 200)
        self.assertEqual(origin.requests[0].target, "/www/x")
        self.assertEqual(origin.requests[0].values("Host"), [origin.address])

    def test_redirects(self):
        origin = self.origin()
        proxy = self.filtered(
            origin,
            {"path": "/secure", "redirect": {"to": "https://${host}${path_and_query}",
                                             "status": 308}},
            {"redirect": {"pattern": "^http://[^/]+/blog(.*)", "to": "https://blog.test\\1"}},
            {"path": "/loop", "redirect": {"to": "/loop"}})
        response = self.ask(proxy, "/secure/a?b=%0d%0a", host="www.test:8080")
        self.assertEqual((response.status, response.value("Location")),
                         (308, "https://www.test/secure/a?b=%0d%0a"))
        for path, wanted in (("/blog/1", "/1"), ("/blog.evil.test", "/.evil.test"),
                             ("/blog@evil.test/", "/@evil.test/")):
            response = self.ask(proxy, path)
            self.assertEqual((response.status, response.value("Location")),
                             (302, "https://blog.test" + wanted))
        self.assertEqual(self.ask(proxy, "/loop").status, 200)


class PrivacyTest(FilterTest):
    def test_cookies(self):
        origin = self.origin(response_bytes(b"", "Set-Cookie: _ga=1", "Set-Cookie: sid=2; Path=/"))
        proxy = self.filtered(origin, {"cookies": {
            "remove": ["_ga*"], "remove_set": ["_ga*"], "http_only": True, "same_site": "lax"}})
        response = self.ask(proxy, "/", "Cookie: sid=1; _ga_x=2; b=3")
        self.assertEqual(origin.requests[0].values("Cookie"), ["sid=1; b=3"])
        self.assertEqual(response.values("Set-Cookie"), ["sid=2; Path=/; HttpOnly; SameSite=Lax"])

    def test_what_requests_tell(self):
        origin = self.origin(response_bytes(b"", "Set-Cookie: id=1"))
        proxy = self.forward(filter=[{"privacy": {"user_agent": "x/1",
                                                  "third_party_cookies": False}}])
        response = self.ask(proxy, origin.url + "/pixel", "Referer: http://news.test/secret",
                            "Cookie: id=1", "User-Agent: y", "X-Forwarded-For: 10.0.0.1",
                            host=origin.address)
        request = origin.requests[0]
        self.assertEqual(request.values("Referer"), ["http://news.test/"])
        self.assertEqual(request.values("User-Agent"), ["x/1"])
        self.assertEqual(request.values("DNT"), ["1"])
        self.assertEqual(request.values("Cookie") + request.values("X-Forwarded-For"), [])
        self.assertEqual(response.values("Set-Cookie"), [])


if __name__ == "__main__":
    unittest.main()
