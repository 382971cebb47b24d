"""Servers that are ill: found out by checks and by what becomes of requests, left alone, asked
again, and no failure that a client need see."""

import collections
import threading
import time
import unittest

from doubles import DoublesTest, HealthOrigin
from harness import Client, wait_until
from wire import Cut, head_bytes, response_bytes

NEVER = {"failures": 0}


class HealthTest(DoublesTest):
    def servers(self, count):
        return [self.double(HealthOrigin(f"s{n}")) for n in range(count)]

    def group(self, servers, sections=None, **options):
        entries = [getattr(server, "address", server) for server in servers]
        return self.reverse(**{"upstream.app": {"servers": entries} | options} | (sections or {}))

    def names(self, client, count, **options):
        responses = [client.request("/", **options) for _ in range(count)]
        self.assertEqual([r.raw_head for r in responses if r.status != 200], [])
        return collections.Counter(r.value("X-Origin") for r in responses)

    def wait_for(self, proxy, words, times=1):
        wait_until(lambda: sum(words in line for line in list(proxy.log)) >= times,
                   f"{times} times {words!r}")

    def check_refused(self, response, status, error):
        self.assertEqual(response.status, status)
        self.assertIn(f"error={error}", response.value("Proxy-Status"))


class CheckTest(HealthTest):
    def checked(self, servers, sections=None, **check):
        check = {"type": "http", "path": "/health", "interval": "20ms", "timeout": "1s", "rise": 2,
                 "fall": 2} | check
        return self.group(servers, sections, check=check, ejection=NEVER)

    def test_out_and_back(self):
        servers = self.servers(2)
        proxy = self.checked(servers)
        client = self.client(proxy)
        self.assertEqual(set(self.names(client, 6)), {"s0", "s1"})
        servers[0].behave("/health", status="503 Sick")
        self.wait_for(proxy, f"{servers[0].address} is out of service")
        self.assertEqual(self.names(client, 6), {"s1": 6})
        before = servers[0].count("/")
        servers[0].recover()
        self.wait_for(proxy, f"{servers[0].address} is back in service")
        self.assertEqual(set(self.names(client, 6)), {"s0", "s1"})
        self.assertEqual(servers[0].count("/"), before + 3)

    def test_all_are_down(self):
        servers = self.servers(2)
        proxy = self.checked(servers, {"workers": {"count": 2}})
        for server in servers:
            server.behave("/health", then="close")
        self.wait_for(proxy, "out of service", 2)
        for _ in range(4):  # on either worker
            self.check_refused(self.ask(proxy, "/"), 503, "destination_unavailable")
        servers[1].recover()
        self.wait_for(proxy, "back in service")
        for _ in range(4):
            self.assertEqual(self.ask(proxy, "/").value("X-Origin"), "s1")

    def test_fall_and_rise(self):
        server, = self.servers(1)
        proxy = self.checked([server], fall=4, rise=3)
        server.behave("/health", status="500 Sick")
        self.wait_for(proxy, "out of service")
        bad = sum(r.target == "/health" for r in server.requests)
        self.assertGreaterEqual(bad, 4)
        server.recover()
        at = server.count("/health")
        self.wait_for(proxy, "back in service")
        self.assertGreaterEqual(server.count("/health") - at, 2)  # one may be under way

    def test_status_and_body(self):
        cases = (({"status": [200]}, {"status": "204 No Content", "body": b""}, False),
                 ({"status": [204]}, {"status": "204 No Content", "body": b""}, True),
                 ({}, {"status": "301 Moved"}, True),
                 ({}, {"status": "404 Gone"}, False),
                 ({"body": "all well"}, {"body": b"x" * 30_000 + b"all well."}, True),
                 ({"body": "all well"}, {"body": b"all ill"}, False),
                 ({"method": "HEAD"}, {"status": "200 OK", "body": b""}, True))
        for check, behaviour, good in cases:
            with self.subTest(check=check, behaviour=behaviour):
                servers = self.servers(1)
                servers[0].behave("/health", **behaviour)
                proxy = self.checked(servers, fall=1, rise=1, **check)
                wait_until(lambda s=servers: s[0].count("/health") >= 3, "three checks")
                if good:
                    self.assertFalse(any("out of service" in line for line in proxy.log))
                else:
                    self.wait_for(proxy, "out of service")

    def test_what_is_asked(self):
        server, = self.servers(1)
        self.checked([server], method="HEAD", path="/up?full=1", host="in.test")
        wait_until(lambda: server.count("/up") > 1, "the check")
        request = server.requests[0]
        self.assertEqual(request.start, "HEAD /up?full=1 HTTP/1.1")
        self.assertEqual(request.values("Host"), ["in.test"])

    def test_checks_that_hang(self):
        server, = self.servers(1)
        server.behave("/health", then="hang")
        proxy = self.checked([server], timeout="50ms", fall=1)
        self.wait_for(proxy, "out of service")
        server.recover()
        self.wait_for(proxy, "back in service")

    def test_tcp(self):
        servers = self.servers(2)
        proxy = self.checked(servers, type="tcp")
        client = self.client(proxy)
        servers[0].refuse_connections()
        self.wait_for(proxy, f"{servers[0].address} is out of service")
        self.assertEqual(self.names(client, 6), {"s1": 6})
        servers[0].accept_connections()
        self.wait_for(proxy, f"{servers[0].address} is back in service")
        self.assertEqual(set(self.names(client, 6)), {"s0", "s1"})
        self.assertEqual(servers[0].count("/health"), 0)

    def test_slow_start(self):
        servers = self.servers(2)
        proxy = self.group(servers, check={"type": "tcp", "interval": "20ms", "rise": 1, "fall": 1},
                           slow_start="1h", ejection=NEVER)
        client = self.client(proxy)
        self.assertEqual(self.names(client, 20), {"s0": 10, "s1": 10})  # not after the start
        servers[0].refuse_connections()
        self.wait_for(proxy, "out of service")
        servers[0].accept_connections()
        self.wait_for(proxy, "back in service")
        counts = self.names(client, 60)
        self.assertLessEqual(counts["s0"], 15)
        self.assertGreater(counts["s0"], 0)


