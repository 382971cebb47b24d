"""TLS to the servers of a group and to parents: whose certificate is taken, and what is said when
none is."""

import socket
import ssl
import unittest

from doubles import DoublesTest, HealthOrigin
from doubles_login import BasicLogin
from doubles_proxy import ParentProxy
from doubles_tls import Authority, TlsFront
from harness import wait_until
from real_servers import Nginx, free_port
from wire import request_bytes, response_bytes


class TlsTest(DoublesTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = cls.enterClassContext(Authority())
        cls.stranger = cls.enterClassContext(Authority())
        cls.pair = cls.authority.issue("DNS:app.test,IP:127.0.0.1")

    def setUp(self):
        self.server = self.origin(lambda request, _: response_bytes(
            b"got " + request.target.encode() + b" " + request.body))

    def front(self, pair=None, target=None, **options):
        return self.double(TlsFront(target or self.server, pair or self.pair, **options))

    def secure(self, *servers, tls=None, by_name=False, **sections):
        """A reverse listener for them; as app.test if `by_name`."""
        trusted = {"ca_file": self.authority.path}
        addresses = [s.address.replace("127.0.0.1", "app.test") if by_name else s.address
                     for s in servers]
        return self.reverse(*servers, hosts={"app.test": "127.0.0.1"}, **{"upstream.app": {
            "servers": addresses, "tls": trusted if tls is None else tls}} | sections)

    def check_refused(self, proxy, error, why="", status=502):
        response = self.ask(proxy, "/")
        self.assertEqual(response.status, status)
        self.assertIn(f"error={error}", response.value("Proxy-Status"))
        self.assertIn(why, response.value("Proxy-Status"))
        self.assertEqual(self.server.requests, [])


class CertificateTest(TlsTest):
    def test_trusted(self):
        front = self.front()
        for by_name, asked in ((False, None), (True, "app.test")):
            client = self.client(self.secure(front, by_name=by_name))
            for number in range(3):
                response = client.request(f"/{number}", method="PUT", body=b"x" * 100_000)
                self.assertEqual(response.body, b"got /%d " % number + b"x" * 100_000)
            self.assertEqual(front.names[-1], asked)
        self.assertEqual(len(front.names), 2)  # one connection each

    def test_unknown_authority(self):
        pair = self.stranger.issue("IP:127.0.0.1")
        self.check_refused(self.secure(self.front(pair)), "tls_certificate_error")
        # It is not one of the system's either.
        self.check_refused(self.secure(self.front(), tls={}), "tls_certificate_error")

    def test_expired(self):
        pair = self.authority.issue("IP:127.0.0.1", days=-1)
        self.check_refused(self.secure(self.front(pair)), "tls_certificate_error",
                           "certificate has expired")

    def test_other_name(self):
        for names in ("DNS:other.test", "DNS:*.app.test", "IP:127.0.0.1"):
            pair = self.authority.issue(names)
            self.check_refused(self.secure(self.front(pair), by_name=True),
                               "tls_certificate_error", "hostname mismatch")
        pair = self.authority.issue("DNS:127.0.0.1,IP:127.0.0.2")
        self.check_refused(self.secure(self.front(pair)), "tls_certificate_error")

    def test_server_name(self):
        pair = self.authority.issue("DNS:inner.test")
        front = self.front(pair)
        tls = {"ca_file": self.authority.path, "server_name": "inner.test"}
        self.assertEqual(self.ask(self.secure(front, tls=tls), "/").status, 200)
        self.assertEqual(front.names, ["inner.test"])

    def test_insecure(self):
        for pair in (self.stranger.issue("DNS:other.test"),
                     self.authority.issue("DNS:other.test", days=-1)):
            proxy = self.secure(self.front(pair), tls={"insecure": True})
            self.assertEqual(self.ask(proxy, "/").status, 200)

    def test_client_certificate(self):
        certificate, key = self.authority.issue("DNS:proxy.test")
        front = self.front(clients=self.authority.path)
        tls = {"ca_file": self.authority.path, "certificate": certificate, "key": key}
        self.assertEqual(self.ask(self.secure(front, tls=tls), "/").status, 200)
        self.assertIn((("DNS", "proxy.test"),), [c["subjectAltName"] for c in front.certificates])

    def test_missing_client_certificate(self):
        # With TLS 1.3 the refusal comes when the client takes itself to be connected.
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                front = self.front(clients=self.authority.path, versions=(version, version))
                self.check_refused(self.secure(front), "tls_alert_received")

    def test_versions(self):
        old = self.front(versions=(None, ssl.TLSVersion.TLSv1_2))
        self.assertEqual(self.ask(self.secure(old), "/").status, 200)
        tls = {"ca_file": self.authority.path, "min_version": "1.3"}
        proxy = self.secure(old, tls=tls)
        response = self.ask(proxy, "/")
        self.assertEqual(response.status, 502)
        self.assertRegex(response.value("Proxy-Status"),
                         "error=tls_(alert_received|protocol_error)")


class FaultTest(TlsTest):
    def test_plain_server(self):
        plain = self.origin(serve=lambda wire: wire.send(response_bytes(status="400 Bad")))
        self.check_refused(self.secure(plain), "tls_protocol_error")

    def test_server_that_ends_in_the_handshake(self):
        closing = self.origin(serve=lambda wire: wire.fill())
        response = self.ask(self.secure(closing), "/")
        self.assertEqual(response.status, 502)
        self.assertRegex(response.value("Proxy-Status"),
                         "error=(tls_protocol_error|connection_terminated)")

    def test_server_that_says_nothing(self):
        silent = HealthOrigin()
        self.addCleanup(silent.stop)
        hanging = self.origin(serve=lambda wire: silent.hang())
        self.addCleanup(silent.stopping.set)
        self.check_refused(self.secure(hanging, timeouts={"connect": "150ms"}),
                           "connection_timeout", status=504)

    def test_another_server_takes_the_request(self):
        bad = self.front(self.stranger.issue("IP:127.0.0.1"))
        client = self.client(self.secure(bad, self.front()))
        for number in range(8):
            self.assertEqual(client.request(f"/{number}").body, b"got /%d " % number)

    def test_cut_without_close_notify(self):
        """A response that is as long as the connection is cut off by whoever cuts that."""
        def cut(wire):
            wire.socket.settimeout(5)
            secure = context.wrap_socket(wire.socket, server_side=True)
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
            sock = socket.socket(fileno=secure.detach())
            sock.close()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair)
        server = self.origin(serve=cut)
        client = self.client(self.secure(server))
        client.send(request_bytes("/"))
        client.read_response_head()
        with self.assertRaises(Exception) as caught:
            client.read_exactly(7)  # the whole of one chunk
            client.read_until(b"0\r\n\r\n")
        self.assertIn(str(caught.exception), ("end", "reset"))

    def test_sessions_are_resumed(self):
        front = self.front()
        self.server.answer = response_bytes(b"x", "Connection: close")
        client = self.client(self.secure(front))
        for _ in range(4):
            self.assertEqual(client.request("/").status, 200)
        self.assertIn(True, front.sessions)

    def test_checked_over_tls(self):
        bad = self.front(self.stranger.issue("IP:127.0.0.1"))
        good = self.front()
        proxy = self.secure(bad, good, **{"upstream.app.check": {
            "type": "http", "interval": "20ms", "fall": 1}})
        wait_until(lambda: any("out of service" in line for line in proxy.log), "the check")
        for number in range(6):
            self.assertEqual(self.ask(proxy, f"/{number}").status, 200)

    def test_nginx(self):
        certificate, key = self.pair
        port = free_port()
        listen = (f"listen 127.0.0.1:{port} ssl; ssl_certificate {certificate};"
                  f" ssl_certificate_key {key};")
        with Nginx(locations=listen) as nginx:
            nginx.put("large", b"x" * 3_000_000)
            proxy = self.reverse(**{"upstream.app": {
                "servers": [f"127.0.0.1:{port}"], "tls": {"ca_file": self.authority.path}}})
            client = self.client(proxy)
            for _ in range(3):
                self.assertEqual(client.request("/hello.txt").body, b"hello from nginx\n")
            self.assertEqual(len(client.request("/large").body), 3_000_000)


