"""Reverse listeners: which server gets a request, and what it is told."""

import os
import socket
import stat
import tempfile
import unittest

from harness import ScenarioTest
from wire import request_bytes, response_bytes


class RouteTest(ScenarioTest):
    def groups(self, names, routes, **sections):
        """A group with one server for each name; the server gives the name back."""
        origins = {name: self.origin(response_bytes(name.encode())) for name in names}
        return origins, self.penstock({
            "listener": [{"address": "127.0.0.1:0", "mode": "reverse"}],
            "route": routes,
        } | {f"upstream.{name}": {"servers": [o.address]} for name, o in origins.items()}
          | sections)

    def check(self, proxy, host, path, wanted):
        with self.subTest(f"{host} {path}"):
            response = self.ask(proxy, path, host=host)
            if wanted is None:
                self.assertEqual(response.status, 421)
                self.assertIn("destination_not_found", response.value("Proxy-Status"))
            else:
                self.assertEqual((response.status, response.body), (200, wanted.encode()))

    def test_by_host(self):
        _, proxy = self.groups(("one", "two", "below"), [
            {"host": "one.test", "to": "one"}, {"host": "two.test", "to": "two"},
            {"host": "*.two.test", "to": "below"}])
        for host, wanted in (("one.test", "one"), ("ONE.test", "one"), ("one.test:8080", "one"),
                             ("two.test", "two"), ("a.two.test", "below"),
                             ("a.b.TWO.test", "below"), ("atwo.test", None), ("x.one.test", None),
                             ("one.test.evil", None), ("127.0.0.1", None), ("[::1]", None)):
            self.check(proxy, host, "/", wanted)

    def test_by_path(self):
        _, proxy = self.groups(("api", "v2", "site"), [
            {"path": "/api/v2", "to": "v2"}, {"path": "/api/", "to": "api"}, {"to": "site"}])
        for path, wanted in (("/api/v2", "v2"), ("/api/v2/x", "v2"), ("/api/v2?x", "v2"),
                             ("/api/v20", "api"), ("/api/x", "api"), ("/api", "site"),
                             ("/apix", "site"), ("/", "site"), ("/API/x", "site"),
                             ("/?/api/", "site"), ("/x/api/", "site")):
            self.check(proxy, "any.test", path, wanted)

    def test_host_and_path_together_and_the_first_wins(self):
        _, proxy = self.groups(("a", "b", "c"), [
            {"host": "one.test", "path": "/x/", "to": "a"}, {"host": "one.test", "to": "b"},
            {"path": "/x/", "to": "c"}])
        for host, path, wanted in (("one.test", "/x/1", "a"), ("one.test", "/y", "b"),
                                   ("two.test", "/x/1", "c"), ("two.test", "/y", None)):
            self.check(proxy, host, path, wanted)

    def test_absolute_form_counts_more_than_host(self):
        origins, proxy = self.groups(("one", "two"), [
            {"host": "one.test", "to": "one"}, {"host": "two.test", "to": "two"}])
        response = self.ask(proxy, "http://two.test/p", host="one.test")
        self.assertEqual(response.body, b"two")
        self.assertEqual(origins["two"].requests[0].start, "GET /p HTTP/1.1")
        self.assertEqual(origins["two"].requests[0].values("Host"), ["two.test"])

    def test_no_route_keeps_the_connection(self):
        _, proxy = self.groups(("one",), [{"host": "one.test", "to": "one"}])
        client = self.client(proxy)
        self.assertEqual(client.request("/", host="two.test").status, 421)
        self.assertEqual(client.request("/", host="one.test").body, b"one")

    def test_single_group_needs_no_route(self):
        self.assertEqual(self.ask(self.reverse(self.origin()), "/").status, 200)

    def test_options_asterisk_goes_to_the_server(self):
        origins, proxy = self.groups(("one",), [{"to": "one"}])
        self.assertEqual(self.ask(proxy, "*", method="OPTIONS").body, b"one")
        self.assertEqual(origins["one"].requests[0].start, "OPTIONS * HTTP/1.1")

    def test_connect_is_not_for_reverse_listeners(self):
        _, proxy = self.groups(("one",), [{"to": "one"}])
        client = self.client(proxy)
        client.send(request_bytes("one.test:443", method="CONNECT", host="one.test:443"))
        self.assertEqual(client.read_response("CONNECT").status, 405)

    def route(self, **options):
        origins, proxy = self.groups(("one",), [{"to": "one"} | options])
        return origins["one"], proxy

    def test_host_header(self):
        origin, proxy = self.route()
        self.ask(proxy, "/", host="Public.test:81")
        self.assertEqual(origin.requests[0].values("Host"), ["Public.test:81"])
        origin, proxy = self.route(host_header="server")
        self.ask(proxy, "/", host="public.test")
        self.assertEqual(origin.requests[0].values("Host"), [origin.address])
        origin, proxy = self.route(host_header="set:inner.test:82")
        self.ask(proxy, "/", host="public.test")
        self.assertEqual(origin.requests[0].values("Host"), ["inner.test:82"])
        self.assertEqual(origin.requests[0].value("X-Forwarded-Host"), "public.test")

    def test_http10_without_host(self):
        origin, proxy = self.route()
        self.assertEqual(self.ask(proxy, "/", host=None, version="1.0").status, 200)
        self.assertEqual(origin.requests[0].values("Host"), [origin.address])

    def test_field_edits(self):
        origin, proxy = self.route(
            request={"remove": ["X-Gone", "x-both"], "set": {"X-Set": "new", "X-Fresh": "fresh"},
                     "add": {"X-Add": "more", "X-Both": "again"}},
            response={"remove": ["Server"], "set": {"X-Frame-Options": "DENY"},
                      "add": {"Link": ["</a>", "</b>"]}})
        origin.answer = response_bytes(b"", "Server: secret/1", "server: again", "Link: </0>",
                                       "X-Frame-Options: ALLOW", "X-Frame-Options: MAYBE")
        response = self.ask(proxy, "/", "x-gone: 1", "X-Gone: 2", "X-Set: a", "X-Set: b",
                            "X-Add: first", "X-Both: x", "X-Kept: k")
        request = origin.requests[0]
        wanted = {"X-Gone": [], "X-Set": ["new"], "X-Fresh": ["fresh"], "X-Add": ["first", "more"],
                  "X-Both": ["again"], "X-Kept": ["k"]}
        self.assertEqual({name: request.values(name) for name in wanted}, wanted)
        wanted = {"Server": [], "X-Frame-Options": ["DENY"], "Link": ["</0>", "</a>", "</b>"]}
        self.assertEqual({name: response.values(name) for name in wanted}, wanted)


