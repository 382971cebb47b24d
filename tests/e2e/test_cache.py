"""The cache, as clients and servers see it."""

import gzip
import json
import os
import tempfile
import threading

from harness import ScenarioTest, wait_until
from wire import Cut, chunked, head_bytes, response_bytes

FRESH = ("Cache-Control: max-age=60", 'ETag: "v1"')
CACHE = {"memory": "64MiB"}


def numbered(*fields, **options):
    """Answers with a number that goes up, so that it is seen where a response comes from."""
    count = 0

    def answer(request, wire):
        nonlocal count
        count += 1
        return response_bytes(b"%d" % count, *fields, **options)

    return answer


class HitTest(ScenarioTest):
    def test_reverse(self):
        origin = self.origin(numbered(*FRESH))
        proxy = self.reverse(origin, cache=CACHE)
        first = self.ask(proxy, "/a")
        self.assertEqual((first.status, first.body), (200, b"1"))
        self.assertRegex(first.value("Cache-Status"),
                         r"\Apenstock-[0-9a-f]{8}; fwd=uri-miss; fwd-status=200; stored\Z")
        second = self.ask(proxy, "/a")
        self.assertEqual((second.status, second.body), (200, b"1"))
        self.assertRegex(second.value("Cache-Status"), r"; hit; ttl=(59|60)\Z")
        self.assertIn(second.value("Age"), ("0", "1"))
        self.assertEqual(second.value("ETag"), '"v1"')
        self.assertEqual(self.ask(proxy, "/b").body, b"2")
        self.assertEqual(self.ask(proxy, "/a", host="other.test").body, b"3")
        self.assertEqual(len(origin.requests), 3)

    def test_forward(self):
        origin = self.origin(numbered(*FRESH))
        proxy = self.forward(cache=CACHE)
        for _ in range(3):
            self.assertEqual(self.ask(proxy, origin.url + "/a").body, b"1")
        self.assertEqual(len(origin.requests), 1)

    def test_without_memory_there_is_none(self):
        origin = self.origin(numbered(*FRESH))
        proxy = self.reverse(origin)
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        response = self.ask(proxy, "/a")
        self.assertEqual(response.body, b"2")
        self.assertEqual(response.values("Cache-Status"), [])

    def test_on_one_connection_in_a_row(self):
        origin = self.origin(numbered(*FRESH))
        client = self.client(self.reverse(origin, cache=CACHE))
        for _ in range(5):
            self.assertEqual(client.request("/a").body, b"1")
        self.assertEqual(client.request("/a", method="HEAD").value("Content-Length"), "1")
        self.assertEqual(client.request("/b").body, b"2")

    def test_contents_of_all_sizes_and_framings(self):
        bodies = {f"/{size}{'c' if by_chunks else ''}": (os.urandom(size), by_chunks)
                  for size in (0, 1, 1024, 16_384, 70_000, 300_000, 3_000_000)
                  for by_chunks in (False, True)}

        def answer(request, wire):
            body, by_chunks = bodies[request.start.split()[1]]
            if by_chunks:
                return head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked",
                                  *FRESH) + chunked(body)
            return response_bytes(body, *FRESH)

        origin = self.origin(answer)
        proxy = self.reverse(origin, cache=CACHE)
        for turn in range(3):
            client = self.client(proxy)
            for path, (body, _) in bodies.items():
                with self.subTest(f"{path} {turn}"):
                    response = client.request(path)
                    self.assertEqual(response.body, body)
                    self.assertEqual("hit" in response.value("Cache-Status"), turn > 0)
        self.assertEqual(len(origin.requests), len(bodies))

    def test_old_clients_get_it_too(self):
        origin = self.origin(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked",
                                        *FRESH) + chunked(b"hello"))
        proxy = self.reverse(origin, cache=CACHE)
        for _ in range(2):
            self.assertEqual(self.ask(proxy, "/a", version="1.0").body, b"hello")
        self.assertEqual(len(origin.requests), 1)

    def test_content_that_ends_with_the_connection(self):
        def serve(wire):
            origin.requests.append(wire.read_request())
            wire.send(head_bytes("HTTP/1.1 200 OK", "Connection: close", *FRESH) + b"hello")

        origin = self.origin(serve=serve)
        proxy = self.reverse(origin, cache=CACHE)
        for _ in range(2):
            self.assertEqual(self.ask(proxy, "/a").body, b"hello")
        self.assertEqual(len(origin.requests), 1)

    def test_access_log(self):
        origin = self.origin(numbered(*FRESH))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "access.log")
            proxy = self.reverse(origin, cache=CACHE, log={"access": path})
            self.ask(proxy, "/a")
            self.ask(proxy, "/a")
            proxy.stop()
            with open(path, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        self.assertEqual([line["cache"] for line in lines], ["miss", "hit"])
        self.assertIn("server", lines[0])
        self.assertNotIn("server", lines[1])


class NotSharedTest(ScenarioTest):
    def check(self, *response, request=(), target="/a", status="200 OK", **cache):
        origin = self.origin(numbered(*response, status=status))
        proxy = self.reverse(origin, cache=CACHE | cache)
        self.assertEqual(self.ask(proxy, target, *request).body, b"1")
        answer = self.ask(proxy, target)
        self.assertEqual(answer.body, b"2")
        return answer

    def test_what_is_for_one(self):
        for why, response in (("private", "Cache-Control: private, max-age=60"),
                              ("no-store", "Cache-Control: no-store, max-age=60"),
                              ("set-cookie", "Set-Cookie: id=1")):
            with self.subTest(why):
                answer = self.check("Cache-Control: max-age=60", response)
                self.assertIn(f"detail={why}", answer.value("Cache-Status"))

    def test_with_a_login(self):
        self.check(*FRESH, request=("Authorization: Basic eDp5",))

    def test_unkeyed_input(self):
        for field in ("X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE", "X-Host: evil"):
            with self.subTest(field):
                self.check(*FRESH, request=(field,))

    def test_get_with_content(self):
        origin = self.origin(numbered(*FRESH))
        proxy = self.reverse(origin, cache=CACHE)
        self.assertEqual(self.ask(proxy, "/a", body=b"poison").body, b"1")
        self.assertEqual(self.ask(proxy, "/a").body, b"2")

    def test_content_that_breaks_off(self):
        def answer(request, wire):
            if len(origin.requests) > 1:
                return response_bytes(b"all of it", *FRESH)
            wire.send(head_bytes("HTTP/1.1 200 OK", "Content-Length: 9", *FRESH) + b"all")
            wire.close()
            return None

        origin = self.origin(answer)
        proxy = self.reverse(origin, cache=CACHE)
        with self.assertRaises(Cut):
            self.ask(proxy, "/a")
        self.assertEqual(self.ask(proxy, "/a").body, b"all of it")
        self.assertEqual(self.ask(proxy, "/a").body, b"all of it")
        self.assertEqual(len(origin.requests), 2)

    def test_rules(self):
        origin = self.origin(numbered("Cache-Control: private", "Set-Cookie: a=b"))
        proxy = self.reverse(origin, cache=CACHE, cache_rule=[
            {"path": "/never", "store": "never"},
            {"path": "/always", "store": "always", "lifetime": "1m", "set_cookie": "strip",
             "ignore_parameters": ["utm_*"], "key_fields": ["X-Device"]}])
        self.assertEqual(self.ask(proxy, "/always?utm_source=x").body, b"1")
        second = self.ask(proxy, "/always?utm_source=y")
        self.assertEqual((second.body, second.values("Set-Cookie")), (b"1", []))
        self.assertEqual(self.ask(proxy, "/always", "X-Device: phone").body, b"2")
        self.assertEqual(self.ask(proxy, "/never/x").body, b"3")
        self.assertEqual(self.ask(proxy, "/never/x").body, b"4")


class StaleTest(ScenarioTest):
    def test_validated(self):
        def answer(request, wire):
            if request.values("If-None-Match") == ['"v1"']:
                return head_bytes("HTTP/1.1 304 Not Modified", 'ETag: "v1"', "X-A: new",
                                  "Cache-Control: max-age=60")
            return response_bytes(b"hello", 'ETag: "v1"', "X-A: old", "Cache-Control: no-cache")

        origin = self.origin(answer)
        proxy = self.reverse(origin, cache=CACHE)
        self.assertEqual(self.ask(proxy, "/a").value("X-A"), "old")
        second = self.ask(proxy, "/a")
        self.assertEqual((second.status, second.body, second.value("X-A")), (200, b"hello", "new"))
        self.assertIn("; fwd=stale; fwd-status=304; stored; detail=no-cache",
                      second.value("Cache-Status"))
        third = self.ask(proxy, "/a", 'If-None-Match: "v1"')
        self.assertEqual((third.status, third.body), (304, b""))
        self.assertEqual(len(origin.requests), 2)

    def test_in_the_background(self):
        origin = self.origin(numbered(
            "Cache-Control: max-age=0, stale-while-revalidate=60"))
        proxy = self.reverse(origin, cache=CACHE)
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        stale = self.ask(proxy, "/a")
        self.assertEqual(stale.body, b"1")
        self.assertIn("; hit; ttl=", stale.value("Cache-Status"))
        wait_until(lambda: len(origin.requests) == 2, "the validation in the background")
        wait_until(lambda: self.ask(proxy, "/a").body != b"1", "the new response")

    def test_server_that_is_gone(self):
        origin = self.origin(numbered("Cache-Control: max-age=0, stale-if-error=60"))
        proxy = self.reverse(origin, cache=CACHE)
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        origin.stop()
        response = self.ask(proxy, "/a")
        self.assertEqual((response.status, response.body), (200, b"1"))
        self.assertEqual(self.ask(proxy, "/b").status, 502)

    def test_only_if_cached(self):
        proxy = self.reverse(self.origin(numbered(*FRESH)), cache=CACHE)
        self.assertEqual(self.ask(proxy, "/a", "Cache-Control: only-if-cached").status, 504)
        self.ask(proxy, "/a")
        self.assertEqual(self.ask(proxy, "/a", "Cache-Control: only-if-cached").status, 200)


class PurgeTest(ScenarioTest):
    def test_by_uri_and_by_tag(self):
        origin = self.origin(numbered(*FRESH, "Surrogate-Key: news sport"))
        proxy = self.reverse(origin, cache=CACHE | {"purge_from": ["127.0.0.1"]})
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        answer = self.ask(proxy, "/a", method="PURGE")
        self.assertEqual((answer.status, answer.body), (200, b"purged http://example.test/a\n"))
        self.assertEqual(self.ask(proxy, "/a").body, b"2")
        self.assertEqual(self.ask(proxy, "/b", method="PURGE").status, 200)
        self.assertEqual(self.ask(proxy, "/a").body, b"2")
        self.assertEqual(self.ask(proxy, "/", "Surrogate-Key: sport", method="PURGE").status, 200)
        self.assertEqual(self.ask(proxy, "/a").body, b"3")

    def test_soft(self):
        origin = self.origin(numbered(
            "Cache-Control: max-age=60, stale-if-error=60"))
        proxy = self.reverse(origin, cache=CACHE | {"purge_from": ["127.0.0.1"]})
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        self.ask(proxy, "/a", "Soft-Purge: 1", method="PURGE")
        self.assertEqual(self.ask(proxy, "/a").body, b"2")
        self.ask(proxy, "/a", "Soft-Purge: 1", method="PURGE")
        origin.stop()
        self.assertEqual(self.ask(proxy, "/a").body, b"2")

    def test_not_from_everywhere(self):
        origin = self.origin(numbered(*FRESH))
        proxy = self.reverse(origin, cache=CACHE | {"purge_from": ["192.0.2.1"]})
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        self.assertEqual(self.ask(proxy, "/a", method="PURGE").status, 403)
        self.assertEqual(self.ask(proxy, "/a").body, b"1")
        # Where nobody may, it is the server's.
        proxy = self.reverse(origin, cache=CACHE)
        self.assertEqual(self.ask(proxy, "/a", method="PURGE").body, b"2")


class CollapseTest(ScenarioTest):
    def setUp(self):
        self.go = threading.Event()
        self.addCleanup(self.go.set)

    def slow(self, body=b"hello", *fields):
        """The head comes at once, the second half of the content when the test says."""
        fields = fields or FRESH

        def answer(request, wire):
            half = len(body) // 2
            wire.send(response_bytes(body, *fields)[:-(len(body) - half)])
            self.go.wait(10)
            wire.send(body[half:])

        return self.origin(answer)

    def test_one_request_for_all_workers(self):
        body = os.urandom(200_000)
        origin = self.slow(body)
        proxy = self.penstock({
            "workers": {"count": 2}, "cache": CACHE,
            "listener": [{"address": "127.0.0.1:0", "mode": "reverse"}],
            "upstream.app": {"servers": [origin.address]}})
        answers = []
        threads = [self.alongside(lambda: answers.append(self.ask(proxy, "/a").body))
                   for _ in range(20)]
        wait_until(lambda: origin.requests, "the request")
        self.go.set()
        for thread in threads:
            thread.join(10)
        self.assertEqual(answers, [body] * 20)
        self.assertEqual(len(origin.requests), 1)

    def test_the_first_client_leaves(self):
        body = os.urandom(20_000)
        origin = self.slow(body)
        proxy = self.reverse(origin, cache=CACHE)
        first = self.client(proxy)
        first.send(b"GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n")
        wait_until(lambda: origin.requests, "the request")
        first.break_off()
        self.go.set()
        wait_until(lambda: "hit" in self.ask(proxy, "/a").value("Cache-Status"), "the hit")
        self.assertEqual(self.ask(proxy, "/a").body, body)
        self.assertEqual(len(origin.requests), 1)

    def test_slow_first_client_holds_nobody_up(self):
        body = os.urandom(4_000_000)
        origin = self.origin(response_bytes(body, *FRESH))
        proxy = self.reverse(origin, cache=CACHE)
        slow = self.client(proxy, receive_buffer=4096)
        slow.send(b"GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n")
        wait_until(lambda: origin.requests, "the request")
        self.assertEqual(self.ask(proxy, "/a").body, body)
        self.assertEqual(slow.read_response().body, body)
        self.assertEqual(len(origin.requests), 1)

    def test_private_ones_go_alone(self):
        together = threading.Barrier(5, timeout=10)

        def answer(request, wire):
            if len(origin.requests) == 1:
                self.go.wait(10)
            else:
                together.wait()
            return response_bytes(request.value("X-Client").encode(), "Cache-Control: private")

        origin = self.origin(answer)
        proxy = self.reverse(origin, cache=CACHE)
        answers = []
        threads = [self.alongside(lambda name=name: answers.append(
            (name, self.ask(proxy, "/a", f"X-Client: {name}").body))) for name in "abcdef"]
        wait_until(lambda: origin.requests, "the request")
        self.go.set()
        for thread in threads:
            thread.join(10)
        self.assertEqual(sorted(answers), [(name, name.encode()) for name in "abcdef"])
        self.assertEqual(len(origin.requests), 6)


class CodingTest(ScenarioTest):
    """Compression before the cache, and behind it."""

    TEXT = b"to be compressed " * 200
    FIELDS = ("Content-Type: text/plain", *FRESH)

    def check(self, at):
        origin = self.origin(response_bytes(self.TEXT, *self.FIELDS))
        proxy = self.reverse(origin, cache=CACHE, filter=[{"at": at, "compress": {}}])
        for _ in range(2):
            packed = self.ask(proxy, "/a", "Accept-Encoding: gzip")
            self.assertEqual(packed.value("Content-Encoding"), "gzip")
            self.assertEqual(gzip.decompress(packed.body), self.TEXT)
            self.assertIn("accept-encoding", packed.value("Vary").lower())
            plain = self.ask(proxy, "/a")
            self.assertEqual((plain.values("Content-Encoding"), plain.body), ([], self.TEXT))
            self.assertNotEqual(packed.value("ETag"), plain.value("ETag"))
        tag = packed.value("ETag")
        self.assertEqual(self.ask(proxy, "/a", "Accept-Encoding: gzip",
                                  f"If-None-Match: {tag}").status, 304)
        return len(origin.requests)

    def test_behind_the_cache(self):
        self.assertEqual(self.check("client"), 1)

    def test_before_the_cache(self):
        self.assertEqual(self.check("server"), 2)
