"""The real servers, asked directly, so that tests can rely on how they are started."""

import unittest

from doubles import STATUS, DoublesTest
from doubles_dns import ask
from harness import wait_until
from real_servers import Apache, Dante, Dnsmasq, Nginx, Squid, free_port
from wire import response_bytes

USERS = {"alice": "secret", "bob": 'pass"word'}


class RealServersTest(DoublesTest):
    """Each is started once for what it is to do."""

    def test_squid_with_basic(self):
        origin = self.origin(response_bytes(b"from the origin"))
        port = origin.address.rpartition(":")[2]
        with Squid(users=USERS, hosts={"app.test": "127.0.0.1"}) as squid:
            use = ["--proxy", squid.url, "--proxy-user"]
            url = f"http://app.test:{port}/a"
            for user, password in USERS.items():
                self.assertEqual(self.curl(*use, f"{user}:{password}", url), "from the origin")
            self.assertEqual(self.curl(*use, "alice:secret", "--proxytunnel", url),
                             "from the origin")
            self.assertEqual(self.curl(*use, "alice:x", "--output", "/dev/null", *STATUS, url),
                             " 407")
            wait_until(lambda: "CONNECT" in squid.read("access.log"), "its log")
        self.assertEqual(len(origin.requests), 3)
        self.assertIn("1.1 squid.test", origin.requests[0].value("Via"))

    def test_squid_with_digest(self):
        origin = self.origin(response_bytes(b"from the origin"))
        with Squid(users=USERS, scheme="digest") as squid:
            use = ["--proxy", squid.url, "--proxy-digest", "--proxy-user"]
            self.assertEqual(self.curl(*use, "alice:secret", origin.url), "from the origin")
            self.assertEqual(self.curl(*use, "alice:x", "-o", "/dev/null", *STATUS, origin.url),
                             " 407")

    def test_squid_for_anyone(self):
        origin = self.origin(response_bytes(b"from the origin"))
        with Squid() as squid:
            self.assertEqual(self.curl("--proxy", squid.url, origin.url), "from the origin")

    def test_nginx(self):
        with Nginx(locations="location /teapot {{ return 418; }}") as nginx:
            nginx.put("more/a.txt", "a")
            self.assertEqual(self.curl(f"{nginx.url}/hello.txt", f"{nginx.url}/more/a.txt"),
                             "hello from nginx\na")
            unix = self.curl("--unix-socket", nginx.path("nginx.sock"), "http://a/more/a.txt")
            self.assertEqual(unix, "a")
            self.assertTrue(self.curl(*STATUS, f"{nginx.url}/teapot").endswith(" 418"))

    def test_apache(self):
        with Apache(users=USERS) as apache:
            hello = "hello from apache\n"
            self.assertEqual(self.curl(f"{apache.url}/hello.txt"), hello)
            for scheme in ("basic", "digest"):
                use = [f"--{scheme}", "--user"]
                url = f"{apache.url}/{scheme}/hello.txt"
                self.assertEqual(self.curl(*use, "alice:secret", url), hello)
                self.assertEqual(self.curl(*use, 'bob:pass"word', url), hello)
                self.assertTrue(self.curl(*use, "alice:x", *STATUS, url).endswith(" 401"))

    def test_dnsmasq(self):
        with Dnsmasq(hosts={"app.test": ["127.0.0.1", "127.0.0.2", "::1"]},
                     services={"_http._tcp.app.test": [(1, 2, 80, "app.test"),
                                                       (2, 0, 81, "app.test")]},
                     ttl=7) as dnsmasq:
            server = ("127.0.0.1", dnsmasq.port)
            for tcp in (False, True):
                reply = ask(server, "app.test", tcp=tcp)
                self.assertEqual(sorted(reply.values), ["127.0.0.1", "127.0.0.2"])
                self.assertEqual(reply.answers[0].ttl, 7)
            self.assertEqual(ask(server, "app.test", "AAAA").values, ["::1"])
            self.assertEqual(sorted(ask(server, "_http._tcp.app.test", "SRV").values),
                             [(1, 2, 80, "app.test"), (2, 0, 81, "app.test")])
            self.assertEqual(ask(server, "no.test").code, "NXDOMAIN")
            self.assertEqual(ask(server, "example.com").code, "REFUSED")
            dnsmasq.set_hosts({"app.test": ["127.0.0.3"]})
            wait_until(lambda: ask(server, "app.test").values == ["127.0.0.3"], "the new address")

    def test_dante(self):
        origin = self.origin(response_bytes(b"from the origin"))
        port = origin.address.rpartition(":")[2]
        with Dante() as dante:
            for use in ("--socks5-hostname", "--socks5"):
                said = self.curl(use, dante.address, f"http://localhost:{port}/")
                self.assertEqual(said, "from the origin")
            self.curl("--socks5", dante.address, f"http://127.0.0.1:{free_port()}/", code=97)

    def test_what_is_not_installed_skips(self):
        class Missing(Nginx):
            programs = ("no-such-program",)

        with self.assertRaisesRegex(unittest.SkipTest, "no-such-program is not installed"):
            with Missing():
                pass

    def test_what_does_not_start_says_why(self):
        class Wrong(Dante):
            def command(self):
                return [self.binary, "-f", "/no/such/file"]

        with self.assertRaisesRegex(AssertionError, "no/such/file"):
            with Wrong():
                pass


if __name__ == "__main__":
    unittest.main()
