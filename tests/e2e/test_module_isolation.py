"""What modules may rely on wherever they run: order, state, content."""

import hashlib
import os
import threading
import unittest

from harness import wait_until
from steered import EarlyOrigin, SteeredTest, do
from wire import chunk, chunked, head_bytes, request_bytes, response_bytes

ONE_TRANSACTION = ["request_head", "request_body", "request_complete", "response_head",
                   "response_body", "response_complete", "logged", "free"]
PLAIN = [name for name in ONE_TRANSACTION if name != "request_body"]

# What steered.c tries to set, in its order, and what comes of it.
OK, NOT_NOW, INVALID = 0, -3, -4
TRIED = [("host", "a b:x"), ("path", "no/slash"), ("path", "/new?q"), ("host", "other.test:81"),
         ("method", "NO WAY"), ("method", "PUT"), ("reason", "Fine"), ("reason", "a\nb"),
         ("status", 199), ("status", 204), ("status", 304), ("status", 600), ("status", 201)]


def outcome(*results):
    return [(what, to, result) for (what, to), result in zip(TRIED, results, strict=True)]


NOT_ANY_MORE = outcome(*[NOT_NOW] * 13)
OF_REQUESTS = outcome(INVALID, INVALID, OK, OK, INVALID, OK, *[NOT_NOW] * 7)
OF_RESPONSES = outcome(*[NOT_NOW] * 6, OK, INVALID, INVALID, INVALID, INVALID, INVALID, OK)
URLS = (["http://example.test/old"] * 2 + ["http://example.test/new?q"]
        + ["http://other.test:81/new?q"] * 10)


