"""Forward listeners: which targets they take, and which they must not reach."""

import os
import socket
import tempfile
import unittest

from harness import ScenarioTest
from wire import head_bytes, response_bytes


def port_of(address):
    return int(address.rpartition(":")[2])


class TargetTest(ScenarioTest):
    def setUp(self):
        self.server = self.origin()

    def test_absolute_form(self):
        client = self.client(self.forward())
        url = self.server.url
        for target, path in ((f"{url}/a/b?c=d", "/a/b?c=d"), (url, "/"), (f"{url}?q", "/?q"),
                             (f"{url}//x/../y", "//x/../y"), (f"{url}/%7e%2F", "/%7e%2F"),
                             (url.replace("http", "HTTP") + "/up", "/up")):
            with self.subTest(target):
                self.assertEqual(client.request(target).status, 200)
                request = self.server.requests[-1]
                self.assertEqual(request.start, f"GET {path} HTTP/1.1")
                self.assertEqual(request.value("Host"), self.server.address)

    def test_host_is_that_of_the_target(self):
        """Whatever Host says (RFC 9112 section 3.2.2)."""
        client = self.client(self.forward())
        for host in ("other.test", "127.0.0.1:1", self.server.address):
            client.request(self.server.url + "/", host=host)
            self.assertEqual(self.server.requests[-1].values("Host"), [self.server.address])
        self.ask(self.forward(), self.server.url + "/", host=None, version="1.0")
        self.assertEqual(self.server.requests[-1].values("Host"), [self.server.address])

    def test_host_names(self):
        client = self.client(self.forward())
        port = port_of(self.server.address)
        for host in ("localhost", "LocalHost"):
            self.assertEqual(client.request(f"http://{host}:{port}/").status, 200)
            self.assertEqual(self.server.requests[-1].value("Host").lower(), f"localhost:{port}")

    def test_ipv6(self):
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        server = self.origin(sock=listener)
        url = f"[::1]:{listener.getsockname()[1]}"
        self.assertEqual(self.ask(self.forward(), f"http://{url}/").status, 200)
        self.assertEqual(server.requests[0].value("Host"), url)

    def test_other_servers_through_one_connection(self):
        others = [self.origin(response_bytes(str(n).encode())) for n in range(5)]
        client = self.client(self.forward())
        for turn in range(3):
            for number, server in enumerate(others):
                response = client.request(f"{server.url}/{turn}")
                self.assertEqual(response.body, str(number).encode())

    def test_origin_form(self):
        response = self.ask(self.forward(), "/", host=self.server.address)
        self.assertEqual(response.status, 400)
        self.assertIn(b"forward proxy", response.body)
        self.assertEqual(self.server.connections, [])

    def test_other_schemes(self):
        for scheme in ("https", "ftp", "ws", "x"):
            with self.subTest(scheme):
                response = self.ask(self.forward(), f"{scheme}://{self.server.address}/")
                self.assertEqual(response.status, 501)
        self.assertEqual(self.server.connections, [])

    def test_client_is_not_told_about(self):
        self.ask(self.forward(), self.server.url + "/")
        names = {name.lower() for name, _ in self.server.requests[0].fields}
        self.assertFalse(names & {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
                                  "forwarded"}, names)

    def test_unix_listener(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        address = "unix:" + os.path.join(folder.name, "proxy.sock")
        proxy = self.forward(listener=[{"address": address}])
        self.assertEqual(self.ask(proxy.address, self.server.url + "/").status, 200)


class OptionsTest(ScenarioTest):
    def test_asterisk_asks_the_proxy(self):
        response = self.ask(self.forward(), "*", method="OPTIONS")
        self.assertEqual(response.status, 200)
        self.assertIn("GET", response.value("Allow"))

    def test_of_a_whole_server(self):
        """An empty path becomes the asterisk (RFC 9112 section 3.2.4)."""
        server = self.origin()
        client = self.client(self.forward())
        client.request(server.url, method="OPTIONS")
        client.request(server.url + "/", method="OPTIONS")
        self.assertEqual([r.target for r in server.requests], ["*", "/"])

    def test_max_forwards(self):
        server = self.origin()
        client = self.client(self.forward())
        for method in ("OPTIONS", "TRACE"):
            with self.subTest(method):
                server.requests.clear()
                response = client.request(server.url + "/", "Max-Forwards: 0", "X-Mark: m",
                                          "Cookie: secret", "Authorization: Basic c2VjcmV0",
                                          method=method)
                self.assertEqual((response.status, server.requests), (200, []))
                if method == "TRACE":
                    self.assertEqual(response.value("Content-Type"), "message/http")
                    self.assertIn(b"X-Mark: m\r\n", response.body)
                    self.assertNotIn(b"ecret", response.body)
                    self.assertNotIn(b"c2VjcmV0", response.body)
                client.request(server.url + "/", "Max-Forwards: 3", method=method)
                self.assertEqual(server.requests[0].values("Max-Forwards"), ["2"])

    def test_max_forwards_of_other_methods_is_left_alone(self):
        server = self.origin()
        self.ask(self.forward(), server.url + "/", "Max-Forwards: 0")
        self.assertEqual(server.requests[0].values("Max-Forwards"), ["0"])


class ConnectPortTest(ScenarioTest):
    def connect(self, proxy, authority):
        client = self.client(proxy)
        client.send(head_bytes(f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"))
        return client.read_head()

    def test_only_443_by_default(self):
        server = self.origin()
        for authority in (server.address, "127.0.0.1:22", "127.0.0.1:80", "localhost:25"):
            with self.subTest(authority):
                response = self.connect(self.forward(), authority)
                self.assertEqual(response.status, 403)
                self.assertIn("http_request_denied", response.value("Proxy-Status"))
        self.assertEqual(server.connections, [])

    def test_443_is_tried(self):
        status = self.connect(self.forward(timeouts={"connect": "200ms"}), "127.0.0.1:443").status
        self.assertIn(status, (200, 502, 504))

    def test_configured_ports(self):
        server, other = self.origin(), self.origin()
        proxy = self.forward(forward={"connect_ports": [port_of(server.address)]})
        self.assertEqual(self.connect(proxy, server.address).status, 200)
        self.assertEqual(self.connect(proxy, other.address).status, 403)
        proxy = self.forward(forward={"connect_ports": []})
        self.assertEqual(self.connect(proxy, "127.0.0.1:443").status, 403)

    def test_authority_that_is_none(self):
        proxy = self.forward(forward={"connect_ports": [1, 443]})
        for authority in ("127.0.0.1", "127.0.0.1:", ":443", "127.0.0.1:99999", "127.0.0.1:443/",
                          "http://127.0.0.1:443", "a@127.0.0.1:443", "127.0.0.1:0x1bb", "[::1]",
                          "127.0.0.1:+443", "127.0.0.1:-1"):
            with self.subTest(authority):
                self.assertEqual(self.connect(proxy, authority).status, 400)


class LoopTest(ScenarioTest):
    def check_both(self, proxy, authority, status=508):
        response = self.ask(proxy, f"http://{authority}/")
        self.assertEqual(response.status, status, authority)
        client = self.client(proxy)
        client.send(head_bytes(f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"))
        self.assertEqual(client.read_response().status, status, authority)

    def with_own_port(self, address, hosts, **sections):
        """A proxy on that address that may CONNECT to its own port, which another one found."""
        probe = socket.create_server((address.strip("[]"), 0), family=socket.AF_INET6
                                     if ":" in address else socket.AF_INET)
        port = probe.getsockname()[1]
        probe.close()
        proxy = self.forward(listener=[{"address": f"{address}:{port}"}],
                             forward={"connect_ports": [port]} | sections)
        for host in hosts:
            with self.subTest(f"{host} at {address}"):
                self.check_both(f"127.0.0.1:{port}" if address != "[::1]" else proxy,
                                f"{host}:{port}")

    def test_own_address(self):
        self.with_own_port("127.0.0.1", ("127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"))

    def test_own_address_where_it_listens_on_all(self):
        self.with_own_port("0.0.0.0", ("127.0.0.1", "localhost", "0.0.0.0", "127.9.9.9",
                                       "[::ffff:127.0.0.1]"), local_targets="allow")
        self.with_own_port("0.0.0.0", ("127.0.0.1", "localhost", "0.0.0.0"))

    def test_own_ipv6_address(self):
        self.with_own_port("[::1]", ("[::1]", "[::]", "[0:0:0:0:0:0:0:1]"))

    def test_another_listener_of_its_own(self):
        proxy = self.forward(listener=[{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0"}])
        self.assertEqual(self.ask(proxy, f"http://{proxy.addresses[1]}/").status, 508)

    def test_loop_through_another_server(self):
        """Via tells, however far the request went."""
        def back(request, _):
            seen.append(request.value("Via"))
            again = self.ask(proxy, url + "/", f"Via: {request.value('Via')}, 1.1 another")
            return response_bytes(str(again.status).encode())

        seen = []
        proxy = self.forward(proxy={"name": "edge-1"})
        url = self.origin(back).url
        self.assertEqual(self.ask(proxy, url + "/").body, b"508")
        self.assertEqual(seen, ["1.1 edge-1"])

    def test_reverse_listener_as_its_own_server(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = "unix:" + os.path.join(folder.name, "inner.sock")
        proxy = self.reverse(path, listener=[{"address": "127.0.0.1:0", "mode": "reverse"},
                                             {"address": path, "mode": "reverse"}])
        self.assertEqual(self.ask(proxy, "/").status, 508)

    def test_via_in_any_spelling(self):
        proxy = self.forward(proxy={"name": "edge-1"})
        server = self.origin()
        for via in ("1.1 edge-1", "HTTP/1.1 EDGE-1", "1.0 a, 1.1 edge-1 (comment), 1.1 b",
                    "1.0\tedge-1"):
            with self.subTest(via):
                response = self.ask(proxy, server.url + "/", "Via: 1.1 x", f"Via: {via}")
                self.assertEqual(response.status, 508)
                self.assertIn("proxy_loop_detected", response.value("Proxy-Status"))
        self.assertEqual(server.connections, [])
        for via in ("1.1 edge-12", "1.1 other (edge-1)", "1.1 edge", "edge-1"):
            with self.subTest(via):
                self.assertEqual(self.ask(proxy, server.url + "/", f"Via: {via}").status, 200)


class LocalTargetTest(ScenarioTest):
    PLAIN = ("127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]",
             "[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.255.255.254", "169.254.169.254",
             "[fe80::1]", "[::ffff:169.254.169.254]")
    ODD = ("localhost.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
           "017700000001", "0", "0x0", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "127.0.0.1.")

    def everywhere(self, **forward):
        proxy = self.forward(listener=[{"address": "0.0.0.0:0"}], forward=forward,
                             timeouts={"connect": "500ms"})
        return proxy.address.replace("0.0.0.0", "127.0.0.1")

    def test_not_through_a_listener_for_all(self):
        server = self.origin()
        port = port_of(server.address)
        proxy = self.everywhere(connect_ports=[port])
        for host in self.PLAIN + self.ODD:
            with self.subTest(host):
                response = self.ask(proxy, f"http://{host}:{port}/")
                self.assertIn(response.status, (400, 403, 502), response)
                # Other spellings may be no addresses to the resolver, which is as well.
                if host in self.PLAIN:
                    self.assertEqual(response.status, 403)
                    self.assertIn("error=destination_ip_prohibited",
                                  response.value("Proxy-Status"))
                client = self.client(proxy)
                client.send(head_bytes(f"CONNECT {host}:{port} HTTP/1.1", "Host: a"))
                self.assertIn(client.read_response().status, (400, 403, 502))
        self.assertEqual(server.connections, [])

    def test_nor_where_they_are_denied(self):
        server = self.origin()
        proxy = self.forward(forward={"local_targets": "deny"})
        for host in ("127.0.0.1", "localhost", "0.0.0.0"):
            response = self.ask(proxy, f"http://{host}:{port_of(server.address)}/")
            self.assertEqual(response.status, 403)
        self.assertEqual(server.connections, [])

    def test_unless_they_are_allowed(self):
        server = self.origin()
        proxy = self.everywhere(local_targets="allow")
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            with self.subTest(host):
                response = self.ask(proxy, f"http://{host}:{port_of(server.address)}/")
                self.assertEqual(response.status, 200)


if __name__ == "__main__":
    unittest.main()
