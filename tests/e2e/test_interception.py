"""Connections that were on their way to others: a client, a router on which Penstock listens, and a
server, each in a network namespace of its own."""

import json
import os
import re
import socket
import ssl
import unittest

from doubles_tls import Authority
from harness import Client, Origin, ScenarioTest, wait_until
from namespaces import Namespace
from real_servers import find_program
from wire import LIMIT, request_bytes, response_bytes

SERVER = {4: "10.77.2.2", 6: "[fd77:2::2]"}
CLIENT = {4: "10.77.1.2", 6: "[fd77:1::2]"}
ROUTER = {4: "10.77.1.1", 6: "[fd77:1::1]"}
ELSEWHERE = {4: "10.77.2.9", 6: "[fd77:2::9]"}  # where nobody is
PORT, TLS_PORT = 8080, 8443  # of the rules
KINDS = ("redirect", "tproxy")

with open(os.path.join(os.path.dirname(__file__), "../../docs/listeners.md"),
          encoding="utf-8") as manual:
    BLOCKS = re.findall(r"^```\w*\n(.*?)^```", manual.read(), re.MULTILINE | re.DOTALL)


def documented(word):
    """The rules or commands of the manual with that word."""
    block, = [block for block in BLOCKS if word in block]
    return block.replace("lan0", "inside")


RULES = {"redirect": documented(" redirect to "), "tproxy": documented(" tproxy to ")}
COMMANDS = documented("ip rule add")
# They see the proxy's own connections, too: a mistake that is easily made.
GREEDY_RULES = """
    table inet greedy {
      chain output {
        type nat hook output priority -100
        tcp dport 80 redirect to :8080
      }
    }
"""


def setUpModule():
    global client, router, server  # pylint: disable=global-statement
    client, router, server = Namespace(), Namespace(), Namespace()
    router.join("inside", client, "eth0", 1)
    router.join("outside", server, "eth0", 2)
    client.ip("route", "add", "default", "via", "10.77.1.1")
    client.ip("route", "add", "default", "via", "fd77:1::1")
    for command in re.findall(r"^ip (.*)", COMMANDS, re.MULTILINE):
        router.ip(*command.split())


def tearDownModule():
    for host in (client, router, server):
        host.close()


def plain(address):
    return address.strip("[]")


class InterceptionTest(ScenarioTest):
    launcher = ()

    def setUp(self):
        self.launcher = router.through

    def serve(self, version, port=80, **options):
        """An origin on the server."""
        def listen():
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            return socket.create_server((plain(SERVER[version]), port), family=family)

        return self.origin(sock=server.run(listen), **options)

    def connect(self, address):
        """From the client's host."""
        connection = client.run(Client, address)
        self.addCleanup(connection.close)
        return connection

    def intercept(self, kind, **sections):
        router.nft(RULES[kind])
        return self.penstock({
            "listener": [{"address": f"*:{PORT}", "intercept": kind}],
            "log": {"access": "stderr"},
        } | sections)

    def logged(self, penstock, count=1):
        """The lines of the access log."""
        def lines():
            found = [json.loads(line) for line in penstock.log if line.startswith("{")]
            return found if len(found) >= count else None

        return wait_until(lines, "a line of the access log")

    def each(self):
        for kind in KINDS:
            for version in SERVER:
                yield self.subTest(kind=kind, version=version), kind, version


class HttpTest(InterceptionTest):
    def test_requests_reach_the_server_they_were_on_their_way_to(self):
        for this, kind, version in self.each():
            with this:
                origin = self.serve(version, answer=response_bytes(b"here"))
                penstock = self.intercept(kind)
                connection = self.connect(f"{SERVER[version]}:80")
                # Whatever they name.
                for host in ("elsewhere.example", f"{ELSEWHERE[version]}:81"):
                    response = connection.request("/x", host=host)
                    self.assertEqual((response.status, response.body), (200, b"here"))
                    self.assertEqual(origin.requests[-1].target, "/x")
                    self.assertEqual(origin.requests[-1].values("host"), [host])
                for line in self.logged(penstock, 2):
                    self.assertEqual(line["server"], f"{SERVER[version]}:80")
                    self.assertTrue(line["client"].startswith(f"{CLIENT[version]}:"))
                self.finish(penstock, origin)

    def test_a_listener_of_one_family_is_enough_for_it(self):
        addresses = {("redirect", 4): "10.77.1.1:8080", ("redirect", 6): "[fd77:1::1]:8080",
                     ("tproxy", 4): "127.0.0.1:8080", ("tproxy", 6): "[::1]:8080"}
        for this, kind, version in self.each():
            with this:
                origin = self.serve(version)
                router.nft(RULES[kind].replace(
                    "tproxy to :8080", "tproxy ip to 127.0.0.1:8080" if version == 4 else
                    "tproxy ip6 to [::1]:8080"))
                penstock = self.penstock({
                    "listener": [{"address": addresses[kind, version], "intercept": kind}]})
                response = self.connect(f"{SERVER[version]}:80").request("/", host="a.example")
                self.assertEqual(response.status, 200)
                self.finish(penstock, origin)

    def test_several_workers_and_connections(self):
        for this, kind, version in self.each():
            with this:
                origin = self.serve(version)
                penstock = self.intercept(kind, workers={"count": 3})
                connections = [self.connect(f"{SERVER[version]}:80") for _ in range(20)]
                for connection in connections:
                    connection.send(request_bytes("/", host="a.example"))
                for connection in connections:
                    self.assertEqual(connection.read_response("GET").status, 200)
                self.assertEqual(len(origin.requests), 20)
                self.finish(penstock, origin)

    def test_nobody_there(self):
        for this, kind, version in self.each():
            with this:
                origin = self.serve(version)
                penstock = self.intercept(kind)
                # Nobody listens at this port of the router.
                address = {4: "10.77.2.1:80", 6: "[fd77:2::1]:80"}[version]
                if kind == "redirect":
                    response = self.connect(address).request("/", host=SERVER[version])
                    self.assertIn(response.status, (502, 503))
                self.assertEqual(origin.requests, [])
                self.finish(penstock, origin)

    def test_whoever_connects_to_the_port_itself_gets_an_error(self):
        for this, kind, version in self.each():
            with this:
                origin = self.serve(version)
                penstock = self.intercept(kind)
                connection = self.connect(f"{ROUTER[version]}:{PORT}")
                response = connection.request("/", host=SERVER[version])
                self.assertGreaterEqual(response.status, 400)
                self.assertEqual(origin.requests, [])
                line, = self.logged(penstock)
                self.assertEqual(line["detail"], "intercepted_loop")
                self.finish(penstock, origin)

    def test_own_connections_caught_by_the_rules(self):
        """What comes back to the proxy that sent it is refused, not sent again."""
        for version in SERVER:
            with self.subTest(version=version):
                origin = self.serve(version)
                router.nft(RULES["redirect"] + GREEDY_RULES)
                penstock = self.penstock({
                    "listener": [{"address": "*:8080", "intercept": "redirect"}],
                    "log": {"access": "stderr"}})
                connection = self.connect(f"{SERVER[version]}:80")
                response = connection.request("/", host="a.example")
                self.assertGreaterEqual(response.status, 400)
                self.assertEqual(origin.requests, [])
                self.assertEqual(len(self.logged(penstock, 2)), 2)
                self.finish(penstock, origin)

    def finish(self, penstock, origin):
        """Before the next ones take their ports."""
        penstock.stop()
        origin.stop()
        router.nft("")