class EjectionTest(HealthTest):
    def test_refused_and_reset(self):
        for how in ("refuse", "reset"):
            with self.subTest(how):
                servers = self.servers(2)
                proxy = self.group(servers, ejection={"failures": 3, "time": "1m"})
                client = self.client(proxy)
                if how == "refuse":
                    servers[0].refuse_connections()
                else:
                    servers[0].behave(then="reset")
                self.assertEqual(self.names(client, 30), {"s1": 30})
                self.wait_for(proxy, f"{servers[0].address} is left alone")
                if how == "reset":
                    self.assertEqual(servers[0].count(), 3)

    def test_error_responses(self):
        servers = self.servers(2)
        servers[0].behave(status="500 Sick")
        proxy = self.group(servers, ejection={"responses": 4, "time": "1m"})
        client = self.client(proxy)
        got = collections.Counter(client.request("/").status for _ in range(30))
        self.assertEqual(got, {500: 4, 200: 26})

    def test_a_good_response_between_errors_counts(self):
        servers = self.servers(2)
        proxy = self.group(servers, ejection={"responses": 2, "time": "1m"})
        servers[0].behave("/bad", status="500 Sick")
        client = self.client(proxy)
        for _ in range(6):
            for path in ("/bad", "/bad", "/good", "/good"):
                client.request(path)
        self.assertEqual(servers[0].count(), 12)

    def test_at_most_half(self):
        servers = self.servers(4)
        for server in servers:
            server.behave(status="500 Sick")
        proxy = self.group(servers, ejection={"responses": 1, "time": "1m"})
        client = self.client(proxy)
        for _ in range(20):
            self.assertEqual(client.request("/").status, 500)
        self.wait_for(proxy, "left alone", times=2)
        self.assertEqual(sum("left alone" in line for line in proxy.log), 2, proxy.log)
        self.assertEqual(sorted(server.count() for server in servers)[:2], [1, 1])

    def test_back_after_a_while(self):
        servers = self.servers(2)
        servers[0].behave(status="500 Sick")
        proxy = self.group(servers, ejection={"responses": 1, "time": "100ms"})
        client = self.client(proxy)
        wait_until(lambda: client.request("/").status == 500, "the sick one")
        self.assertEqual(self.names(client, 4), {"s1": 4})
        servers[0].recover()
        wait_until(lambda: client.request("/").value("X-Origin") == "s0", "it to be back")

    def test_workers_share_what_they_know(self):
        servers = self.servers(2)
        servers[0].behave(status="500 Sick")
        proxy = self.group(servers, {"workers": {"count": 2}},
                           ejection={"responses": 1, "time": "1m"})
        statuses = [self.ask(proxy, "/").status for _ in range(30)]
        self.assertEqual(statuses.count(500), 1)