class ServersTest(ScenarioTest):
    def test_round_robin(self):
        origins = [self.origin(response_bytes(str(n).encode())) for n in range(3)]
        client = self.client(self.reverse(*origins))
        got = [client.request("/").body for _ in range(9)]
        self.assertEqual(sorted(got), [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3)
        self.assertEqual(got[:3], got[3:6])

    def test_next_one_when_one_refuses(self):
        unused = socket.socket()
        unused.bind(("127.0.0.1", 0))
        self.addCleanup(unused.close)
        dead = "{}:{}".format(*unused.getsockname())
        origin = self.origin()
        client = self.client(self.reverse(dead, origin, dead))
        for number in range(6):
            self.assertEqual(client.request(f"/{number}", method="POST", body=b"once").status, 200)
        self.assertEqual([r.target for r in origin.requests], [f"/{n}" for n in range(6)])

    def test_unix_socket(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        inner, outer = (os.path.join(folder.name, name) for name in ("inner", "outer"))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(inner)
        listener.listen()
        origin = self.origin(sock=listener)
        proxy = self.reverse("unix:" + inner, listener=[
            {"address": "unix:" + outer, "mode": "reverse", "unix_mode": "0600"}])
        self.assertEqual(proxy.address, "unix:" + outer)
        self.assertEqual(stat.S_IMODE(os.stat(outer).st_mode), 0o600)
        client = self.client(proxy)
        for _ in range(3):
            self.assertEqual(client.request("/").status, 200)
        self.assertEqual(origin.requests[0].value("Host"), "example.test")
        self.assertEqual(len(origin.connections), 1)
        proxy.stop()
        self.assertFalse(os.path.exists(outer))

    def test_http10_without_host_to_a_unix_socket(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "inner")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        origin = self.origin(sock=listener)
        response = self.ask(self.reverse("unix:" + path), "/", host=None, version="1.0")
        self.assertEqual(response.status, 200)
        self.assertRegex(origin.requests[0].value("Host"), r"\A[a-z0-9.-]*\Z")

    def test_ipv6(self):
        sock = socket.create_server(("::1", 0), family=socket.AF_INET6)
        origin = self.origin(sock=sock)
        proxy = self.reverse(f"[::1]:{sock.getsockname()[1]}", proxy={"forwarded": True}, listener=[
            {"address": "[::1]:0", "mode": "reverse"}])
        self.assertRegex(proxy.address, r"\A\[::1\]:[0-9]+\Z")
        self.assertEqual(self.ask(proxy, "/").status, 200)
        self.assertEqual(origin.requests[0].value("X-Forwarded-For"), "::1")
        self.assertIn('for="[::1]"', origin.requests[0].value("Forwarded"))

    def test_all_addresses(self):
        proxy = self.reverse(self.origin(), listener=[{"address": "*:0", "mode": "reverse"}])
        port = proxy.address.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            self.assertEqual(self.ask(f"{host}:{port}", "/").status, 200)

    def test_forward_and_reverse_side_by_side(self):
        origin = self.origin()
        proxy = self.reverse(origin, listener=[{"address": "127.0.0.1:0", "mode": "reverse"},
                                               {"address": "127.0.0.1:0", "mode": "forward"}])
        self.assertEqual(self.ask(proxy.addresses[0], "/").status, 200)
        self.assertEqual(self.ask(proxy.addresses[1], "/").status, 400)
        self.assertEqual(self.ask(proxy.addresses[1], origin.url + "/").status, 200)


class ForwardingFieldsTest(ScenarioTest):
    def told(self, *fields, **settings):
        origin = self.origin()
        self.ask(self.reverse(origin, proxy=settings), "/", *fields, host="public.test:81")
        return origin.requests[0]

    def test_x_forwarded(self):
        request = self.told()
        self.assertEqual(request.values("X-Forwarded-For"), ["127.0.0.1"])
        self.assertEqual(request.values("X-Forwarded-Proto"), ["http"])
        self.assertEqual(request.values("X-Forwarded-Host"), ["public.test:81"])
        self.assertEqual(request.values("Forwarded"), [])

    def test_what_the_client_claims(self):
        """The address is added behind; protocol and host are what we know."""
        request = self.told("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2",
                            "X-Forwarded-Proto: https", "X-Forwarded-Proto: https",
                            "X-Forwarded-Host: evil.test")
        self.assertEqual(request.value("X-Forwarded-For"), "192.0.2.1, 192.0.2.2, 127.0.0.1")
        self.assertEqual(request.values("X-Forwarded-Proto"), ["http"])
        self.assertEqual(request.values("X-Forwarded-Host"), ["public.test:81"])

    def test_client_cannot_have_them_removed(self):
        request = self.told("Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto")
        self.assertEqual(request.values("X-Forwarded-For"), ["127.0.0.1"])
        self.assertEqual(request.values("X-Forwarded-Host"), ["public.test:81"])
        self.assertEqual(request.values("X-Forwarded-Proto"), ["http"])

    def test_forwarded(self):
        request = self.told("Forwarded: for=192.0.2.1", forwarded=True, x_forwarded=False)
        self.assertEqual(request.value("Forwarded"),
                         'for=192.0.2.1, for=127.0.0.1;host="public.test:81";proto=http')
        self.assertEqual(request.values("X-Forwarded-For"), [])
        self.assertEqual(request.values("X-Forwarded-Host"), [])


if __name__ == "__main__":
    unittest.main()
