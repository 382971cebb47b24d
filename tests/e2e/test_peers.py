"""Forward listeners whose requests go through other proxies: parents that speak HTTP, with logins
and without, and SOCKS servers."""

import collections
import socket
import threading
import unittest

from doubles import STATUS, DoublesTest, HealthOrigin
from doubles_login import BasicLogin, DigestLogin
from doubles_proxy import ParentProxy, Socks5Proxy
from harness import Client, wait_until
from real_servers import Dante, Squid
from wire import Cut, request_bytes, response_bytes

USERS = {"alice": "secret", "bob": 'pass"word'}


class Everywhere:
    """As `hosts` of a ParentProxy: every name leads to one address."""

    def __init__(self, address):
        self.address = address

    def get(self, _host, _default):
        return self.address


class PeerTest(DoublesTest):
    def setUp(self):
        self.server = self.origin(lambda request, _: response_bytes(
            b"got " + request.target.encode() + b" " + request.body))
        self.port = self.server.address.rpartition(":")[2]

    def peer(self, address, name="parent", **options):
        return {"name": name, "address": getattr(address, "address", address)} | options

    def through(self, *peers, via=None, **sections):
        """A forward listener, through the peers in turn unless `via` says otherwise."""
        names = via or [peer["name"] for peer in peers]
        return self.forward(**({
            "peer": list(peers),
            "route": [{"via": names}],
            "forward": {"connect_ports": [int(self.port), 443]},
        } | sections))

    def nobody(self):
        """An address that refuses connections."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.addCleanup(sock.close)
        return "{}:{}".format(*sock.getsockname())

    def connect(self, proxy, target):
        """The answer to a CONNECT, and the connection."""
        client = self.client(proxy)
        client.send(request_bytes(target, method="CONNECT", host=target))
        return client.read_response("CONNECT"), client

    def check_tunnel(self, proxy, target=None):
        target = target or self.server.address
        client = self.client(proxy)
        client.send(request_bytes(target, method="CONNECT", host=target))
        self.assertEqual(client.read_response_head("CONNECT").status, 200)
        self.assertEqual(client.request("/tunnelled").body, b"got /tunnelled ")

    def check_refused(self, response, status, error, detail=None):
        said = response.value("Proxy-Status")
        self.assertEqual(response.status, status, said)
        self.assertIn(f"error={error}", said)
        if detail:
            self.assertIn(detail, said)


class SquidTest(PeerTest):
    def test_basic_login(self):
        with Squid(users=USERS, hosts={"app.test": "127.0.0.1"}) as squid:
            for login in ({"user": "alice", "password": "secret"},
                          {"user": "bob", "password": 'pass"word', "scheme": "basic"}):
                proxy = self.through(self.peer(squid, login=login))
                url = f"http://app.test:{self.port}/a"
                for use in ([], ["--proxytunnel"]):
                    said = self.curl(*use, "--proxy", f"http://{proxy.address}", url, url)
                    self.assertEqual(said, "got /a got /a ")
            wrong = self.through(self.peer(squid, login={"user": "alice", "password": "x"}))
            response = self.ask(wrong, f"http://app.test:{self.port}/a", host="app.test")
            self.check_refused(response, 502, "proxy_configuration_error", "login_refused")
            response, _ = self.connect(wrong, f"app.test:{self.port}")
            self.check_refused(response, 502, "proxy_configuration_error", "login_refused")
            wait_until(lambda: "CONNECT" in squid.read("access.log"), "its log")
        self.assertEqual(len(self.server.requests), 8)
        for request in self.server.requests:
            self.assertIsNone(request.value("Proxy-Authorization"))
        self.assertEqual(self.server.requests[0].value("Via").count(","), 1)

    def test_digest_login(self):
        with Squid(users=USERS, scheme="digest") as squid:
            proxy = self.through(self.peer(squid, login={"user": "bob", "password": 'pass"word'}))
            for use in ([], ["--proxytunnel"]):
                url = f"{self.server.url}/d"
                said = self.curl(*use, "--proxy", f"http://{proxy.address}", url, "--next",
                                 "-q", "-sS", "--proxy", f"http://{proxy.address}", *use,
                                 "--data", "body", url)
                self.assertEqual(said, "got /d got /d body")

    def test_clients_log_in_themselves(self):
        for scheme in ("basic", "digest"):
            with self.subTest(scheme), Squid(users=USERS, scheme=scheme) as squid:
                proxy = self.through(self.peer(squid, pass_login=True))
                url = f"{self.server.url}/p"
                use = [f"--proxy-{scheme}", "--proxy", f"http://{proxy.address}", "--proxy-user"]
                for tunnel in ([], ["--proxytunnel"]):
                    self.assertEqual(self.curl(*tunnel, *use, "alice:secret", url), "got /p ")
                said = self.curl(*use, "alice:x", "-o", "/dev/null", *STATUS, url)
                self.assertEqual(said, " 407")
                self.curl("--proxytunnel", *use, "alice:x", url, code=56)


class FallBackTest(PeerTest):
    def test_next_peer_and_the_direct_way(self):
        good = self.double(ParentProxy("good"))
        dead = self.peer(self.nobody(), "dead")
        proxy = self.through(dead, self.peer(good, "good"))
        response = self.ask(proxy, f"{self.server.url}/1")
        self.assertEqual((response.status, response.value("X-Parent")), (200, "good"))
        self.check_tunnel(proxy)
        self.assertEqual(good.tunnels, [self.server.address])
        direct = self.through(dead, via=["dead", "direct"])
        response = self.ask(direct, f"{self.server.url}/2")
        self.assertEqual((response.status, response.value("X-Parent")), (200, None))
        self.check_tunnel(direct)

    def test_no_way_is_left(self):
        proxy = self.through(self.peer(self.nobody(), "a"), self.peer(self.nobody(), "b"))
        self.check_refused(self.ask(proxy, f"{self.server.url}/"), 502, "connection_refused")
        self.check_refused(self.connect(proxy, self.server.address)[0], 502, "connection_refused")

    def test_parent_that_takes_too_long(self):
        # It takes connections, and leaves a CONNECT without an answer.
        slow = self.double(ParentProxy("slow", fail="hang"))
        proxy = self.through(self.peer(slow), via=["parent", "direct"],
                             timeouts={"connect": "200ms", "stall": "200ms"})
        self.check_tunnel(proxy)
        # A request that was sent may have been acted upon.
        response = self.ask(proxy, f"{self.server.url}/", method="POST", body=b"x")
        self.check_refused(response, 504, "http_response_timeout")
        self.assertEqual([r.method for r in self.server.requests], ["GET"])

    def test_parent_that_ends_connections(self):
        for how in ("close", "reset"):
            with self.subTest(how):
                bad = self.double(ParentProxy("bad", fail=how))
                good = self.double(ParentProxy("good"))
                proxy = self.through(self.peer(bad, "bad"), self.peer(good, "good"))
                self.check_tunnel(proxy)
                self.assertEqual(self.ask(proxy, f"{self.server.url}/").value("X-Parent"), "good")

    def test_what_a_parent_forbids_is_not_bypassed(self):
        strict = self.double(ParentProxy("strict", fail="403 Forbidden"))
        other = self.double(ParentProxy("other"))
        proxy = self.through(self.peer(strict, "strict"), self.peer(other, "other"),
                             via=["strict", "other", "direct"])
        self.check_refused(self.connect(proxy, self.server.address)[0], 403,
                           "http_request_denied", "not_allowed")
        response = self.ask(proxy, f"{self.server.url}/")
        self.assertEqual((response.status, response.value("X-Parent")), (403, "strict"))
        self.assertEqual((other.requests, self.server.requests), ([], []))

    def test_answers_to_connect(self):
        parent = self.double(ParentProxy())
        proxy = self.through(self.peer(parent))
        for fail, status, error in (("502 Bad", 502, "destination_ip_unroutable"),
                                    ("503 Sick", 502, "destination_ip_unroutable"),
                                    ("504 Late", 504, "connection_timeout"),
                                    ("500 Odd", 502, "http_protocol_error"),
                                    ("407 Who", 502, "proxy_configuration_error")):
            with self.subTest(fail):
                parent.fail = fail
                self.check_refused(self.connect(proxy, self.server.address)[0], status, error)

    def test_bytes_behind_the_answer_to_connect(self):
        parent = self.double(ParentProxy(early=b"I speak first"))
        client = self.client(self.through(self.peer(parent)))
        target = self.server.address
        client.send(request_bytes(target, method="CONNECT", host=target))
        self.assertEqual(client.read_response_head("CONNECT").status, 200)
        self.assertEqual(client.read_exactly(13), b"I speak first")
        self.assertEqual(client.request("/x").body, b"got /x ")

    def test_names_are_for_the_parent_to_resolve(self):
        parent = self.double(ParentProxy(hosts={"only.there.test": "127.0.0.1"}))
        proxy = self.through(self.peer(parent))
        name = f"only.there.test:{self.port}"
        self.assertEqual(self.ask(proxy, f"http://{name}/n", host=name).body, b"got /n ")
        self.check_tunnel(proxy, name)
        self.assertEqual(parent.requests[0].target, f"http://{name}/n")
        self.assertEqual(parent.requests[0].values("Host"), [name])

    def test_ejected_after_failures(self):
        listener = HealthOrigin()
        self.addCleanup(listener.stop)
        listener.behave(then="reset")
        proxy = self.through(self.peer(listener, ejection={"failures": 3, "time": "1m",
                                                           "max_share": 100}),
                             via=["parent", "direct"])
        for _ in range(10):
            self.assertEqual(self.ask(proxy, f"{self.server.url}/").status, 200)
        self.assertEqual(listener.count(), 3)
        wait_until(lambda: any("left alone" in line for line in proxy.log), "the word of it")

    def test_checked(self):
        parent = self.double(ParentProxy())
        proxy = self.through(
            self.peer(self.nobody(), "dead", check={"type": "tcp", "interval": "20ms", "fall": 1}),
            self.peer(parent))
        wait_until(lambda: any("out of service" in line for line in proxy.log), "the check")
        self.assertEqual(self.ask(proxy, f"{self.server.url}/").status, 200)


class LoginTest(PeerTest):
    def parent_with(self, check, **options):
        parent = self.double(ParentProxy(login=check))
        return parent, self.through(self.peer(parent, **options))

    def check_works(self, proxy, parent, user):
        client = self.client(proxy)
        for number in range(3):
            response = client.request(f"{self.server.url}/{number}", method="PUT", body=b"data")
            self.assertEqual(response.body, b"got /%d data" % number)
        self.check_tunnel(proxy)
        self.assertEqual({r.user for r in parent.requests if r.user}, {user})
        for request in self.server.requests:
            self.assertIsNone(request.value("Proxy-Authorization"))

    def test_digest(self):
        for algorithms in (["MD5"], ["SHA-256"], ["SHA-256", "MD5"], ["MD5-sess"]):
            with self.subTest(algorithms):
                login = DigestLogin(USERS, algorithms=algorithms)
                parent, proxy = self.parent_with(login, login={"user": "bob",
                                                               "password": 'pass"word'})
                self.check_works(proxy, parent, "bob")
                self.assertEqual(login.replays, 0)
                strangers = sum(request.user is None for request in parent.requests)
                self.assertEqual(strangers, 1)  # asked once, known ever after
                login.make_stale()
                self.check_works(proxy, parent, "bob")

    def test_basic(self):
        parent, proxy = self.parent_with(BasicLogin(USERS), login={"user": "alice",
                                                                   "password": "secret"})
        self.check_works(proxy, parent, "alice")

    def test_only_digest_is_wanted_but_basic_offered(self):
        _, proxy = self.parent_with(BasicLogin(USERS), login={
            "user": "alice", "password": "secret", "scheme": "digest"})
        response = self.ask(proxy, f"{self.server.url}/")
        self.check_refused(response, 502, "proxy_configuration_error")

    def test_what_clients_send_is_not_for_the_parent(self):
        parent, proxy = self.parent_with(None)
        self.ask(proxy, f"{self.server.url}/", "Proxy-Authorization: Basic eDp5")
        self.assertIsNone(parent.requests[0].value("Proxy-Authorization"))

    def test_challenge_is_handed_on(self):
        _, proxy = self.parent_with(BasicLogin(USERS), pass_login=True)
        response = self.ask(proxy, f"{self.server.url}/")
        self.assertEqual(response.status, 407)
        self.assertIn("Basic", response.value("Proxy-Authenticate"))
        response, _ = self.connect(proxy, self.server.address)
        self.assertEqual(response.status, 407)
        self.assertIn("Basic", response.value("Proxy-Authenticate"))

    def test_a_client_logs_in_after_407(self):
        parent, proxy = self.parent_with(BasicLogin(USERS), pass_login=True)
        client = self.client(proxy)
        login = "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0"
        self.assertEqual(client.request(f"{self.server.url}/").status, 407)
        self.assertEqual(client.request(f"{self.server.url}/", login).status, 200)
        response, client = self.connect(proxy, self.server.address)
        self.assertEqual(response.status, 407)
        self.assertEqual(response.connection_options, {"close"})
        client = self.client(proxy)
        target = self.server.address
        client.send(request_bytes(target, login, method="CONNECT", host=target))
        self.assertEqual(client.read_response_head("CONNECT").status, 200)
        self.assertEqual(client.request("/in").body, b"got /in ")
        self.assertEqual({r.user for r in parent.requests}, {None, "alice"})

    def test_clients_do_not_share_a_tunnel(self):
        """A tunnel that one client logged in for is of no use to another."""
        parent, proxy = self.parent_with(BasicLogin(USERS), pass_login=True)
        target = self.server.address
        client = self.client(proxy)
        client.send(request_bytes(target, "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0",
                                  method="CONNECT", host=target))
        self.assertEqual(client.read_response_head("CONNECT").status, 200)
        self.assertEqual(self.connect(proxy, target)[0].status, 407)
        self.assertEqual(len(parent.tunnels), 1)


class OrderTest(PeerTest):
    def test_hosts_are_spread_and_stay(self):
        parents = [self.double(ParentProxy(f"p{n}", hosts=Everywhere(self.server.address)))
                   for n in range(3)]
        proxy = self.through(*(self.peer(p, p.name) for p in parents),
                             route=[{"via": ["p0", "p1", "p2"], "via_order": "host"}])
        client = self.client(proxy)

        def ask(number):
            host = f"h{number}.test"
            return client.request(f"http://{host}/", host=host).value("X-Parent")

        first = [ask(n) for n in range(60)]
        self.assertEqual([ask(n) for n in range(60)], first)
        counts = collections.Counter(first)
        self.assertEqual(set(counts), {"p0", "p1", "p2"})
        self.assertTrue(all(count >= 8 for count in counts.values()), counts)
        # Without one of them its hosts go to others, and the others' hosts stay.
        parents[0].listener.shutdown(socket.SHUT_RDWR)
        parents[0].listener.close()
        for wire in parents[0].connections:
            wire.break_off()
        after = [ask(n) for n in range(60)]
        self.assertNotIn("p0", after)
        for before, now in zip(first, after):
            if before != "p0":
                self.assertEqual(now, before)
        self.assertEqual({n for b, n in zip(first, after) if b == "p0"}, {"p1", "p2"})

    def test_routes_by_host_and_path(self):
        parent = self.double(ParentProxy(hosts=Everywhere(self.server.address)))
        proxy = self.through(
            self.peer(parent), hosts={"in.test": "127.0.0.1"},
            route=[{"host": "in.test", "via": "direct"}, {"path": "/api/", "via": "parent"},
                   {"host": "*.out.test", "via": "parent"}])
        for host, path, wanted in (("in.test", "/", None), ("in.test", "/api/x", None),
                                   ("a.out.test", "/", "parent"), ("127.0.0.1", "/", None),
                                   ("127.0.0.1", "/api/", "parent")):
            host = f"{host}:{self.port}"
            response = self.ask(proxy, f"http://{host}{path}", host=host)
            self.assertEqual((response.status, response.value("X-Parent")), (200, wanted), host)


class SocksTest(PeerTest):
    def socks(self, login=None, **options):
        double = self.double(Socks5Proxy(**options))
        peer = self.peer(double, type="socks5", **({"login": login} if login else {}))
        return double, self.through(peer, timeouts={"connect": "2s"})

    def check_both(self, proxy):
        client = self.client(proxy)
        name = f"app.test:{self.port}"
        for number in range(3):
            response = client.request(f"http://{name}/{number}", method="PUT", body=b"x",
                                      host=name)
            self.assertEqual(response.body, b"got /%d x" % number)
        self.check_tunnel(proxy, name)

    def test_names_are_resolved_there(self):
        socks, proxy = self.socks(hosts={"app.test": "127.0.0.1"})
        self.check_both(proxy)
        self.assertEqual([(a.kind, a.host, a.port) for a in socks.asked],
                         [("name", "app.test", int(self.port))] * 2)  # one kept, one for CONNECT
        # To the server itself, not as to a proxy.
        self.assertEqual(self.server.requests[0].start, "PUT /0 HTTP/1.1")
        self.ask(proxy, f"{self.server.url}/")
        self.assertEqual((socks.asked[-1].kind, socks.asked[-1].host), ("ipv4", "127.0.0.1"))

    def test_login(self):
        socks, proxy = self.socks(users=USERS, hosts={"app.test": "127.0.0.1"},
                                  login={"user": "bob", "password": 'pass"word'})
        self.check_both(proxy)
        self.assertEqual({asked.user for asked in socks.asked}, {"bob"})

    def test_replies_of_all_kinds(self):
        for kind in ("ipv4", "ipv6", "name"):
            with self.subTest(kind):
                _, proxy = self.socks(reply_type=kind, hosts={"app.test": "127.0.0.1"})
                self.check_both(proxy)

    def test_wrong_login(self):
        for login in ({"user": "bob", "password": "x"}, None):
            _, proxy = self.socks(users=USERS, login=login)
            self.check_refused(self.ask(proxy, f"{self.server.url}/"), 502,
                               "proxy_configuration_error")
            self.check_refused(self.connect(proxy, self.server.address)[0], 502,
                               "proxy_configuration_error")

    def test_refusals(self):
        socks, proxy = self.socks()
        for code, status, error in ((1, 502, "http_protocol_error"),
                                    (2, 403, "http_request_denied"),
                                    (3, 502, "destination_ip_unroutable"),
                                    (4, 502, "destination_ip_unroutable"),
                                    (5, 502, "connection_refused"), (6, 504, "connection_timeout"),
                                    (7, 502, "http_protocol_error"),
                                    (8, 502, "http_protocol_error"),
                                    (99, 502, "http_protocol_error")):
            with self.subTest(code):
                socks.refuse = code
                self.check_refused(self.ask(proxy, f"{self.server.url}/"), status, error)
                self.check_refused(self.connect(proxy, self.server.address)[0], status, error)
        socks.refuse = None
        self.check_tunnel(proxy)
        self.assertFalse(any("left alone" in line for line in proxy.log), proxy.log)

    def test_stalls(self):
        for stall in ("greeting", "login", "request"):
            with self.subTest(stall):
                double = self.double(Socks5Proxy(users=USERS, stall=stall))
                proxy = self.through(
                    self.peer(double, type="socks5", login={"user": "bob", "password": "p"}),
                    timeouts={"connect": "100ms"})
                if stall == "request":
                    double.users = {"bob": "p"}
                self.check_refused(self.ask(proxy, f"{self.server.url}/"), 504,
                                   "connection_timeout")

    def test_dante(self):
        with Dante() as dante:
            proxy = self.through(self.peer(dante, type="socks5"))
            use = ["--proxy", f"http://{proxy.address}"]
            url = f"http://localhost:{self.port}/d"
            self.assertEqual(self.curl(*use, url, url), "got /d got /d ")
            self.assertEqual(self.curl(*use, "--proxytunnel", url), "got /d ")
            dead = self.nobody()
            self.check_refused(self.ask(proxy, f"http://{dead}/", host=dead), 502,
                               "connection_refused")


class TunnelLifeTest(PeerTest):
    def test_the_end_is_passed_on_both_ways(self):
        def echo(wire):
            wire.send(wire.read_to_end())

        target = self.origin(serve=echo).address
        client = self.client(self.through(
            self.peer(self.double(ParentProxy())),
            forward={"connect_ports": [int(target.rpartition(":")[2])]}))
        client.send(request_bytes(target, method="CONNECT", host=target))
        self.assertEqual(client.read_response_head("CONNECT").status, 200)
        client.send(b"x" * 300_000)
        client.finish_sending()
        self.assertEqual(client.read_to_end(), b"x" * 300_000)

    def test_many_at_once(self):
        parent = self.double(ParentProxy(login=DigestLogin(USERS)))
        proxy = self.through(
            self.peer(parent, login={"user": "bob", "password": 'pass"word'}), workers={"count": 2})
        failures = []

        def work(number):
            try:
                client = Client(proxy.address)
                for turn in range(10):
                    said = client.request(f"{self.server.url}/{number}-{turn}").body
                    if said != b"got /%d-%d " % (number, turn):
                        failures.append(said)
                client.close()
            except (Cut, OSError) as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(parent.login.replays, 0)


if __name__ == "__main__":
    unittest.main()