class RetryTest(HealthTest):
    def test_no_request_fails_when_one_server_refuses(self):
        servers = self.servers(2)
        proxy = self.group(servers, {"workers": {"count": 2}})
        statuses = []

        def work():
            client = Client(proxy.address)
            for _ in range(50):
                # Not POST: a connection that ends unaccepted is reset when the request was sent.
                statuses.append(client.request("/").status)
            client.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(statuses) > 50, "some requests")
        servers[0].behave(fields=("Connection: close",))
        servers[0].refuse_connections()
        for thread in threads:
            thread.join()
        self.assertEqual(collections.Counter(statuses), {200: 400})
        self.assertGreater(servers[1].count(), 200)

    def test_first_of_many_refuse(self):
        servers = self.servers(3)
        for server in servers[:2]:
            server.refuse_connections()
        client = self.client(self.group(servers, ejection=NEVER))
        for method in ("GET", "POST"):
            self.assertEqual(self.names(client, 6, method=method, body=b"x"), {"s2": 6})

    def test_on_status(self):
        servers = self.servers(2)
        servers[0].behave(status="503 Sick")
        client = self.client(self.group(servers, retry={"on": [503], "budget": 1000}))
        self.assertEqual(self.names(client, 8), {"s1": 8})
        self.assertEqual(self.names(client, 4, method="PUT", body=b"x" * 1000), {"s1": 4})
        self.assertEqual({len(r.body) for r in servers[1].requests}, {0, 1000})
        # A POST may have done something.
        statuses = [client.request("/", method="POST", body=b"x").status for _ in range(4)]
        self.assertEqual(sorted(statuses), [200, 200, 503, 503])

    def test_last_answer_is_handed_on(self):
        servers = self.servers(2)
        for server in servers:
            server.behave(status="503 Sick", body=b"sorry")
        response = self.ask(self.group(servers, retry={"on": [503], "count": 3}), "/")
        self.assertEqual((response.status, response.body), (503, b"sorry"))
        self.assertEqual(sum(server.count() for server in servers), 4)

    def test_on_timeout(self):
        servers = self.servers(2)
        servers[0].behave(then="hang")
        sections = {"timeouts": {"stall": "100ms"}}
        client = self.client(self.group(servers, sections, retry={"on": ["timeout"]},
                                        ejection=NEVER))
        self.assertEqual(self.names(client, 4), {"s1": 4})
        responses = [client.request("/", method="POST", body=b"x") for _ in range(2)]
        self.assertEqual(sorted(r.status for r in responses), [200, 504])

    def test_closed_before_a_response(self):
        servers = self.servers(2)
        servers[0].behave(then="close")
        client = self.client(self.group(servers, ejection=NEVER))
        self.assertEqual(self.names(client, 6), {"s1": 6})
        self.assertEqual(self.names(client, 4, method="PUT", body=b"x"), {"s1": 4})

    def test_a_post_is_sent_once(self):
        servers = self.servers(2)
        for how in ("close", "reset", "cut"):
            with self.subTest(how):
                servers[0].behave(then=how)
                proxy = self.group(servers, ejection=NEVER,
                                   retry={"on": ["connect", "closed", "timeout", 502]})
                before = [server.count() for server in servers]
                statuses = []
                for _ in range(6):
                    try:
                        response = self.ask(proxy, "/", method="POST", body=b"x" * 500)
                        statuses.append(response.status)
                    except Cut:
                        statuses.append("cut")
                counts = [s.count() - b for s, b in zip(servers, before)]
                self.assertEqual(counts, [3, 3], statuses)
                self.assertEqual(statuses.count(200), 3)

    def test_body_that_is_too_large_to_be_kept(self):
        servers = self.servers(2)
        servers[0].behave(status="503 Sick")
        client = self.client(self.group(servers, retry={"on": [503], "body": "1KiB"}))
        statuses = [client.request("/", method="PUT", body=b"x" * 50_000).status for _ in range(4)]
        self.assertEqual(sorted(statuses), [200, 200, 503, 503])
        statuses = [client.request("/", method="PUT", body=b"x" * 1024).status for _ in range(4)]
        self.assertEqual(statuses, [200] * 4)

    def test_budget(self):
        """When everything fails, the servers do not get a multiple of the requests."""
        servers = self.servers(2)
        for server in servers:
            server.behave(status="503 Sick")
        client = self.client(self.group(servers, retry={"on": [503], "budget": 20}))
        begin = time.monotonic()
        for _ in range(100):
            self.assertEqual(client.request("/").status, 503)
        seconds = time.monotonic() - begin
        sent = sum(server.count() for server in servers)
        self.assertGreater(sent, 100)
        self.assertLessEqual(sent, 100 + 25 + 5 * (seconds + 2), seconds)

    def test_no_retries(self):
        servers = self.servers(2)
        servers[0].behave(then="close")
        client = self.client(self.group(servers, retry={"count": 0}, ejection=NEVER))
        statuses = [client.request("/").status for _ in range(6)]
        self.assertEqual(sorted(statuses), [200] * 3 + [502] * 3)

    def test_interim_responses_end_it(self):
        """The client has seen something of an answer: another one may not follow."""
        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 103 Early Hints", "Link: </a>"))
            raise Cut("close")

        origin = self.origin(answer)
        good = self.origin(response_bytes(b"good"))
        client = self.client(self.group([origin, good], ejection=NEVER))
        statuses = [client.request("/").status for _ in range(6)]
        self.assertEqual(sorted(statuses), [200] * 3 + [502] * 3)