class PeerTest(TlsTest):
    def through_peer(self, parent, pair=None, login=None, **tls):
        front = self.front(pair, target=parent)
        peer = {"name": "parent", "address": front.address,
                "tls": {"ca_file": self.authority.path} | tls}
        port = int(self.server.address.rpartition(":")[2])
        proxy = self.forward(peer=[peer | ({"login": login} if login else {})],
                             route=[{"via": "parent"}], forward={"connect_ports": [port]})
        return front, proxy

    def check_both(self, proxy):
        client = self.client(proxy)
        url = self.server.url
        for number in range(2):
            response = client.request(f"{url}/{number}", method="PUT", body=b"x" * 50_000)
            self.assertEqual(response.body, b"got /%d " % number + b"x" * 50_000)
        target = self.server.address
        client.send(request_bytes(target, method="CONNECT", host=target))
        self.assertEqual(client.read_response_head("CONNECT").status, 200)
        response = client.request("/in", method="PUT", body=b"y" * 50_000)
        self.assertEqual(response.body, b"got /in " + b"y" * 50_000)

    def test_requests_and_tunnels(self):
        parent = self.double(ParentProxy(login=BasicLogin({"alice": "secret"})))
        front, proxy = self.through_peer(parent, login={"user": "alice", "password": "secret"})
        self.check_both(proxy)
        self.assertEqual(parent.tunnels, [self.server.address])
        self.assertEqual(front.failures, [])

    def test_wrong_certificate(self):
        parent = self.double(ParentProxy())
        _, proxy = self.through_peer(parent, self.stranger.issue("IP:127.0.0.1"))
        response = self.ask(proxy, f"{self.server.url}/")
        self.assertEqual(response.status, 502)
        self.assertIn("tls_certificate_error", response.value("Proxy-Status"))
        self.assertEqual(parent.requests, [])


if __name__ == "__main__":
    unittest.main()
