"""Connections that persist: reused, replaced when they died, never mixed up."""

import threading
import unittest

from harness import ScenarioTest, wait_until
from wire import Wire, head_bytes, request_bytes, response_bytes


def echo_target(request, _):
    return response_bytes(f"{request.method} {request.target} {request.body!r}".encode())


class PoolTest(ScenarioTest):
    def test_one_server_connection_serves_many_clients(self):
        origin = self.origin(echo_target)
        proxy = self.reverse(origin)
        for number in range(20):
            self.assertEqual(self.ask(proxy, f"/{number}").body, f"GET /{number} b''".encode())
        self.assertEqual(len(origin.connections), 1)

    def test_client_connection_outlives_server_connections(self):
        origin = self.origin(response_bytes(b"bye", "Connection: close"))
        client = self.client(self.reverse(origin))
        for _ in range(5):
            response = client.request("/")
            self.assertEqual(response.body, b"bye")
            self.assertNotIn("close", response.connection_options)
        self.assertEqual({r.connection for r in origin.requests}, {0, 1, 2, 3, 4})

    def test_http10_server_without_keep_alive_is_not_reused(self):
        origin = self.origin(response_bytes(version="1.0"))
        client = self.client(self.reverse(origin))
        self.assertEqual(client.request("/").status, 200)
        self.assertEqual(client.request("/").status, 200)
        self.assertEqual(len(origin.connections), 2)

    def test_http10_server_with_keep_alive_is_reused(self):
        origin = self.origin(response_bytes(b"a", "Connection: Keep-Alive", version="1.0"))
        client = self.client(self.reverse(origin))
        self.assertEqual(client.request("/").status, 200)
        self.assertEqual(client.request("/").status, 200)
        self.assertEqual(len(origin.connections), 1)

    def open_several(self, count, **sections):
        """Idle server connections, given back in the order of their numbers."""
        gates = [threading.Event() for _ in range(count)]

        def answer(request, wire):
            if request.target == "/wait":
                gates[wire.number].wait(20)
            return response_bytes(str(wire.number).encode())

        origin = self.origin(answer)
        proxy = self.reverse(origin, **sections)
        clients = []
        for number in range(count):
            clients.append(self.client(proxy))
            clients[-1].send(request_bytes("/wait"))
            wait_until(lambda count=number + 1: len(origin.requests) == count, "the request")
        for gate, client in zip(gates, clients):
            gate.set()
            self.assertEqual(client.read_response().status, 200)
        return origin, proxy

    def test_most_recently_used_first(self):
        origin, proxy = self.open_several(3)
        for _ in range(4):
            self.assertEqual(self.ask(proxy, "/").body, b"2")
        self.assertEqual(len(origin.connections), 3)

    def test_no_more_idle_connections_than_configured(self):
        origin, _ = self.open_several(3, limits={"idle_server_connections": 2})
        wait_until(lambda: origin.connections[2].closed, "the close")
        self.assertFalse(origin.connections[0].closed or origin.connections[1].closed)

    def test_idle_connections_grow_old(self):
        origin = self.origin()
        proxy = self.reverse(origin, timeouts={"server_idle": "200ms"})
        self.assertEqual(self.ask(proxy, "/").status, 200)
        wait_until(lambda: origin.connections[0].closed, "the pool to close it")
        self.assertEqual(self.ask(proxy, "/").status, 200)
        self.assertEqual(len(origin.connections), 2)

    def test_stray_bytes_behind_a_response_are_no_response(self):
        stray = response_bytes(b"stray")
        origin = self.origin(lambda request, wire: response_bytes(b"mine") +
                             (stray if wire.number == 0 else b""))
        client = self.client(self.reverse(origin))
        for _ in range(3):
            self.assertEqual(client.request("/").body, b"mine")

    def test_bytes_out_of_turn_spoil_an_idle_connection(self):
        origin = self.origin(response_bytes(b"mine"))
        client = self.client(self.reverse(origin))
        self.assertEqual(client.request("/").body, b"mine")
        origin.connections[0].send(response_bytes(b"out of turn"))
        wait_until(lambda: origin.connections[0].closed, "the pool to drop it")
        self.assertEqual(client.request("/").body, b"mine")
        self.assertEqual(len(origin.connections), 2)