class Everywhere:
    """For each isolation."""

    def talk(self, proxy, count, **options):
        """A client with so many requests, one after the other; what was answered."""
        client = self.client(proxy)
        answers = [client.request("/", do(**options["orders"]), method="POST", body=b"x")
                   for _ in range(count)]
        client.close()
        options["answers"].extend(answer.body for answer in answers)

    def talks(self, proxy, clients, count, orders):
        answers = []
        threads = [self.alongside(lambda: self.talk(proxy, count, orders=orders, answers=answers))
                   for _ in range(clients)]
        for thread in threads:
            thread.join(20)
        return answers

    # -- State ------------------------------------------------------------------------------------

    def test_one_instance_in_filters_of_both_sides(self):
        origin = self.origin()
        proxy = self.steered(origin, filters=[{"name": "a"}, {"name": "b", "at": "server"}])
        answers = self.talks(proxy, 6, 10, {"request_head": "changed", "request_complete": "add",
                                            "response_head": "changed", "response_complete": "add"})
        self.assertEqual(answers, [b"hello++"] * 60)
        self.assertEqual([request.body for request in origin.requests], [b"x++"] * 60)
        freed = [call["opaque"] for call in self.wait_for("free", 120)]
        self.assertEqual(len(set(freed)), 120)
        for number in freed:
            self.assertEqual(self.names(opaque=number), ONE_TRANSACTION)
        of = {}
        for call in self.happened("free"):
            of.setdefault(call["transaction"], []).append(call["opaque"])
        self.assertEqual({len(opaques) for opaques in of.values()}, {2})
        self.assert_nothing_bad()

    def test_one_instance_in_two_filters_by_path(self):
        proxy = self.steered(self.origin(), filters=[{"path": "/a"}, {"path": ["/a/b", "/c"]}])
        client = self.client(proxy)
        order = do(response_head="changed", response_complete="add")
        for target, body in (("/a", b"hello+"), ("/a/b", b"hello++"), ("/c", b"hello+"),
                             ("/d", b"hello")):
            self.assertEqual(client.request(target, order).body, body)
        freed = [call["opaque"] for call in self.wait_for("free", 4)]
        self.assertEqual(len(set(freed)), 4)
        for number in freed:
            self.assertEqual(self.names(opaque=number), PLAIN)
        self.assert_nothing_bad()

    def test_connections_end_after_their_transactions(self):
        proxy = self.steered(self.origin(), module={} if self.isolation == "inline"
                             else {"threads": 4})
        self.talks(proxy, 10, 10, {"logged": "nap"})
        ends = self.wait_for("connection_free", 10)
        self.assertEqual({call["transactions"] for call in ends}, {0})
        begun = {call["connection"] for call in self.happened("connection")}
        self.assertEqual({call["connection"] for call in ends}, begun)
        self.assertEqual(len(begun), 10)
        freed = self.happened("free")
        self.assertEqual({call["connection"] for call in freed}, begun)
        self.assertEqual(len({call["opaque"] for call in freed}), 100)
        self.assert_nothing_bad()

    def test_ids_of_transactions_do_not_come_again(self):
        proxy = self.steered(self.origin(), proxy={"workers": {"count": 2}})
        kept = self.client(proxy)
        for turn in range(3):
            for _ in range(4):
                kept.request("/")
                self.ask(proxy, "/")
            self.wait_for("free", 8 * (turn + 1))
            self.reload(proxy)
        ids = [call["transaction"] for call in self.happened("request_head")]
        self.assertEqual((len(ids), len(set(ids))), (24, 24))
        self.assertNotIn(0, ids)

    # -- Content ----------------------------------------------------------------------------------

    def test_much_content_that_is_held(self):
        content = os.urandom(1 << 20) * 20
        origin = self.origin(response_bytes(content))
        proxy = self.steered(origin, module={"hold_limit": "64MiB"})
        answer = self.ask(proxy, "/", do(
            request_head="changed", request_body="keep", request_complete="emit",
            response_head="changed", response_body="keep", response_complete="emit"),
            method="POST", body=content)
        digests = [hashlib.sha256(body).hexdigest()
                   for body in (content, origin.requests[0].body, answer.body)]
        self.assertEqual(len(answer.body), len(content))
        self.assertEqual(len(set(digests)), 1)
        self.assert_nothing_bad()

    def test_the_limit_of_bodies_is_one_of_what_clients_send(self):
        origin = self.origin()
        proxy = self.steered(origin, proxy={"limits": {"body": "10B"}})
        for orders in ({}, {"request_body": "tell"},
                       {"request_head": "changed", "request_body": "drop"},
                       {"request_head": "hold", "request_body": "drop"},
                       {"request_head": "hold", "request_body": "keep"},
                       {"request_head": "hold", "request_body": "drop",
                        "request_complete": "answer"}):
            with self.subTest(orders):
                client = self.client(proxy)
                client.send(head_bytes("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked",
                                       do(**orders)) + chunk(b"12345") + chunk(b"67890"))
                client.send(chunk(b"z"))  # The end never comes.
                self.assertEqual(client.read_response("POST").status, 413)
        self.assertEqual(origin.requests, [])
        for orders in ({}, {"request_head": "changed"}, {"request_head": "hold"}):
            client = self.client(proxy)
            client.send(request_bytes("/", do(**orders), "Transfer-Encoding: chunked",
                                      method="POST") + chunked(b"1234567890", 3))
            self.assertEqual(client.read_response("POST").status, 200)
            self.assertEqual(origin.requests[-1].body, b"1234567890")
        # What a module adds does not count.
        client = self.client(proxy)
        client.send(request_bytes("/", do(request_head="changed", request_complete="add"),
                                  "Transfer-Encoding: chunked", method="POST")
                    + chunked(b"1234567890", 3))
        self.assertEqual(client.read_response("POST").status, 200)
        self.assertGreater(len(origin.requests[-1].body), 10)

    # -- What is known ----------------------------------------------------------------------------

    def test_a_response_is_known_without_a_callback_for_its_head(self):
        origin = self.origin(response_bytes(b"hi", "Content-Type: text/x", status="201 Created"))
        proxy = self.steered(origin, "-DNO_RESPONSE_HEAD")
        self.ask(proxy, "/", do(response_body="tell", response_complete="tell", logged="tell"))
        self.assertEqual(self.wait_for("tell", 3), [
            {"event": "tell", "in": event, "type": "text/x", "status": 201,
             "server": origin.address}
            for event in ("response_body", "response_complete", "logged")])

    def test_what_can_be_set(self):
        """The same everywhere, and known at once to who reads it again."""
        origin = self.origin()
        proxy = self.steered(origin)
        for orders, expected in (
                ({"request_head": "set"}, OF_REQUESTS),
                ({"request_head": "hold", "request_body": "set and drop"}, OF_REQUESTS),
                ({"request_head": "hold", "request_body": "drop", "request_complete": "set"},
                 OF_REQUESTS),
                ({"request_head": "changed", "request_complete": "set"}, NOT_ANY_MORE),
                ({"response_head": "set"}, OF_RESPONSES),
                ({"response_head": "hold", "response_body": "set and drop"}, OF_RESPONSES),
                ({"response_head": "hold", "response_body": "drop", "response_complete": "set"},
                 OF_RESPONSES),
                ({"response_head": "changed", "response_complete": "set"}, NOT_ANY_MORE)):
            with self.subTest(orders):
                if os.path.exists(self.calls):
                    os.truncate(self.calls, 0)
                answer = self.ask(proxy, "/old", do(**orders), method="POST", body=b"x")
                request = origin.requests[-1]
                calls = self.wait_for("set")
                self.assertEqual([(call["what"], call["to"], call["result"]) for call in calls],
                                 expected)
                self.assertEqual(answer.status, 201 if expected is OF_RESPONSES else 200)
                changed = expected is OF_REQUESTS
                self.assertEqual((request.start, request.value("Host")), (
                    "PUT /new?q HTTP/1.1" if changed else "POST /old HTTP/1.1",
                    "other.test:81" if changed else "example.test"))
                for call in calls:
                    if call["result"] == 0:
                        self.assertEqual(call["now"], call["to"])
                if changed:
                    self.assertEqual([call["url"] for call in calls], URLS)

    # -- Ends -------------------------------------------------------------------------------------

    def test_done_in_one_direction_ends_waiting_in_the_other(self):
        for first, second in (("request_body", "response_head"), ("response_body", "request_body")):
            with self.subTest(waiting=first):
                self.check_done(first, second)

    def check_done(self, waiting, done):
        if os.path.exists(self.calls):
            os.remove(self.calls)
        go = threading.Event()
        self.addCleanup(go.set)
        who = self.origin(lambda request, wire: go.wait(20) and response_bytes())
        early = EarlyOrigin(self, begin=waiting == "response_body")
        proxy = self.steered(early.origin, config={"ask": who.url})
        client = self.client(proxy)
        client.send(request_bytes("/", do(**{waiting: "ask", done: "done"}),
                                  "Content-Length: 5", method="POST"))
        if waiting == "request_body":
            client.send(b"1234")
            wait_until(lambda: who.requests, "the question")
            early.begin.set()
        else:
            wait_until(lambda: who.requests, "the question")
            client.send(b"1234")
        self.wait_for(done)
        go.set()
        client.send(b"5")
        answer = client.read_response("POST")
        self.assertEqual((answer.status, answer.body), (200, b"onetwo"))
        self.assertEqual(early.contents, [b"12345"])
        self.wait_for("free")
        expected = {"request_body": ["request_head", "request_body", "response_head", "free"],
                    "response_body": ["request_head", "response_head", "response_body",
                                      "request_body", "free"]}[waiting]
        self.assertEqual([call["event"] for call in self.happened()
                          if call.get("opaque")], expected)
        self.assert_nothing_bad()


class InlineTest(Everywhere, SteeredTest):
    isolation = "inline"


class ThreadTest(Everywhere, SteeredTest):
    isolation = "thread"


class ProcessTest(Everywhere, SteeredTest):
    isolation = "process"


if __name__ == "__main__":
    unittest.main()
