"""The doubles themselves, asked directly, so that tests can rely on them."""

import os
import socket
import time
import unittest

from doubles import STATUS, DoublesTest, HealthOrigin
from doubles_dns import DnsServer, ask
from doubles_login import (BasicLogin, BasicOrigin, DigestLogin, DigestOrigin, NtlmOrigin,
                           opaque_token)
from doubles_proxy import ParentProxy, Socks5Proxy
from harness import wait_until
from real_servers import free_port
from wire import Cut, chunked, head_bytes, response_bytes

USERS = {"alice": "secret", "bob": 'pass"word'}


class HealthOriginTest(DoublesTest):
    def setUp(self):
        self.health = self.double(HealthOrigin("one"))

    def test_status_body_and_counts(self):
        url = self.health.url
        self.assertEqual(self.curl(f"{url}/a?x", f"{url}/a", f"{url}/health"), "oneoneone")
        self.assertEqual([self.health.count(path) for path in ("/a", "/health", "/b", None)],
                         [2, 1, 0, 3])
        self.health.behave("/health", status="503 Sick", body=b"ill")
        self.assertEqual(self.curl(*STATUS, f"{url}/health"), "ill 503")
        self.assertEqual(self.curl(*STATUS, f"{url}/a"), "one 200")
        self.health.behave(status="500 Broken")
        self.assertEqual(self.curl(*STATUS, f"{url}/a"), "one 500")
        self.health.recover()
        self.assertEqual(self.curl(*STATUS, f"{url}/health"), "one 200")

    def test_fields_and_delay(self):
        self.health.behave(delay=0.2, fields=("X-A: b",))
        began = time.monotonic()
        self.assertIn("X-A: b\n", self.curl("--include", self.health.url))
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_reset_close_cut_and_hang(self):
        for then, code in (("reset", 56), ("close", 52), ("cut", 18)):
            with self.subTest(then):
                self.health.behave(then=then, body=b"long enough to be cut in its middle" * 9)
                self.curl(self.health.url, code=code)
        self.health.behave(then="hang")
        self.curl("--max-time", "0.3", self.health.url, code=28)

    def test_refused_and_taken_again(self):
        kept = self.client(self.health.address)
        self.assertEqual(kept.request("/").body, b"one")
        for _ in range(3):
            self.health.refuse_connections()
            self.curl(self.health.url, code=7)
            self.assertEqual(kept.request("/").body, b"one")  # what is open goes on
            self.health.recover()
            self.assertEqual(self.curl(self.health.url), "one")

    def test_idle_connections_are_ended_on_command(self):
        clients = [self.client(self.health.address) for _ in range(3)]
        for client in clients:
            client.request("/")
        wait_until(lambda: len(self.health.idle_connections) == 3, "them to be idle")
        self.assertEqual(self.health.close_idle(), 3)
        for client in clients:
            self.assertTrue(client.ends())


class LoginOriginTest(DoublesTest):
    def test_basic(self):
        origin = self.double(BasicOrigin(**USERS))
        for user, password in USERS.items():
            said = self.curl("--basic", "--user", f"{user}:{password}", origin.url)
            self.assertEqual(said, f"hello {user}")
        for wrong in ("alice:wrong", "nobody:secret", "alice:"):
            self.assertEqual(self.curl(*STATUS, "--user", wrong, origin.url), "who are you? 401")
        self.assertEqual([request.user for request in origin.requests],
                         ["alice", "bob", None, None, None])

    def test_digest(self):
        for algorithm in ("MD5", "SHA-256", "MD5-sess", "SHA-256-sess"):
            for qop in ("auth", "", "auth,auth-int"):
                if algorithm.endswith("-sess") and not qop:
                    continue
                with self.subTest(algorithm=algorithm, qop=qop):
                    origin = self.double(DigestOrigin(USERS, algorithms=[algorithm], qop=qop))
                    said = self.curl("--digest", "--user", 'bob:pass"word', f"{origin.url}/a?b=c",
                                     f"{origin.url}/d")
                    self.assertEqual(said, "hello bobhello bob")
                    said = self.curl(*STATUS, "--digest", "--user", "bob:wrong", origin.url)
                    self.assertEqual(said, "who are you? 401")

    def test_digest_with_a_body_and_a_choice_of_algorithms(self):
        origin = self.double(DigestOrigin(USERS, algorithms=["SHA-256", "MD5"]))
        said = self.curl("--digest", "--user", "alice:secret", "--data", "body", origin.url)
        self.assertEqual(said, "hello alice")
        self.assertEqual(origin.requests[-1].body, b"body")

    def test_stale_nonces(self):
        origin = self.double(DigestOrigin(USERS))
        client = self.client(origin.address)
        self.assertNotIn("stale", client.request("/").value("WWW-Authenticate"))
        said = self.curl("--digest", "--user", "alice:secret", origin.url)
        self.assertEqual(said, "hello alice")
        used = f"Authorization: {origin.requests[-1].value('Authorization')}"
        # Used twice: a replay, not a stale nonce.
        self.assertNotIn("stale", client.request("/", used).value("WWW-Authenticate"))
        self.assertEqual(origin.login.replays, 1)
        origin.login.make_stale()
        self.assertIn("stale=true", client.request("/", used).value("WWW-Authenticate"))
        self.assertNotIn("stale", client.request("/").value("WWW-Authenticate"))

    def test_digest_is_for_one_target(self):
        origin = self.double(DigestOrigin(USERS))
        self.curl("--digest", "--user", "alice:secret", f"{origin.url}/a")
        used = f"Authorization: {origin.requests[-1].value('Authorization')}"
        self.assertEqual(self.ask(origin, "/b", used).status, 401)