class TlsOriginHere:
    """A TLS server that says the name it was asked for, on one address of the server."""

    def __init__(self, identity, version, port):
        self.names = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        listener = server.run(socket.create_server, (plain(SERVER[version]), port), family=family)
        self.origin = Origin(sock=context.wrap_socket(listener, server_side=True,
                                                      do_handshake_on_connect=False))


class TlsByNameTest(InterceptionTest):
    """TCP mode: TLS goes on as it is, to where the name in the ClientHello leads."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.authority.__enter__()
        cls.addClassCleanup(cls.authority.__exit__)
        cls.identity = cls.authority.issue("DNS:a.example,DNS:b.example")

    def tls_origin(self, version, port):
        double = TlsOriginHere(self.identity, version, port)
        self.addCleanup(double.origin.stop)
        return double

    def fetch(self, version, name):
        context = ssl.create_default_context(cafile=self.authority.path)

        def connect():
            return socket.create_connection((plain(SERVER[version]), 443), timeout=LIMIT)

        with client.run(connect) as sock:
            with context.wrap_socket(sock, server_hostname=name) as tls:
                tls.sendall(request_bytes("/", host=name))
                return tls.recv(65536)

    def test_to_the_original_destination_or_where_a_route_leads(self):
        for this, kind, version in self.each():
            with this:
                original = self.tls_origin(version, 443)
                other = self.tls_origin(version, 4443)
                router.nft(RULES[kind])
                penstock = self.penstock({
                    "listener": [{"address": f"*:{TLS_PORT}", "mode": "tcp",
                                  "intercept": kind}],
                    "route": [{"host": "b.example", "to": "other"}],
                    "upstream.other": {"servers": [f"{SERVER[version]}:4443"]},
                    "log": {"access": "stderr"}})
                self.assertIn(b" 200 ", self.fetch(version, "a.example"))
                self.assertEqual((original.names, other.names), (["a.example"], []))
                self.assertIn(b" 200 ", self.fetch(version, "b.example"))
                self.assertEqual((original.names, other.names), (["a.example"], ["b.example"]))
                servers = [line["server"] for line in self.logged(penstock, 2)]
                self.assertEqual(servers, [f"{SERVER[version]}:443", f"{SERVER[version]}:4443"])
                penstock.stop()
                original.origin.stop()
                other.origin.stop()
                router.nft("")

    def test_whoever_connects_to_the_port_itself_is_cut_off(self):
        for this, kind, version in self.each():
            with this:
                router.nft(RULES[kind])
                penstock = self.penstock({
                    "listener": [{"address": f"*:{TLS_PORT}", "mode": "tcp",
                                  "intercept": kind}],
                    "log": {"access": "stderr"}})
                try:
                    connection = self.connect(f"{ROUTER[version]}:{TLS_PORT}")
                    connection.send(b"this is no ClientHello\r\n")
                    self.assertTrue(connection.ends())
                except ConnectionError:
                    pass  # that soon
                self.assertEqual(len(self.logged(penstock)), 1)
                penstock.stop()
                router.nft("")


class RightsTest(InterceptionTest):
    def test_tproxy_without_the_right_to(self):
        if os.geteuid() != 0:
            self.skipTest("only root has rights to give up")
        self.launcher = [*router.through, find_program("setpriv"),
                        "--bounding-set=-net_admin,-net_raw"]
        with self.assertRaisesRegex(AssertionError, r"can't listen on \[::\]:8080: Operation not "
                                                    r'permitted; intercept = "tproxy" needs root, '
                                                    r"CAP_NET_ADMIN or CAP_NET_RAW"):
            self.penstock({"listener": [{"address": "*:8080", "intercept": "tproxy"}]})


if __name__ == "__main__":
    unittest.main()
