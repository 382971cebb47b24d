"""Which server of a group gets a request, over which connection, and how many at a time."""

import collections
import threading
import time
import unittest

from doubles import DoublesTest, HealthOrigin
from harness import Client, wait_until
from wire import Cut, request_bytes, response_bytes


class Counted(HealthOrigin):
    """Knows how many requests it has at a time, and holds them while the gate is closed."""

    def __init__(self, name="origin"):
        self.gate = threading.Event()
        self.gate.set()
        self.now = self.most = 0
        super().__init__(name)

    def respond(self, request, wire):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            self.gate.wait(20)
            return super().respond(request, wire)
        finally:
            with self.lock:
                self.now -= 1

    def stop(self):
        self.gate.set()
        super().stop()


class BalancingTest(DoublesTest):
    def servers(self, count):
        return [self.double(Counted(f"s{n}")) for n in range(count)]

    def group(self, servers, sections=None, **options):
        entries = [getattr(server, "address", server) for server in servers]
        return self.reverse(**{"upstream.app": {"servers": entries} | options} | (sections or {}))

    def entry(self, server, **options):
        return {"address": server.address} | options

    def names(self, client, count, target="/", *fields):
        return [self.name(client, target, *fields) for _ in range(count)]

    def name(self, client, target="/", *fields):
        response = client.request(target, *fields)
        self.assertEqual(response.status, 200, response.raw_head)
        return response.value("X-Origin")

    def end(self, server):
        """Nobody is there any more."""
        server.refuse_connections()
        for wire in server.connections:
            wire.break_off()

    def at_once(self, proxy, count, target="/", *fields):
        """So many clients with a request each; their responses in a list that fills, threads."""
        responses = []

        def ask():
            try:
                client = Client(proxy.address)
                responses.append(client.request(target, *fields))
                client.close()
            except (Cut, OSError) as error:
                responses.append(error)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return responses, threads

    def check_refused(self, response, status, error, detail=""):
        self.assertEqual(response.status, status)
        self.assertIn(f"error={error}", response.value("Proxy-Status"))
        self.assertIn(detail, response.value("Proxy-Status"))


