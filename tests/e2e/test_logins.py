"""Logins: those that belong to a connection (NTLM, Negotiate) and may never be mixed up, those of
clients that pass through, and those the proxy makes itself at the servers."""

import os
import re
import socket
import tempfile
import threading
import unittest

from doubles import STATUS, Double, DoublesTest
from doubles_login import (BasicOrigin, DigestLogin, DigestOrigin, LoginOrigin, NtlmOrigin,
                           opaque_token)
from doubles_proxy import ParentProxy
from harness import Client, wait_until
from real_servers import Apache
from wire import Cut, request_bytes, response_bytes

USERS = {"alice": "secret", "bob": 'pass"word', "carol": "c"}


def negotiate(text):
    return "Authorization: " + opaque_token(text)


class LoginTest(DoublesTest):
    def ways(self, origin, **sections):
        """How a client reaches the origin: the proxy, and what a target begins with."""
        yield self.reverse(origin, **sections), ""
        yield self.forward(**sections), origin.url

    def in_parallel(self, function, arguments):
        """Runs it for each, and fails with what any of them raised."""
        failures = []

        def run(argument):
            try:
                function(argument)
            except BaseException as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


class ConnectionLoginTest(LoginTest):
    """A login that belongs to the connection."""

    def test_curl_with_ntlm(self):
        for forward in (False, True):
            with self.subTest(forward=forward):
                origin = self.double(NtlmOrigin())
                proxy = self.forward() if forward else self.reverse(origin)
                base = origin.url if forward else f"http://{proxy.address}"
                use = ["--proxy", f"http://{proxy.address}"] if forward else []

                def work(number):
                    user = f"user{number % 4}"
                    urls = [f"{base}/{user}/{turn}" for turn in range(10)]
                    said = self.curl(*use, "--ntlm", "--user", f"{user}:x", *urls)
                    self.assertEqual(said, f"hello {user}" * 10)

                self.in_parallel(work, range(8))
                self.check_nobody_is_mixed_up(origin)
                self.assertEqual(origin.users_by_connection.count(None), 0)

    def check_nobody_is_mixed_up(self, origin):
        self.assertEqual(origin.strays, 0)
        for request in origin.requests:
            wanted = request.target.split("/")[1]
            self.assertIn(request.user, (wanted, None), request.raw_head)

    def test_users_and_strangers_side_by_side(self):
        origin = self.double(NtlmOrigin())
        for proxy, base in self.ways(origin, workers={"count": 2}):
            def known(number, proxy=proxy, base=base):
                user = f"user{number}"
                client = self.client(proxy)
                for _ in range(3):
                    self.assertEqual(client.request(f"{base}/{user}").status, 401)
                    response = client.request(f"{base}/{user}", negotiate(f"begin {user}"))
                    self.assertEqual(response.status, 401)
                    response = client.request(f"{base}/{user}", negotiate(f"finish {user}"))
                    self.assertEqual(response.body, f"hello {user}".encode())
                    for _ in range(10):
                        response = client.request(f"{base}/{user}")
                        self.assertEqual(response.body, f"hello {user}".encode())
                    client.close()
                    client = self.client(proxy)

            def stranger(number, proxy=proxy, base=base):
                client = self.client(proxy)
                for _ in range(40):
                    self.assertEqual(client.request(f"{base}/stranger{number}").status, 401)

            self.in_parallel(lambda n: (known if n % 2 else stranger)(n), range(10))
        self.check_nobody_is_mixed_up(origin)

    def test_a_login_is_only_for_its_client(self):
        for proxy, base in self.ways(self.double(NtlmOrigin())):
            one, other = self.client(proxy), self.client(proxy)
            self.assertEqual(one.request(f"{base}/", negotiate("ticket alice")).body,
                             b"hello alice")
            self.assertEqual(other.request(f"{base}/").status, 401)
            self.assertEqual(other.request(f"{base}/", negotiate("ticket bob")).body, b"hello bob")
            for _ in range(3):
                self.assertEqual(one.request(f"{base}/").body, b"hello alice")
                self.assertEqual(other.request(f"{base}/").body, b"hello bob")
            # What is left of a client's connection is nobody's.
            one.close()
            self.assertEqual(self.ask(proxy, f"{base}/").status, 401)

    def test_challenges_are_announced(self):
        origin = self.double(NtlmOrigin())
        for proxy, base in self.ways(origin):
            response = self.ask(proxy, f"{base}/")
            self.assertEqual(response.values("Proxy-Support"), ["Session-Based-Authentication"])
            self.assertIn("proxy-support", response.connection_options)
            self.assertIn("NTLM", response.value("WWW-Authenticate"))
        basic = self.double(BasicOrigin(alice="secret"))
        response = self.ask(self.reverse(basic), "/")
        self.assertEqual((response.status, response.value("Proxy-Support")), (401, None))

    def test_the_server_ends_an_idle_login(self):
        origin = self.double(NtlmOrigin())
        for proxy, base in self.ways(origin):
            client = self.client(proxy)
            client.request(f"{base}/", negotiate("ticket alice"))
            wait_until(lambda: origin.idle_connections, "the origin to wait")
            origin.close_idle()
            self.assertTrue(client.ends())

    def test_the_server_ends_a_login_under_a_request(self):
        """The client may not be given another connection as if nothing had happened."""
        origin = self.double(NtlmOrigin())
        plain = origin.answer

        def answer(request, wire):
            if request.target.endswith("/end"):
                wire.break_off()
                return None
            return plain(request, wire)

        origin.answer = answer
        for proxy, base in self.ways(origin):
            client = self.client(proxy)
            client.request(f"{base}/", negotiate("ticket alice"))
            response = client.request(f"{base}/end")
            self.assertEqual(response.status, 502)
            self.assertTrue(client.ends())

    def test_connection_close_ends_the_clients_too(self):
        origin = self.double(NtlmOrigin())
        plain = origin.answer

        def answer(request, wire):
            response = plain(request, wire)
            if request.target.endswith("/last"):
                wire.send(response.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                raise Cut("the end")
            return response

        origin.answer = answer
        for proxy, base in self.ways(origin):
            client = self.client(proxy)
            client.request(f"{base}/", negotiate("ticket alice"))
            response = client.request(f"{base}/last")
            self.assertEqual(response.body, b"hello alice")
            self.assertIn("close", response.connection_options)
            self.assertTrue(client.ends())

    def test_bodies_go_through_the_handshake(self):
        origin = self.double(NtlmOrigin())
        proxy = self.reverse(origin)
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 300_000)
            file.flush()
            said = self.curl("--ntlm", "--user", "alice:x", "--data-binary", f"@{file.name}",
                             f"http://{proxy.address}/alice")
        self.assertEqual(said, "hello alice")
        self.assertEqual(len(origin.requests[-1].body), 300_000)
        self.check_nobody_is_mixed_up(origin)

    def test_sticks_to_one_server_of_a_group(self):
        origins = [self.double(NtlmOrigin()) for _ in range(3)]
        proxy = self.reverse(*origins)

        def work(number):
            url = f"http://{proxy.address}/user{number}"
            said = self.curl("--ntlm", "--user", f"user{number}:x", *[url] * 5)
            self.assertEqual(said, f"hello user{number}" * 5)

        self.in_parallel(work, range(4))
        for origin in origins:
            self.check_nobody_is_mixed_up(origin)

    def test_through_a_parent(self):
        origin = self.double(NtlmOrigin())
        parent = self.double(ParentProxy())
        proxy = self.forward(peer=[{"name": "parent", "address": parent.address}],
                             route=[{"via": "parent"}])

        def work(number):
            url = f"{origin.url}/user{number}"
            said = self.curl("--proxy", f"http://{proxy.address}", "--ntlm", "--user",
                             f"user{number}:x", *[url] * 5)
            self.assertEqual(said, f"hello user{number}" * 5)

        self.in_parallel(work, range(4))
        self.check_nobody_is_mixed_up(origin)

    def test_two_destinations_of_one_client(self):
        one, two = self.double(NtlmOrigin()), self.double(NtlmOrigin())
        client = self.client(self.forward())
        client.request(f"{one.url}/", negotiate("ticket alice"))
        self.assertEqual(client.request(f"{two.url}/").status, 401)
        client.request(f"{two.url}/", negotiate("ticket bob"))
        self.assertEqual(client.request(f"{one.url}/").body, b"hello alice")
        self.assertEqual(client.request(f"{two.url}/").body, b"hello bob")