class HedgeTest(HealthTest):
    def test_the_tail_is_cut(self):
        """One server in three stalls now and then; nobody waits for it."""
        servers = self.servers(3)
        proxy = self.group(servers, hedge={"percentile": 90, "least": "10ms"},
                           retry={"budget": 100})
        client = self.client(proxy)
        begin = time.monotonic()
        # The percentile is worked out a few times a second.
        wait_until(lambda: self.names(client, 50) and time.monotonic() - begin > 0.3)
        servers[0].behave(delay=1.0)
        begin = time.monotonic()
        self.names(client, 9)
        self.assertLess(time.monotonic() - begin, 1.0)
        self.assertGreater(servers[0].count(), 50)

    def test_not_for_what_may_do_something(self):
        servers = self.servers(2)
        client = self.client(self.group(servers, hedge={"percentile": 50, "least": "1ms"},
                                        retry={"budget": 1000}))
        self.names(client, 100)
        for server in servers:
            server.behave(delay=0.05)
        before = sum(server.count() for server in servers)
        for _ in range(4):
            client.request("/", method="POST", body=b"x")
            client.request("/", method="DELETE")
        self.assertEqual(sum(server.count() for server in servers) - before, 8)

    def test_both_answers_are_whole(self):
        """Whichever comes first, it is one response, and the connection goes on."""
        servers = self.servers(2)
        for server in servers:
            server.behave(body=server.name.encode() * 20_000)
        client = self.client(self.group(servers, hedge={"percentile": 50, "least": "1ms"},
                                        retry={"budget": 1000}))
        for turn in range(200):
            if turn == 100:
                for server in servers:
                    server.behave(delay=0.003)
            response = client.request("/")
            self.assertEqual(response.body, response.value("X-Origin").encode() * 20_000)


if __name__ == "__main__":
    unittest.main()
