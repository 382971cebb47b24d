"""SIGTERM: what is under way is finished, what is idle is closed, nothing is broken."""

import signal
import unittest

from harness import ScenarioTest
from wire import Cut, request_bytes


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

    def test_requests_arrive_at_that_moment(self):
        for _ in range(5):
            proxy, clients = self.idle_clients()
            self.at_the_same_time_as_sigterm(
                proxy, lambda: [c.send(request_bytes("/late")) for c in clients])
            answered = 0
            for client in clients:
                try:
                    response = client.read_response()
                except Cut:
                    continue  # closed while idle, which a client must expect
                self.assertEqual(response.status, 200)
                self.assertTrue(client.ends())
                answered += 1
            proxy.wait()
            self.assertEqual([r.target for r in self.server.requests].count("/late"), answered)


if __name__ == "__main__":
    unittest.main()