class ClientsLoginTest(LoginTest):
    """Logins of clients that belong to a request: they pass."""

    def test_basic_and_digest(self):
        origin = self.double(LoginOrigin(DigestLogin(USERS, algorithms=["SHA-256", "MD5"])))
        for proxy, base in self.ways(origin):
            use = ["--proxy", f"http://{proxy.address}"] if base else []
            url = (base or f"http://{proxy.address}") + "/a?b=c"
            self.assertEqual(self.curl(*use, "--digest", "--user", "alice:secret", url, url),
                             "hello alice" * 2)
            self.assertTrue(self.curl(*use, "--digest", "--user", "alice:x", *STATUS, url)
                            .endswith(" 401"))

    def test_apache(self):
        with Apache(users=USERS) as apache:
            proxy = self.reverse(apache.address)
            for scheme in ("basic", "digest"):
                url = f"http://{proxy.address}/{scheme}/hello.txt"
                self.assertEqual(self.curl(f"--{scheme}", "--user", 'bob:pass"word', url),
                                 "hello from apache\n")


class OwnLoginTest(LoginTest):
    """The proxy logs in on its clients' behalf."""

    def with_credentials(self, origin, host=None, sections=None, **credentials):
        entry = {"host": host or origin.address} | credentials
        return self.reverse(origin, credentials=[entry], **(sections or {}))

    def strangers(self, origin):
        return sum(request.user is None for request in origin.requests)

    def test_basic(self):
        login = {"user": "alice", "password": "secret"}
        for more, asked in (({"scheme": "basic"}, 0), ({"scheme": "basic", "preemptive": False}, 1),
                            ({}, 1), ({"scheme": "basic", "realm": "doubles"}, 1)):
            with self.subTest(more):
                origin = self.double(BasicOrigin(**USERS))
                client = self.client(self.with_credentials(origin, **login, **more))
                for number in range(5):
                    self.assertEqual(client.request(f"/{number}", method="POST", body=b"x").body,
                                     b"hello alice")
                self.assertEqual(self.strangers(origin), asked)

    def test_other_realm(self):
        origin = self.double(BasicOrigin(**USERS))
        proxy = self.with_credentials(origin, user="alice", password="secret", realm="elsewhere")
        self.assertEqual(self.ask(proxy, "/").status, 401)
        self.assertEqual([r.value("Authorization") for r in origin.requests], [None])

    def test_wrong_password(self):
        """The challenge is the client's, and is not answered again and again."""
        for origin in (BasicOrigin(**USERS), DigestOrigin(USERS)):
            self.double(origin)
            proxy = self.with_credentials(origin, user="alice", password="x")
            response = self.ask(proxy, "/")
            self.assertEqual(response.status, 401)
            self.assertTrue(response.values("WWW-Authenticate"))
            self.assertLessEqual(len(origin.requests), 3)

    def test_digest(self):
        for algorithms in (["MD5"], ["SHA-256"], ["MD5", "SHA-256"], ["SHA-256-sess"]):
            with self.subTest(algorithms):
                origin = self.double(DigestOrigin(USERS, algorithms=algorithms))
                client = self.client(self.with_credentials(origin, user="bob",
                                                           password='pass"word'))
                for number in range(6):
                    if number == 3:
                        origin.login.make_stale()
                    response = client.request(f"/{number}?q", method="PUT", body=b"data")
                    self.assertEqual(response.body, b"hello bob")
                self.assertEqual((self.strangers(origin), origin.login.replays), (2, 0))
                if "SHA-256" in algorithms:
                    self.assertEqual(origin.login.last["algorithm"], "SHA-256")
                self.assertEqual({r.body for r in origin.requests}, {b"data"})

    def test_digest_of_many_at_once(self):
        origin = self.double(DigestOrigin(USERS))
        proxy = self.with_credentials(origin, user="bob", password='pass"word',
                                      sections={"workers": {"count": 2}})

        def work(number):
            client = Client(proxy.address)
            for turn in range(10):
                response = client.request(f"/{number}/{turn}", method="POST", body=b"x" * 1000)
                self.assertEqual(response.body, b"hello bob")
            client.close()

        self.in_parallel(work, range(10))
        self.assertEqual(origin.login.replays, 0)

    def test_body_that_is_too_large_to_be_kept(self):
        origin = self.double(DigestOrigin(USERS))
        proxy = self.with_credentials(
            origin, user="bob", password='pass"word',
            sections={"upstream.app.retry": {"body": "1KiB"}})
        client = self.client(proxy)
        response = client.request("/", method="PUT", body=b"x" * 100_000)
        self.assertEqual(response.status, 401)
        self.assertTrue(response.values("WWW-Authenticate"))
        # The nonce is known now.
        response = client.request("/", method="PUT", body=b"x" * 100_000)
        self.assertEqual(response.body, b"hello bob")
        origin.login.make_stale()
        response = client.request("/", method="PUT", body=b"y" * 1000)
        self.assertEqual(response.body, b"hello bob")
        self.assertEqual([len(r.body) for r in origin.requests], [100_000, 100_000, 1000, 1000])

    def bearer_origin(self):
        def answer(request, _):
            value = request.value("Authorization") or ""
            if value != f"Bearer {tokens[-1]}":
                return response_bytes(b"no", "WWW-Authenticate: Bearer", status="401 No")
            return response_bytes(b"come in")

        tokens = ["first"]
        return self.origin(answer), tokens

    def test_bearer_from_a_file_that_changes(self):
        origin, tokens = self.bearer_origin()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "token")
            with open(path, "w", encoding="ascii") as file:
                file.write("first\nnot this\n")
            proxy = self.with_credentials(origin, scheme="bearer", token_file=path)
            client = self.client(proxy)
            self.assertEqual(client.request("/").body, b"come in")
            tokens.append("second")
            with open(path + ".new", "w", encoding="ascii") as file:
                file.write("second\n")
            os.rename(path + ".new", path)
            wait_until(lambda: client.request("/").body == b"come in", "the new token", 5)

    def test_only_for_the_host_they_are_for(self):
        named, other = self.double(BasicOrigin(**USERS)), self.double(BasicOrigin(**USERS))
        port = named.address.rpartition(":")[2]
        proxy = self.forward(
            hosts={name: "127.0.0.1" for name in ("in.test", "a.in.test", "out.test")},
            credentials=[{"host": f"*.in.test:{port}", "scheme": "basic", "user": "alice",
                          "password": "secret"}])
        client = self.client(proxy)
        wanted = {f"a.in.test:{port}": 200, f"in.test:{port}": 401, f"out.test:{port}": 401,
                  f"127.0.0.1:{port}": 401, f"A.IN.TEST:{port}": 200,
                  "a.in.test:" + other.address.rpartition(":")[2]: 401}
        for host, status in wanted.items():
            with self.subTest(host):
                # Whatever Host says.
                response = client.request(f"http://{host}/", host="a.in.test")
                self.assertEqual(response.status, status)
        self.assertIsNone(other.requests[0].value("Authorization"))

    def test_not_after_a_retry_on_another_server(self):
        """Credentials for one server of a group are not told to the next."""
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))
        self.addCleanup(closed.close)
        first = "{}:{}".format(*closed.getsockname())
        origin = self.origin()
        proxy = self.reverse(first, origin, credentials=[{
            "host": first, "scheme": "basic", "user": "alice", "password": "secret"}])
        for _ in range(4):
            self.assertEqual(self.ask(proxy, "/").status, 200)
        self.assertEqual({r.value("Authorization") for r in origin.requests}, {None})

    def test_a_clients_own_login_wins(self):
        origin = self.double(BasicOrigin(**USERS))
        proxy = self.with_credentials(origin, scheme="basic", user="alice", password="secret")
        self.assertEqual(self.curl("--user", "carol:c", f"http://{proxy.address}/"), "hello carol")
        said = self.curl("--user", "carol:x", *STATUS, f"http://{proxy.address}/")
        self.assertTrue(said.endswith(" 401"), said)
        self.assertEqual(self.ask(proxy, "/").body, b"hello alice")

    def test_apache(self):
        with Apache(users=USERS) as apache:
            proxy = self.reverse(apache.address, credentials=[{
                "host": apache.address, "user": "bob", "password": 'pass"word'}])
            client = self.client(proxy)
            for scheme in ("basic", "digest", "basic", "digest"):
                for _ in range(3):
                    self.assertEqual(client.request(f"/{scheme}/hello.txt").body,
                                     b"hello from apache\n")
            wait_until(lambda: "/digest/hello.txt" in apache.read("access.log"), "its log")
            # Asked once for each change of schemes at most.
            refused = re.findall(r'" 401', apache.read("access.log"))
            self.assertLessEqual(len(refused), 6, apache.read("access.log"))


if __name__ == "__main__":
    unittest.main()