class DeadServerConnectionTest(ScenarioTest):
    """The server ends a connection that the proxy wants to use again."""

    def test_closed_or_reset_between_requests(self):
        """As long as none of a request was sent, any may be sent again."""
        def close(wire):
            wire.finish_sending()
            wire.ends()  # the proxy has seen it

        for end in (close, Wire.reset):
            def answer(request, wire, end=end):
                wire.send(echo_target(request, wire))
                end(wire)
                wire.close()

            for method, body in (("GET", None), ("POST", b"once")):
                with self.subTest(f"{end.__name__}, {method}"):
                    origin = self.origin(answer)
                    client = self.client(self.reverse(origin))
                    for number in range(20):
                        response = client.request(f"/{number}", method=method, body=body)
                        self.assertEqual(response.status, 200, response)
                        self.assertIn(f"/{number} ".encode(), response.body)
                        wait_until(lambda: origin.connections[-1].closed, "the close")
                    self.assertEqual(len(origin.requests), 20)

    def test_closed_while_the_next_request_is_on_its_way(self):
        def answer(request, wire):
            wire.send(echo_target(request, wire))
            wire.close()

        origin = self.origin(answer)
        client = self.client(self.reverse(origin))
        for number in range(200):
            response = client.request(f"/{number}")
            self.assertEqual(response.status, 200, response)
        self.assertEqual([r.target for r in origin.requests], [f"/{n}" for n in range(200)])

    def closing_upon_reuse(self, body=None, method="GET", hurry=True, size_read=None):
        """Ends a connection when its second request arrives; new connections are served."""
        seen = []

        def serve(wire):
            first = wire.read_request()
            seen.append(first)
            wire.send(response_bytes(b"first"))
            if hurry and wire.number == 0:
                if size_read is None:
                    seen.append(wire.read_request())
                else:
                    wire.read_exactly(size_read)
                return wire.reset()
            while True:
                seen.append(wire.read_request())
                wire.send(response_bytes(b"again"))

        origin = self.origin(serve=serve)
        client = self.client(self.reverse(origin))
        self.assertEqual(client.request("/first").body, b"first")
        return origin, client, seen, client.request("/second", method=method, body=body)

    def test_idempotent_requests_are_sent_again(self):
        for method, body in (("GET", None), ("PUT", b"data"), ("DELETE", None), ("OPTIONS", None)):
            with self.subTest(method):
                origin, client, seen, response = self.closing_upon_reuse(body, method)
                self.assertEqual(response.status, 200)
                self.assertEqual(len(origin.connections), 2)
                self.assertEqual([r.body for r in seen[1:]], [body or b""] * 2)
                self.assertEqual(client.request("/third").status, 200)

    def test_post_is_not_sent_again(self):
        for method in ("POST", "PATCH", "UNHEARD-OF"):
            with self.subTest(method):
                origin, client, seen, response = self.closing_upon_reuse(b"data", method)
                self.assertEqual(response.status, 502)
                self.assertIn("connection_terminated", response.value("Proxy-Status"))
                self.assertEqual([r.method for r in seen], ["GET", method])
                self.assertEqual(len(origin.connections), 1)
                self.assertEqual(client.request("/third").status, 200)

    def test_put_too_large_to_remember_is_not_sent_again(self):
        body = b"x" * 3_000_000
        origin, _, seen, response = self.closing_upon_reuse(body, "PUT", size_read=100_000)
        self.assertEqual(response.status, 502)
        self.assertEqual((len(seen), len(origin.connections)), (1, 1))

    def test_retries_come_to_an_end(self):
        def refuse(request, wire):
            if request.target != "/first":
                return wire.close()
            return response_bytes()

        origin = self.origin(refuse)
        client = self.client(self.reverse(origin))
        client.request("/first")
        response = client.request("/second")
        self.assertEqual(response.status, 502)
        self.assertIn("connection_terminated", response.value("Proxy-Status"))
        self.assertLessEqual(len(origin.requests), 5)

    def test_no_retry_once_a_response_has_begun(self):
        def stutter(_, wire):
            wire.send(b"HTTP/1.1 200 O")
            wire.close()

        origin = self.origin(stutter)
        self.assertEqual(self.ask(self.reverse(origin), "/").status, 502)
        self.assertEqual(len(origin.requests), 1)


