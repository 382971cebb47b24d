"""SIGTERM: what is under way is finished, what is idle is closed, nothing is broken."""

import signal
import threading
import time
import unittest

from harness import Client, ScenarioTest, wait_until
from wire import Cut, chunk, head_bytes, request_bytes, response_bytes


class DrainTest(ScenarioTest):
    def idle_clients(self, count=30):
        self.server = self.origin()
        proxy = self.reverse(self.server)
        clients = [self.client(proxy) for _ in range(count)]
        for client in clients:
            self.assertEqual(client.request("/").status, 200)
        return proxy, clients

    def at_the_same_time_as_sigterm(self, proxy, act):
        """Penstock sees both in one turn of its event loop, as it may under load."""
        proxy.signal(signal.SIGSTOP)
        act()
        proxy.signal(signal.SIGTERM)
        proxy.signal(signal.SIGCONT)

    def test_idle_connections_are_closed(self):
        proxy, clients = self.idle_clients()
        proxy.signal(signal.SIGTERM)
        proxy.wait(limit=5)
        for client in clients:
            self.assertTrue(client.ends())

    def test_clients_leave_at_that_moment(self):
        for _ in range(5):
            proxy, clients = self.idle_clients()
            self.at_the_same_time_as_sigterm(proxy, lambda: [c.close() for c in clients])
            proxy.wait()

    def check_all_are_answered(self, proxy, clients):
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
            self.assertTrue(client.ends())
            client.close()
        proxy.wait()
        served = [r.target for r in self.server.requests].count("/late")
        self.assertEqual(served, len(clients))

    def test_requests_that_have_arrived_are_answered(self):
        for _ in range(5):
            proxy, clients = self.idle_clients(count=100)
            self.at_the_same_time_as_sigterm(
                proxy, lambda: [c.send(request_bytes("/late")) for c in clients])
            self.check_all_are_answered(proxy, clients)

    def test_connections_that_wait_to_be_accepted_are_answered(self):
        proxy, _ = self.idle_clients(count=1)
        late = []

        def connect():
            for _ in range(100):
                late.append(self.client(proxy))
                late[-1].send(request_bytes("/late"))

        self.at_the_same_time_as_sigterm(proxy, connect)
        self.check_all_are_answered(proxy, late)


