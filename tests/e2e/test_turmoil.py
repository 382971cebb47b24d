"""Many clients, all manners at once: each gets its own bytes, or is cut, and never another's."""

import hashlib
import os
import random
import threading
import time
import unittest

from harness import Client, ScenarioTest, wait_until
from wire import Cut, chunked, head_bytes

SECONDS = 4
CLIENTS = 16


def filling(name, size):
    """Bytes that tell whose they are wherever one looks."""
    unit = hashlib.sha256(name.encode()).hexdigest().encode() + b"\r\n"
    return (unit * (size // len(unit) + 1))[:size]


class TurmoilTest(ScenarioTest):
    """A target is /name/size/manner: how the server is to answer it."""

    SIZES = (0, 1, 100, 5000, 70_000, 400_000)
    MANNERS = ("length", "chunked", "close", "early", "slow", "cut", "cut-chunk", "reset", "silent",
               "stray")

    def serve(self, wire):
        rng = random.Random(f"{self.seed} {wire.number}")
        while not wire.closed:
            head = wire.read_request_head()
            name, size, manner = head.target.strip("/").split("/")
            if manner != "early":
                wire.read_body(head)
                self.check(head.body == filling(name + "up", int(head.value("X-Size"))),
                           f"body of {name} at the server: {head.body[:200]!r}")
            self.respond(wire, rng, filling(name, int(size)), manner, name)
            if manner == "early":
                wire.read_body(head)

    def respond(self, wire, rng, body, manner, name):
        mark = f"X-Name: {name}"
        length = f"Content-Length: {len(body)}"
        if manner in ("length", "early"):
            wire.send(head_bytes("HTTP/1.1 200 OK", mark, length) + body)
        elif manner in ("chunked", "slow"):
            wire.send(head_bytes("HTTP/1.1 200 OK", mark, "Transfer-Encoding: chunked"))
            if manner == "slow":
                time.sleep(rng.random() * 0.05)
            wire.send(chunked(body, rng.randint(1000, 50_000)))
        elif manner == "close":
            wire.send(head_bytes("HTTP/1.1 200 OK", mark) + body)
            wire.close()
        elif manner == "cut":
            wire.send(head_bytes("HTTP/1.1 200 OK", mark, length + "9") + body)
            wire.close()
        elif manner == "cut-chunk":
            wire.send(head_bytes("HTTP/1.1 200 OK", mark, "Transfer-Encoding: chunked")
                      + chunked(body)[:-2])
            wire.close()
        elif manner == "stray":
            # In one piece: what comes later can be taken for the next response, by anybody.
            stray = head_bytes("HTTP/1.1 200 OK", "X-Name: stray", "Content-Length: 5") + b"stray"
            wire.send(head_bytes("HTTP/1.1 200 OK", mark, length) + body
                      + (stray if len(body) <= 5000 else b""))
        elif manner == "reset":
            wire.reset()
        else:
            wire.close()

    def check(self, good, what):
        if not good:
            self.failures.append(what)

    def request(self, rng, name):
        """Its bytes, and what to expect."""
        size, manner = rng.choice(self.SIZES), rng.choice(self.MANNERS)
        up = filling(name + "up", rng.choice((0, 0, 10, 3000, 100_000)))
        fields = ["Host: example.test", f"X-Size: {len(up)}"]
        method = rng.choice(("GET", "POST", "PUT") if not up else ("POST", "PUT"))
        if rng.random() < 0.5 and up:
            fields.append("Transfer-Encoding: chunked")
            content = chunked(up, rng.randint(10, 5000) + len(up) // 50)
        else:
            fields += [f"Content-Length: {len(up)}"] if up else []
            content = up
        head = head_bytes(f"{method} /{name}/{size}/{manner} HTTP/1.1", *fields)
        good = method == "GET" and manner in ("length", "chunked", "slow", "close")
        return head + content, name, filling(name, size), manner, good

    def talk(self, rng, client, names):
        """Some requests on one connection, pipelined now and then; some given up half-way."""
        wanted = []
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            data, *expected = self.request(rng, next(names))
            wanted.append(expected)
            if rng.random() < 0.08:
                client.send(data[:rng.randrange(len(data))])
                return rng.choice((client.close, client.reset))()
            self.alongside(client.send, data).join()
        if rng.random() < 0.08:
            client.fill()
            return rng.choice((client.close, client.reset))()
        for name, body, manner, good in wanted:
            response = client.read_response()
            if response.status == 502:
                self.check(not good, f"{response} for {name} {manner}")
            else:
                self.check((response.status, response.value("X-Name")) == (200, name),
                           f"{response.start} {response.fields} for {name} {manner}")
                self.check(response.body == body, f"body of {name} {manner}")
                self.check(manner not in ("cut", "cut-chunk"), f"{manner} looks complete")
                self.complete += 1
            if "close" in response.connection_options:
                return client.close()
        return None

    def run_client(self, number, address):
        rng = random.Random(f"{self.seed} client {number}")
        names = (f"{number}-{count}" for count in range(1_000_000))
        while time.monotonic() < self.deadline and not self.failures:
            client = Client(address)
            try:
                while not client.closed and time.monotonic() < self.deadline:
                    self.talk(rng, client, names)
            except (Cut, ConnectionError):
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(f"client {number}: {error!r}")
            client.close()

    def turmoil(self, workers):
        self.seed = os.environ.get("TURMOIL_SEED") or str(time.time_ns())
        self.failures, self.complete = [], 0
        origins = [self.origin(serve=self.serve) for _ in range(2)]
        proxy = self.reverse(*origins, workers={"count": workers},
                             timeouts={"server_idle": "500ms"})
        before = proxy.sockets()
        self.deadline = time.monotonic() + SECONDS
        threads = [threading.Thread(target=self.run_client, args=(n, proxy.address), daemon=True)
                   for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(self.failures[:5], [], f"seed {self.seed}")
        self.assertGreater(self.complete, 100)
        self.assertFalse(any(thread.is_alive() for thread in threads), f"seed {self.seed}")
        client = self.client(proxy)
        response = client.request("/last/5/length", "X-Size: 0")
        self.assertEqual(response.body, filling("last", 5))
        client.close()
        wait_until(lambda: proxy.sockets() <= before, "all connections to be closed")

    def test_one_worker(self):
        self.turmoil(1)

    def test_several_workers(self):
        self.turmoil(3)


if __name__ == "__main__":
    unittest.main()