class PipeliningTest(ScenarioTest):
    def setUp(self):
        self.server = self.origin(echo_target)
        self.proxy = self.reverse(self.server)

    def test_ten_gets(self):
        client = self.client(self.proxy)
        client.send(b"".join(request_bytes(f"/{n}") for n in range(10)))
        for number in range(10):
            self.assertEqual(client.read_response().body, f"GET /{number} b''".encode())

    def test_mixed(self):
        pipeline, wanted = b"", []
        for number in range(20):
            method = ("GET", "POST", "HEAD", "PUT")[number % 4]
            body = f"body {number}".encode() * number if method in ("POST", "PUT") else None
            pipeline += request_bytes(f"/{number}", method=method, body=body)
            text = f"{method} /{number} {body or b''!r}".encode()
            wanted.append((method, b"" if method == "HEAD" else text))
        client = self.client(self.proxy)
        client.send(pipeline)
        for method, body in wanted:
            self.assertEqual(client.read_response(method).body, body)

    def test_in_small_pieces(self):
        client = self.client(self.proxy)
        pipeline = b"".join(request_bytes(f"/{n}", method="POST", body=b"b" * n)
                            for n in range(10))
        client.dribble(pipeline, sizes=(1, 7, 50, 3), pause=0.0005)
        for number in range(10):
            self.assertEqual(client.read_response().body,
                             f"POST /{number} {b'b' * number!r}".encode())

    def test_with_a_failure_between(self):
        client = self.client(self.proxy)
        client.send(request_bytes("/1") + request_bytes("/2", "Expect: the unexpected") +
                    request_bytes("/3"))
        self.assertEqual([client.read_response().status for _ in range(3)], [200, 417, 200])

    def test_close_in_the_middle_ends_it(self):
        client = self.client(self.proxy)
        client.send(request_bytes("/1") + request_bytes("/2", "Connection: close") +
                    request_bytes("/3"))
        self.assertEqual(client.read_response().body, b"GET /1 b''")
        last = client.read_response()
        self.assertEqual(last.body, b"GET /2 b''")
        self.assertIn("close", last.connection_options)
        self.assertTrue(client.ends())
        self.assertEqual(len(self.server.requests), 2)

    def test_client_that_ends_its_direction_gets_all_responses(self):
        client = self.client(self.proxy)
        client.send(b"".join(request_bytes(f"/{n}") for n in range(5)))
        client.finish_sending()
        for number in range(5):
            self.assertEqual(client.read_response().body, f"GET /{number} b''".encode())
        self.assertTrue(client.ends())

    def test_many_clients_at_a_time_get_their_own(self):
        failures = []

        def run(name):
            client = self.client(self.proxy)
            for number in range(30):
                body = client.request(f"/{name}/{number}").body
                if body != f"GET /{name}/{number} b''".encode():
                    failures.append((name, number, body))

        threads = [threading.Thread(target=run, args=(name,)) for name in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class ClientPersistenceTest(ScenarioTest):
    """What keeps or ends the client's connection, besides the rows of the matrix."""

    def check(self, kept, *fields, version="1.1", forward=False, answer=response_bytes()):
        origin = self.origin(answer)
        client = self.client(self.forward() if forward else self.reverse(origin))
        target = (origin.url if forward else "") + "/"
        response = client.request(target, *fields, version=version)
        self.assertEqual("close" in response.connection_options, not kept)
        if kept:
            self.assertEqual(client.request(target, *fields, version=version).status, 200)
        else:
            self.assertTrue(client.ends())

    def test_options_in_any_spelling(self):
        self.check(False, "connection: CLOSE")
        self.check(False, "Connection: x, Close , y")
        self.check(False, "Connection: keep-alive", "Connection: close")
        self.check(True, "Connection: keep-alive, x")
        self.check(True, "Connection: KEEP-alive", version="1.0")
        self.check(False, "Connection: keep-alive, close", version="1.0")
        self.check(False, "Keep-Alive: timeout=5", version="1.0")

    def test_proxy_connection_counts_on_forward_listeners_only(self):
        self.check(True, "Proxy-Connection: keep-alive", version="1.0", forward=True)
        self.check(False, "Proxy-Connection: close", forward=True)
        self.check(True, "Proxy-Connection: close")

    def test_unframed_response_is_chunked_for_http11_and_keeps_the_connection(self):
        def answer(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK") + b"until the end")
            wire.close()

        self.check(True, answer=answer)
        self.check(False, "Connection: keep-alive", version="1.0", answer=answer)

    def test_responses_without_content(self):
        for status in ("204 No Content", "304 Not Modified"):
            with self.subTest(status):
                origin = self.origin(head_bytes(f"HTTP/1.1 {status}", 'ETag: "a"'))
                client = self.client(self.reverse(origin))
                for _ in range(2):
                    self.assertEqual(client.request("/").start, f"HTTP/1.1 {status}")
                self.assertEqual(len(origin.connections), 1)


if __name__ == "__main__":
    unittest.main()