class NtlmOriginTest(DoublesTest):
    def test_curl(self):
        origin = self.double(NtlmOrigin("alice", "bob"))
        said = self.curl("--ntlm", "--user", "alice:secret", f"{origin.url}/1", f"{origin.url}/2")
        self.assertEqual(said, "hello alicehello alice")
        self.assertEqual([(r.leg, r.user, r.connection) for r in origin.requests],
                         [("begin", None, 0), ("finish", "alice", 0), ("bound", "alice", 0)])
        said = self.curl("--ntlm", "--user", "DOMAIN\\bob:x", "--data", "body", origin.url)
        self.assertEqual(said, "hello bob")
        self.assertEqual(origin.requests[-1].body, b"body")
        self.assertEqual(origin.users_by_connection, ["alice", "bob"])
        self.assertEqual(origin.strays, 0)

    def test_curl_as_somebody_unknown(self):
        origin = self.double(NtlmOrigin("alice"))
        said = self.curl(*STATUS, "--ntlm", "--user", "eve:x", origin.url)
        self.assertEqual(said, "who are you? 401")
        self.assertEqual(origin.requests[-1].leg, "failed")

    def test_opaque_tokens(self):
        origin = self.double(NtlmOrigin())
        client = self.client(origin.address)

        def say(text=None):
            fields = [f"Authorization: {opaque_token(text)}"] if text else []
            response = client.request("/", *fields)
            return response.status, response.body.decode()

        who = (401, "who are you?")
        self.assertEqual(say(), who)
        self.assertEqual(say("begin alice"), who)
        self.assertEqual(say("finish alice"), (200, "hello alice"))
        self.assertEqual(say(), (200, "hello alice"))
        self.assertEqual(say("ticket bob"), (200, "hello bob"))
        self.assertEqual(say("nonsense"), who)
        self.assertEqual(say(), who)  # what failed ended the login before
        self.assertEqual(origin.strays, 0)

    def test_a_handshake_on_two_connections_is_noticed(self):
        origin = self.double(NtlmOrigin())
        first, second = self.client(origin.address), self.client(origin.address)
        begin, finish = (f"Authorization: {opaque_token(t)}" for t in ("begin a", "finish a"))
        self.assertEqual(first.request("/", begin).status, 401)
        self.assertEqual(second.request("/", finish).status, 401)
        self.assertEqual(origin.strays, 1)
        self.assertEqual(origin.requests[-1].leg, "failed")

    def test_ntlm_inside_negotiate(self):
        origin = self.double(NtlmOrigin())
        self.curl("--ntlm", "--user", "alice:x", origin.url)
        messages = [request.value("Authorization").replace("NTLM ", "Negotiate ")
                    for request in origin.requests]
        client = self.client(origin.address)
        first = client.request("/", f"Authorization: {messages[0]}")
        self.assertTrue(first.value("WWW-Authenticate").startswith("Negotiate TlRMTVNTUAAC"))
        self.assertEqual(client.request("/", f"Authorization: {messages[1]}").body,
                         b"hello alice")

    def test_the_login_ends_with_its_connection(self):
        origin = self.double(NtlmOrigin())
        client = self.client(origin.address)
        token = f"Authorization: {opaque_token('ticket alice')}"
        self.assertEqual(client.request("/", token).body, b"hello alice")
        wait_until(lambda: origin.close_idle() == 1, "the connection to be idle")
        self.assertTrue(client.ends())
        self.assertEqual(self.ask(origin, "/").status, 401)