class InFlightTest(ScenarioTest):
    """A transaction is under way when the signal comes."""

    def in_flight(self, **sections):
        """A client whose response has begun and waits for self.go."""
        self.go = threading.Event()
        self.addCleanup(self.go.set)

        def answer(request, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunk(b"one"))
            self.go.wait(20)
            wire.send(chunk(b"two") + b"0\r\n\r\n")

        self.server = self.origin(answer)
        self.proxy = self.reverse(self.server, **sections)
        client = self.client(self.proxy)
        client.send(request_bytes("/"))
        self.head = client.read_response_head()
        return client

    def refuses(self):
        try:
            Client(self.proxy.address).close()
        except ConnectionError:
            return True
        return False

    def test_it_is_finished_and_nothing_new_begins(self):
        client = self.in_flight()
        self.proxy.signal(signal.SIGTERM)
        wait_until(self.refuses, "new connections to be refused")
        self.assertIsNone(self.proxy.process.poll())
        self.go.set()
        self.assertEqual(client.read_body(self.head).body, b"onetwo")
        self.assertTrue(client.ends())
        client.close()
        self.proxy.wait(limit=5)

    def test_sigint_does_the_same(self):
        client = self.in_flight()
        self.proxy.signal(signal.SIGINT)
        wait_until(self.refuses, "new connections to be refused")
        self.go.set()
        self.assertEqual(client.read_body(self.head).body, b"onetwo")
        client.close()
        self.proxy.wait(limit=5)

    def test_response_that_begins_later_says_close(self):
        go = threading.Event()
        origin = self.origin(lambda request, wire: go.wait(20) and response_bytes(b"late"))
        self.proxy = self.reverse(origin)
        client = self.client(self.proxy)
        client.send(request_bytes("/"))
        wait_until(lambda: origin.requests, "the request")
        self.proxy.signal(signal.SIGTERM)
        wait_until(self.refuses, "new connections to be refused")
        go.set()
        response = client.read_response()
        self.assertEqual((response.status, response.body), (200, b"late"))
        self.assertIn("close", response.connection_options)
        self.assertTrue(client.ends())
        client.close()
        self.proxy.wait(limit=5)

    def test_upload_is_finished(self):
        origin = self.origin()
        self.proxy = self.reverse(origin)
        client = self.client(self.proxy)
        client.send(head_bytes("POST / HTTP/1.1", "Host: a", "Content-Length: 200000"))
        client.send(b"x" * 100_000)
        wait_until(lambda: origin.connections, "the request")
        self.proxy.signal(signal.SIGTERM)
        wait_until(self.refuses, "new connections to be refused")
        client.send(b"x" * 100_000)
        self.assertEqual(client.read_response().status, 200)
        client.close()
        self.proxy.wait(limit=5)
        self.assertEqual(len(origin.requests[0].body), 200_000)

    def test_pipelined_requests_behind_it_are_not_half_answered(self):
        client = self.in_flight()
        client.send(request_bytes("/2") * 3)
        self.proxy.signal(signal.SIGTERM)
        wait_until(self.refuses, "new connections to be refused")
        self.go.set()
        self.assertEqual(client.read_body(self.head).body, b"onetwo")
        try:
            while True:
                self.assertEqual(client.read_response().body, b"onetwo")
        except Cut:
            self.assertEqual(client.buffer, b"")
        client.close()
        self.proxy.wait(limit=5)

    def test_broken_off_when_the_drain_time_is_over(self):
        client = self.in_flight(timeouts={"drain": "300ms"})
        begun = time.monotonic()
        self.proxy.signal(signal.SIGTERM)
        with self.assertRaises(Cut):
            client.read_body(self.head)
        self.proxy.wait(limit=5)
        self.assertGreater(time.monotonic() - begun, 0.25)

    def test_second_signal_ends_it_at_once(self):
        client = self.in_flight()
        self.proxy.signal(signal.SIGTERM)
        wait_until(self.refuses, "new connections to be refused")
        self.proxy.signal(signal.SIGTERM)
        self.proxy.process.wait(5)
        with self.assertRaises(Cut):
            client.read_body(self.head)

    def test_half_a_head_does_not_hold_it_up_for_ever(self):
        self.proxy = self.reverse(self.origin(), timeouts={"drain": "500ms"})
        client = self.client(self.proxy)
        client.send(b"GET / HTTP/1.1\r\nHost")
        self.proxy.signal(signal.SIGTERM)
        self.proxy.wait(limit=5)
        try:
            self.assertEqual(client.read_to_end(), b"")
        except Cut:
            pass

    def test_with_several_workers(self):
        origin = self.origin()
        self.proxy = self.reverse(origin, workers={"count": 4})
        clients = [self.client(self.proxy) for _ in range(40)]
        for client in clients:
            self.assertEqual(client.request("/").status, 200)
        self.proxy.signal(signal.SIGTERM)
        self.proxy.wait(limit=5)
        for client in clients:
            self.assertTrue(client.ends())


class OtherSignalsTest(ScenarioTest):
    def test_signals_that_do_not_end_it(self):
        proxy = self.reverse(self.origin())
        client = self.client(proxy)
        for number in (signal.SIGUSR1, signal.SIGPIPE, signal.SIGUSR1):
            proxy.signal(number)
            self.assertEqual(client.request("/").status, 200)

    def test_sigterm_while_requests_come(self):
        """Each connection that was taken is answered or closed, and the program ends well."""
        for _ in range(5):
            origin = self.origin()
            proxy = self.reverse(origin)
            answered, stop = [], threading.Event()

            def run(address=proxy.address, answered=answered, stop=stop):
                while not stop.is_set():
                    client = Client(address)
                    answered.append(client.request("/").status)
                    client.close()

            threads = [self.alongside(run) for _ in range(8)]
            wait_until(lambda answered=answered: len(answered) > 50, "requests")
            proxy.signal(signal.SIGTERM)
            proxy.wait(limit=10)
            stop.set()
            for thread in threads:
                thread.join(20)
            self.assertEqual(set(answered), {200})


if __name__ == "__main__":
    unittest.main()