class AlgorithmTest(BalancingTest):
    def test_round_robin_with_weights(self):
        a, b, c = self.servers(3)
        client = self.client(self.group([self.entry(a, weight=5), self.entry(b, weight=2), c]))
        got = self.names(client, 80)
        self.assertEqual(collections.Counter(got), {"s0": 50, "s1": 20, "s2": 10})
        # The turns are spread out.
        self.assertNotIn(["s0"] * 4, [got[at:at + 4] for at in range(77)])

    def test_least_connections(self):
        servers = self.servers(3)
        proxy = self.group(servers, balance="least_connections")
        servers[0].gate.clear()
        responses, threads = self.at_once(proxy, 1)
        while not servers[0].now:  # it may have gone to another one
            wait_until(lambda: responses or servers[0].now, "the request")
            if responses:
                responses, threads = self.at_once(proxy, 1)
        client = self.client(proxy)
        self.assertEqual(set(self.names(client, 20)), {"s1", "s2"})
        servers[0].gate.set()
        threads[0].join()
        wait_until(lambda: "s0" in self.names(client, 6), "the first one to be used again")

    def test_slow_server_gets_less(self):
        for balance in ("least_connections", "two_choices"):
            with self.subTest(balance):
                servers = self.servers(3)
                servers[0].behave(delay=0.05)
                proxy = self.group(servers, balance=balance)

                def work(proxy=proxy):
                    client = Client(proxy.address)
                    for _ in range(20):
                        client.request("/")
                    client.close()

                threads = [threading.Thread(target=work) for _ in range(6)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                counts = [server.count() for server in servers]
                self.assertEqual(sum(counts), 120)
                self.assertLess(counts[0] * 2, min(counts[1:]), counts)
                self.assertGreater(counts[0], 0)

    def test_random_spread(self):
        for balance in ("random", "two_choices"):
            with self.subTest(balance):
                servers = self.servers(3)
                client = self.client(self.group(servers, balance=balance))
                got = self.names(client, 150)
                counts = collections.Counter(got)
                self.assertEqual(len(counts), 3)
                self.assertGreater(min(counts.values()), 20, counts)
                self.assertNotEqual(got[:30], got[3:33])  # not in turn

    def test_first(self):
        servers = self.servers(3)
        client = self.client(self.group(servers, balance="first"))
        self.assertEqual(set(self.names(client, 5)), {"s0"})
        self.end(servers[0])
        self.assertEqual(set(self.names(client, 10)), {"s1"})

    def test_first_that_has_room(self):
        servers = self.servers(2)
        proxy = self.group(servers, balance="first", max_connections=1)
        servers[0].gate.clear()
        _, threads = self.at_once(proxy, 1)
        wait_until(lambda: servers[0].now, "the request")
        self.assertEqual(self.names(self.client(proxy), 3), ["s1"] * 3)
        servers[0].gate.set()
        threads[0].join()

    def test_backup(self):
        servers = self.servers(3)
        client = self.client(self.group([servers[0], servers[1],
                                         self.entry(servers[2], backup=True)],
                                        ejection={"failures": 1, "max_share": 100, "time": "1m"}))
        self.assertEqual(set(self.names(client, 10)), {"s0", "s1"})
        self.end(servers[0])
        self.assertEqual(set(self.names(client, 10)), {"s1"})
        self.end(servers[1])
        self.assertEqual(set(self.names(client, 10)), {"s2"})

    def test_drain(self):
        servers = self.servers(2)
        client = self.client(self.group([self.entry(servers[0], drain=True), servers[1]]))
        self.assertEqual(set(self.names(client, 10)), {"s1"})


class HashTest(BalancingTest):
    KEYS = {
        "uri": lambda n: (f"/k{n}?q={n}",),
        "path": lambda n: (f"/k{n}",),
        "header:X-Tenant": lambda n: ("/", f"X-Tenant: t{n}"),
        "cookie:user": lambda n: ("/", f"Cookie: a=b; user=u{n}; c=d"),
    }

    def test_stays_and_moves_little(self):
        for hash_by, request_of in self.KEYS.items():
            with self.subTest(hash_by):
                servers = self.servers(4)
                client = self.client(self.group(servers, balance="hash", hash=hash_by))
                first = [self.name(client, *request_of(n)) for n in range(80)]
                self.assertEqual([self.name(client, *request_of(n)) for n in range(80)], first)
                counts = collections.Counter(first)
                self.assertEqual(len(counts), 4, counts)
                self.assertGreater(min(counts.values()), 5, counts)
                self.end(servers[0])
                after = [self.name(client, *request_of(n)) for n in range(80)]
                self.assertNotIn("s0", after)
                moved = sum(b != a for b, a in zip(first, after) if b != "s0")
                self.assertLessEqual(moved, 8)
                self.assertGreater(len({a for b, a in zip(first, after) if b == "s0"}), 1)

    def test_two_proxies_agree(self):
        servers = self.servers(3)
        options = {"balance": "hash", "hash": "uri"}
        one = self.client(self.group(servers, **options))
        other = self.client(self.group(servers, {"workers": {"count": 2}}, **options))
        for number in range(20):
            self.assertEqual(self.name(one, f"/{number}"), self.name(other, f"/{number}"))

    def test_host(self):
        servers = self.servers(3)
        client = self.client(self.group(servers, balance="hash", hash="host"))
        got = {}
        for number in list(range(30)) * 2:
            host = f"h{number}.test" if number % 2 else f"H{number}.TEST"
            response = client.request("/", host=host)
            got.setdefault(host.lower(), set()).add(response.value("X-Origin"))
        self.assertTrue(all(len(names) == 1 for names in got.values()), got)
        self.assertEqual(set().union(*got.values()), {"s0", "s1", "s2"})

    def test_source(self):
        servers = self.servers(3)
        proxy = self.group(servers, balance="hash")
        got = {self.name(self.client(proxy), f"/{n}") for n in range(12)}
        self.assertEqual(len(got), 1)  # the port does not count


class StickyTest(BalancingTest):
    def test_a_client_keeps_its_server(self):
        servers = self.servers(3)
        proxy = self.group(servers, sticky_cookie="srv", balance="random")
        seen = set()
        for _ in range(12):
            client = self.client(proxy)
            response = client.request("/")
            cookie = response.value("Set-Cookie")
            self.assertRegex(cookie, r"\Asrv=[0-9a-f]{16}; ")
            self.assertIn("HttpOnly", cookie)
            pair = cookie.partition(";")[0]
            name = response.value("X-Origin")
            seen.add(name)
            for _ in range(4):
                again = client.request("/", f"Cookie: a=1; {pair}; b=2")
                self.assertEqual(again.value("X-Origin"), name)
                self.assertEqual(again.values("Set-Cookie"), [])
        self.assertGreater(len(seen), 1)
        cookies = {request.value("Cookie") for server in servers for request in server.requests}
        self.assertEqual(cookies, {None, "a=1; b=2"})

    def test_another_server_and_a_new_cookie(self):
        servers = self.servers(3)
        proxy = self.group(servers, sticky_cookie="srv")
        client = self.client(proxy)
        response = client.request("/")
        name, pair = response.value("X-Origin"), response.value("Set-Cookie").partition(";")[0]
        self.end(servers[int(name[1])])
        response = client.request("/", f"Cookie: {pair}")
        self.assertEqual(response.status, 200)
        self.assertNotEqual(response.value("X-Origin"), name)
        fresh = response.value("Set-Cookie").partition(";")[0]
        self.assertNotEqual(fresh, pair)
        for _ in range(4):
            again = client.request("/", f"Cookie: {fresh}")
            self.assertEqual(again.value("X-Origin"), response.value("X-Origin"))

    def test_unknown_cookies(self):
        client = self.client(self.group(self.servers(2), sticky_cookie="srv"))
        for value in ("0" * 16, "", '"', "x" * 5000):
            response = client.request("/", f"Cookie: srv={value}")
            self.assertEqual(response.status, 200)
            self.assertTrue(response.values("Set-Cookie"))

    def test_a_draining_server_keeps_its_clients(self):
        a, b = self.servers(2)
        response = self.ask(self.group([a], sticky_cookie="srv"), "/")
        pair = response.value("Set-Cookie").partition(";")[0]
        client = self.client(self.group([self.entry(a, drain=True), b], sticky_cookie="srv"))
        self.assertEqual(self.names(client, 4), ["s1"] * 4)
        self.assertEqual(self.names(client, 4, "/", f"Cookie: {pair}"), ["s0"] * 4)


class BoundsTest(BalancingTest):
    def test_never_more_than_allowed_and_all_are_answered(self):
        for workers in (1, 2):
            with self.subTest(workers=workers):
                servers = self.servers(2)
                for server in servers:
                    server.behave(delay=0.002)
                proxy = self.group(servers, {"workers": {"count": workers}}, max_connections=3,
                                   queue={"timeout": "20s"})
                responses = []

                def work(proxy=proxy, responses=responses):
                    client = Client(proxy.address)
                    for _ in range(12):
                        responses.append(client.request("/").status)
                    client.close()

                threads = [threading.Thread(target=work) for _ in range(24)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(collections.Counter(responses), {200: 288})
                for server in servers:
                    self.assertLessEqual(server.most, 3)
                    self.assertGreater(server.count(), 50)

    def test_queue_is_full(self):
        server, = self.servers(1)
        server.gate.clear()
        proxy = self.group([server], max_connections=2, queue={"length": 3, "timeout": "20s"})
        first, threads = self.at_once(proxy, 2)
        wait_until(lambda: server.now == 2, "the server to be full")
        waiting, more = self.at_once(proxy, 4)
        wait_until(lambda: waiting, "the one that is too many")
        self.check_refused(waiting[0], 503, "connection_limit_reached", "queue_full")
        server.gate.set()
        for thread in threads + more:
            thread.join()
        self.assertEqual([r.status for r in first + waiting[1:]], [200] * 5)
        self.assertEqual(server.most, 2)

    def test_no_queue(self):
        server, = self.servers(1)
        server.gate.clear()
        proxy = self.group([server], max_connections=1, queue={"length": 0})
        _, threads = self.at_once(proxy, 1)
        wait_until(lambda: server.now, "the server to be full")
        self.check_refused(self.ask(proxy, "/"), 503, "connection_limit_reached", "queue_full")
        server.gate.set()
        threads[0].join()

    def test_queue_timeout(self):
        server, = self.servers(1)
        server.gate.clear()
        proxy = self.group([server], max_connections=1, queue={"timeout": "100ms"})
        first, threads = self.at_once(proxy, 1)
        wait_until(lambda: server.now, "the server to be full")
        client = self.client(proxy)
        begin = time.monotonic()
        self.check_refused(client.request("/"), 503, "connection_limit_reached", "queue_timeout")
        self.assertGreaterEqual(time.monotonic() - begin, 0.1)
        server.gate.set()
        threads[0].join()
        self.assertEqual(first[0].status, 200)
        self.assertEqual(client.request("/").status, 200)

    def test_bound_of_one_server(self):
        a, b = self.servers(2)
        for server in (a, b):
            server.gate.clear()
        proxy = self.group([self.entry(a, max_connections=1), b])
        responses, threads = self.at_once(proxy, 8)
        wait_until(lambda: a.now + b.now == 8, "all requests")
        self.assertEqual((a.now, b.now), (1, 7))
        for server in (a, b):
            server.gate.set()
        for thread in threads:
            thread.join()
        self.assertEqual([r.status for r in responses], [200] * 8)

    def test_breaker(self):
        servers = self.servers(2)
        for server in servers:
            server.gate.clear()
        proxy = self.group(servers, breaker={"connections": 3}, queue={"timeout": "20s"})
        responses, threads = self.at_once(proxy, 10)
        wait_until(lambda: sum(s.now for s in servers) == 3, "the group to be full")
        for server in servers:
            server.gate.set()
        for thread in threads:
            thread.join()
        self.assertEqual([r.status for r in responses], [200] * 10)
        self.assertLessEqual(sum(len(s.connections) for s in servers), 10)

    def test_clients_that_leave_the_queue(self):
        server, = self.servers(1)
        server.gate.clear()
        proxy = self.group([server], max_connections=1, queue={"length": 2, "timeout": "20s"})
        first, threads = self.at_once(proxy, 1)
        wait_until(lambda: server.now, "the server to be full")
        for _ in range(10):  # more than there are places, one after the other
            client = self.client(proxy)
            client.send(request_bytes("/gone"))
            client.reset()
        responses, more = self.at_once(proxy, 1)
        server.gate.set()
        for thread in threads + more:
            thread.join()
        # A place that a client left may be free a moment later only.
        self.assertIn(responses[0].status, (200, 503))
        self.assertEqual(first[0].status, 200)
        self.assertEqual(self.ask(proxy, "/").status, 200)
        self.assertEqual(server.most, 1)


class PoolTest(BalancingTest):
    def test_max_requests(self):
        server, = self.servers(1)
        client = self.client(self.group([server], pool={"max_requests": 3}))
        self.names(client, 10)
        self.assertEqual([r.connection for r in server.requests],
                         [0, 0, 0, 1, 1, 1, 2, 2, 2, 3])

    def test_max_age(self):
        server, = self.servers(1)
        client = self.client(self.group([server], pool={"max_age": "1ms"}))
        wait_until(lambda: self.name(client) and len(server.connections) > 2, "a new connection", 5)

    def test_idle(self):
        server, = self.servers(1)
        client = self.client(self.group([server], pool={"idle": "50ms"}))
        self.name(client)
        wait_until(lambda: server.connections[0].closed, "the idle connection to be closed", 5)
        self.name(client)
        self.assertEqual(len(server.connections), 2)

    def test_max_idle(self):
        server, = self.servers(1)
        server.gate.clear()
        proxy = self.group([server], pool={"max_idle": 2})
        _, threads = self.at_once(proxy, 6)
        wait_until(lambda: server.now == 6, "all requests")
        server.gate.set()
        for thread in threads:
            thread.join()
        wait_until(lambda: len(server.idle_connections) == 2, "the others to be closed")

    def test_keep_alive(self):
        """What the server says it will close, or will close soon, is not used again."""
        server, = self.servers(1)
        client = self.client(self.group([server]))
        for fields, wanted in (("timeout=0", 3), ("max=0", 3), ("timeout=60, max=5", 1)):
            before = len(server.connections)
            server.behave(fields=(f"Keep-Alive: {fields}",))
            self.names(client, 3)
            self.assertEqual(len(server.connections) - before, wanted, fields)
        server.behave(fields=("Keep-Alive: timeout=1",))
        self.names(client, 1)
        begin, before = time.monotonic(), len(server.connections)
        wait_until(lambda: time.monotonic() - begin > 0.7)
        self.names(client, 1)
        self.assertEqual(len(server.connections) - before, 1)

    def test_spare_connections(self):
        servers = self.servers(2)
        proxy = self.group(servers, pool={"spare": 2})
        for server in servers:
            wait_until(lambda s=server: len(s.connections) == 2, "spare connections")
        self.names(self.client(proxy), 4)
        self.assertEqual([len(s.connections) for s in servers], [2, 2])
        wait_until(lambda: len(servers[0].idle_connections) == 2, "the last response to be over")
        servers[0].close_idle()
        wait_until(lambda: len(servers[0].connections) == 4, "new spare connections")

    def test_closed_idle_connections_cost_no_request(self):
        servers = self.servers(2)
        client = self.client(self.group(servers))
        for turn in range(30):
            response = client.request(f"/{turn}", method="POST", body=b"x")
            self.assertEqual(response.status, 200)
            if turn % 3 == 0:
                for server in servers:
                    server.close_idle()


if __name__ == "__main__":
    unittest.main()