class Socks5ProxyTest(DoublesTest):
    def setUp(self):
        self.target = self.origin(response_bytes(b"through the tunnel"))
        self.port = int(self.target.address.rpartition(":")[2])

    def fetch(self, proxy, host="127.0.0.1", remote=True, code=0, user=None):
        use = "--socks5-hostname" if remote else "--socks5"
        login = ["--proxy-user", user] if user else []
        return self.curl(use, proxy.address, *login, f"http://{host}:{self.port}/", code=code)

    def test_targets(self):
        proxy = self.double(Socks5Proxy(hosts={"app.test": "127.0.0.1", "::2": "127.0.0.1"}))
        self.assertEqual(self.fetch(proxy, "app.test"), "through the tunnel")
        self.assertEqual(self.fetch(proxy, remote=False), "through the tunnel")
        self.assertEqual([(a.kind, a.host, a.port, a.user) for a in proxy.asked],
                         [("name", "app.test", self.port, None),
                          ("ipv4", "127.0.0.1", self.port, None)])
        self.assertEqual(self.fetch(proxy, "[::2]"), "through the tunnel")
        self.assertEqual((proxy.asked[-1].kind, proxy.asked[-1].host), ("ipv6", "::2"))

    def test_each_kind_of_reply(self):
        for kind in ("ipv4", "ipv6", "name"):
            proxy = self.double(Socks5Proxy(reply_type=kind))
            self.assertEqual(self.fetch(proxy), "through the tunnel")

    def test_login(self):
        proxy = self.double(Socks5Proxy(users=USERS))
        self.assertEqual(self.fetch(proxy, user="alice:secret"), "through the tunnel")
        self.fetch(proxy, user="alice:wrong", code=97)
        self.fetch(proxy, code=97)
        self.assertEqual(proxy.logins, [("alice", "secret"), ("alice", "wrong")])
        self.assertEqual([asked.user for asked in proxy.asked], ["alice"])

    def test_refusals(self):
        proxy = self.double(Socks5Proxy(refuse=2))
        self.fetch(proxy, code=97)
        proxy.refuse = None
        self.assertEqual(self.fetch(proxy), "through the tunnel")

    def test_reply_codes(self):
        proxy = self.double(Socks5Proxy())

        def reply(command=1, port=self.port):
            wire = self.client(proxy.address)
            wire.send(b"\x05\x01\x00")
            self.assertEqual(wire.read_exactly(2), b"\x05\x00")
            wire.send(bytes([5, command, 0, 1, 127, 0, 0, 1]) + port.to_bytes(2, "big"))
            return wire.read_exactly(4)[1]

        self.assertEqual(reply(), 0)
        self.assertEqual(reply(command=2), 7)
        self.assertEqual(reply(port=free_port()), 5)

    def test_stalls(self):
        proxy = self.double(Socks5Proxy(users=USERS))
        for stall in ("greeting", "login", "request"):
            proxy.stall = stall
            client = self.client(proxy.address)
            client.send(b"\x05\x01\x02")
            if stall != "greeting":
                self.assertEqual(client.read_exactly(2), b"\x05\x02")
                client.send(b"\x01\x05alice\x06secret")
            if stall == "request":
                self.assertEqual(client.read_exactly(2), b"\x01\x00")
                client.send(b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50")
            client.socket.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                client.read_exactly(1)

    def test_much_data_and_half_closes(self):
        def swallow(wire):
            wire.send(wire.read_to_end()[::-1])

        origin = self.origin(serve=swallow)
        proxy = self.double(Socks5Proxy())
        host, port = origin.address.split(":")
        wire = self.client(proxy.address)
        wire.send(b"\x05\x01\x00" + b"\x05\x01\x00\x01" + socket.inet_aton(host)
                  + int(port).to_bytes(2, "big"))
        wire.read_exactly(12)
        data = os.urandom(3_000_000)
        wire.send(data)
        wire.finish_sending()
        self.assertTrue(wire.read_to_end() == data[::-1])


class ParentProxyTest(DoublesTest):
    def setUp(self):
        self.target = self.origin(response_bytes(b"from the origin"))

    def fetch(self, proxy, *arguments, url=None, code=0):
        return self.curl("--proxy", proxy.url, *arguments, url or self.target.url, code=code)

    def test_absolute_form(self):
        proxy = self.double(ParentProxy("p", hosts={"app.test": self.target.address}))
        said = self.fetch(proxy, "--include", "--data", "body", url="http://app.test/a?b")
        self.assertIn("X-Parent: p\n", said)
        self.assertTrue(said.endswith("from the origin"))
        self.assertEqual(proxy.requests[0].target, "http://app.test/a?b")
        at_origin = self.target.requests[0]
        self.assertEqual((at_origin.start, at_origin.body, at_origin.value("Host")),
                         ("POST /a?b HTTP/1.1", b"body", "app.test"))

    def test_connections_are_kept(self):
        proxy = self.double(ParentProxy())
        self.assertEqual(self.fetch(proxy, self.target.url), "from the origin" * 2)
        self.assertEqual([len(proxy.connections), len(self.target.connections)], [1, 1])
        client = self.client(proxy.address)
        for number in (1, 2):
            self.assertEqual(client.request(self.target.url).body, b"from the origin")
            self.assertEqual(len(self.target.connections), number + 1)
            self.target.connections[number].break_off()  # so the next one is new

    def test_framings(self):
        proxy = self.double(ParentProxy())
        self.target.answer = head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(
            b"in chunks")
        self.assertEqual(self.fetch(proxy), "in chunks")
        self.target.answer = response_bytes(b"")[:-2].replace(b"0", b"9") + b"\r\n"
        self.assertIn("Content-Length: 9", self.fetch(proxy, "--head"))
        self.target.answer = head_bytes("HTTP/1.1 204 No Content")
        self.assertEqual(self.fetch(proxy, *STATUS), " 204")

        def until_close(_, wire):
            wire.send(head_bytes("HTTP/1.1 200 OK") + b"to the end")
            raise Cut("end")

        self.target.answer = until_close
        self.assertEqual(self.fetch(proxy), "to the end")

    def test_connect(self):
        proxy = self.double(ParentProxy(hosts={"app.test": self.target.address}))
        self.assertEqual(self.fetch(proxy, "--proxytunnel", url="http://app.test:80/"),
                         "from the origin")
        self.assertEqual(proxy.tunnels, ["app.test:80"])
        self.fetch(proxy, "--proxytunnel", url=f"http://127.0.0.1:{free_port()}/", code=56)
        self.assertEqual(len(proxy.tunnels), 1)

    def test_bytes_that_come_with_the_200(self):
        proxy = self.double(ParentProxy(early=b"hello"))
        client = self.client(proxy.address)
        client.send(head_bytes(f"CONNECT {self.target.address} HTTP/1.1", "Host: a"))
        client.read_head()
        self.assertEqual(client.read_exactly(5), b"hello")

    def test_logins(self):
        for login, use in ((BasicLogin(USERS), "--proxy-basic"),
                           (DigestLogin(USERS), "--proxy-digest"),
                           (DigestLogin(USERS, algorithms=["SHA-256"]), "--proxy-digest")):
            proxy = self.double(ParentProxy(login=login))
            for tunnel in ([], ["--proxytunnel"]):
                with self.subTest(use=use, tunnel=tunnel):
                    said = self.fetch(proxy, use, "--proxy-user", "alice:secret", *tunnel)
                    self.assertEqual(said, "from the origin")
                    self.assertEqual(proxy.requests[-1].user, "alice")
            self.assertIn(" 407", self.fetch(proxy, *STATUS, use, "--proxy-user", "alice:x"))
            self.assertEqual(self.target.requests[-1].values("Proxy-Authorization"), [])

    def test_failures(self):
        proxy = self.double(ParentProxy("p", fail="503 Sick"))
        self.assertEqual(self.fetch(proxy, *STATUS), "p: 503 Sick 503")
        self.fetch(proxy, "--proxytunnel", code=56)
        proxy.fail = "reset"
        self.fetch(proxy, code=56)
        proxy.fail = "close"
        self.fetch(proxy, code=52)
        proxy.fail = "hang"
        self.fetch(proxy, "--max-time", "0.3", code=28)
        proxy.fail = None
        self.assertEqual(self.fetch(proxy), "from the origin")

    def test_a_login_bound_to_a_connection_works_through_it(self):
        proxy = self.double(ParentProxy())
        origin = self.double(NtlmOrigin())
        said = self.fetch(proxy, "--ntlm", "--user", "alice:x", origin.url, url=origin.url)
        self.assertEqual(said, "hello alicehello alice")
        self.assertEqual(origin.strays, 0)


class DnsServerTest(DoublesTest):
    def setUp(self):
        self.dns = self.double(DnsServer())
        self.dns.set("app.test", "A", "127.0.0.1", "127.0.0.2", ttl=5)
        self.dns.set("app.test", "AAAA", "::1")
        self.dns.set("_http._tcp.app.test", "SRV", (1, 2, 80, "a.app.test"), (3, 4, 81, "b.test"))
        self.dns.set("www.test", "CNAME", "app.test")

    def ask(self, *arguments, **options):
        return ask(self.dns.address, *arguments, **options)

    def test_records(self):
        for options in ({}, {"tcp": True}, {"edns": 1232}):
            reply = self.ask("App.Test", "A", **options)
            self.assertEqual((reply.code, reply.values, reply.question, reply.answers[0].ttl),
                             ("NOERROR", ["127.0.0.1", "127.0.0.2"], ("App.Test", "A"), 5))
            self.assertEqual(self.ask("app.test", "AAAA", **options).values, ["::1"])
            self.assertEqual(self.ask("_http._tcp.app.test", "SRV", **options).values,
                             [(1, 2, 80, "a.app.test"), (3, 4, 81, "b.test")])
        self.assertEqual(self.dns.count("app.test"), 6)
        self.assertEqual(self.dns.count("app.test", "AAAA"), 3)
        self.assertEqual(self.dns.count(kind="SRV"), 3)
        self.assertEqual(self.dns.questions[3], ("app.test", "A", "tcp"))

    def test_alias(self):
        self.assertEqual([(r.type, r.value) for r in self.ask("www.test").answers],
                         [("CNAME", "app.test"), ("A", "127.0.0.1"), ("A", "127.0.0.2")])

    def test_records_change(self):
        self.dns.set("app.test", "A", "127.0.0.9")
        self.assertEqual(self.ask("app.test").values, ["127.0.0.9"])
        self.dns.set("app.test", "A")
        self.assertEqual((self.ask("app.test").code, self.ask("app.test").values),
                         ("NOERROR", []))
        self.dns.forget("app.test")
        self.assertEqual(self.ask("app.test", "AAAA").code, "NXDOMAIN")

    def test_names_that_are_not_there(self):
        reply = self.ask("no.test")
        self.assertEqual((reply.code, reply.values), ("NXDOMAIN", []))
        self.assertEqual([(r.type, r.ttl) for r in reply.authority], [("SOA", 60)])
        reply = self.ask("www.test", "SRV")
        self.assertEqual((reply.code, [r.type for r in reply.authority]), ("NOERROR", ["SOA"]))

    def test_troubles(self):
        for how in ("SERVFAIL", "REFUSED", "NXDOMAIN"):
            self.dns.fail("app.test", how)
            self.assertEqual((self.ask("app.test").code, self.ask("app.test").values), (how, []))
        self.dns.fail("app.test", "garbage")
        with self.assertRaises(Exception):
            self.ask("app.test")
        self.dns.fail("app.test", "drop")
        with self.assertRaises(TimeoutError):
            self.ask("app.test", limit=0.2)
        self.assertEqual(self.ask("www.test").code, "NOERROR")
        self.dns.fail("app.test", None)
        self.assertEqual(len(self.ask("app.test").values), 2)

    def test_delay_is_for_one_name_only(self):
        self.dns.delay("app.test", 30)
        with self.assertRaises(TimeoutError):
            self.ask("app.test", limit=0.2)
        self.assertEqual(self.ask("no.test").code, "NXDOMAIN")
        self.dns.delay("app.test", 0.2)
        began = time.monotonic()
        self.assertEqual(len(self.ask("app.test").values), 2)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_what_is_too_large_for_udp(self):
        self.dns.set("many.test", "A", *(f"10.0.0.{i}" for i in range(60)))
        self.assertEqual((self.ask("many.test").truncated, self.ask("many.test").values),
                         (True, []))
        self.assertEqual(len(self.ask("many.test", tcp=True).values), 60)
        self.assertEqual(len(self.ask("many.test", edns=4096).values), 60)
        self.dns.fail("app.test", "truncate")
        self.assertTrue(self.ask("app.test").truncated)
        self.assertEqual(len(self.ask("app.test", tcp=True).values), 2)


if __name__ == "__main__":
    unittest.main()
