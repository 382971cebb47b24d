"""Penstock with c-icap and e2guardian, as they are."""

import hashlib
import subprocess
import unittest

from doubles import CURL
from doubles_tls import Authority
from harness import wait_until
from icap_real import FRAMINGS, KB, MB, RealIcapTest, noise
from icap_servers import BLOCKED_HOST, SECRET, CIcap, E2guardian
from real_servers import HOST, free_port
from wire import head_bytes

HTML = "Content-Type: text/html"
SIZES = (0, 1, KB, 70 * KB, MB, 5 * MB)
ADDED = b"\n<!--A simple comment added by the  ex206 C-ICAP service-->\n\n"  # by ex206
PAGE = b"<html><p>a page</p></html>"
BLOCKED_URL = f"http://{BLOCKED_HOST}"


class EchoTest(RealIcapTest):
    """It says 200 and 204 by turns."""

    def pages_and_uploads(self, server, **service):
        penstock = self.between(server.uri("echo"), **service)
        for size in SIZES:
            for framing in FRAMINGS:
                path = f"/{size}-{framing}"
                self.give(path, noise(size), framing)
                for _ in range(2):
                    self.expect_page(penstock, path, noise(size))
        self.give("/up", b"thanks")
        for size in SIZES:
            for framing in ("length", "chunked"):
                for fields in ((), ("Expect: 100-continue",)):
                    self.origin_server.requests.clear()
                    body = noise(size, "up")
                    self.expect_page(penstock, "/up", b"thanks", method="POST", body=body,
                                     framing=framing, fields=fields)
                    request, = self.whole_requests("/up")
                    self.assertEqual((request.framing, request.body == body), (framing, True))
        penstock.stop()
        for said in ("REQMOD echo 200", "REQMOD echo 204", "RESPMOD echo 200", "RESPMOD echo 204"):
            wait_until(lambda said=said: said in server.read("access.log"), f"'{said}' in its log")

    def test_with_a_preview(self):
        with CIcap("echo") as server:
            self.pages_and_uploads(server)

    def test_with_a_preview_of_nothing(self):
        with CIcap("echo", settings=["echo.PreviewSize 0"]) as server:
            penstock = self.between(server.uri("echo"))
            for size in SIZES:
                for framing in FRAMINGS:
                    self.give("/a", noise(size), framing)
                    self.expect_page(penstock, "/a", noise(size))

    def test_without_previews(self):
        with CIcap("echo") as server:
            penstock = self.between(server.uri("echo"), preview="off")
            for size in SIZES:
                for framing in FRAMINGS:
                    self.give("/a", noise(size), framing)
                    self.expect_page(penstock, "/a", noise(size))

    def test_one_request_for_each_connection(self):
        with CIcap("echo", settings=["MaxKeepAliveRequests 1"]) as server:
            penstock = self.between(server.uri("echo"))
            self.give("/a", noise(3 * KB))
            for _ in range(20):
                self.expect_page(penstock, "/a", noise(3 * KB))

    def test_by_tls(self):
        authority = self.enterContext(Authority())
        with CIcap("echo", tls=authority.issue()) as server:
            penstock = self.between(f"icaps://{server.tls_address}/echo",
                                    tls={"ca_file": authority.path})
            for size in SIZES:
                self.give("/a", noise(size), "chunked")
                self.expect_page(penstock, "/a", noise(size), method="POST", body=noise(size))

    def test_by_tls_with_a_name_nobody_vouches_for(self):
        with Authority() as authority, Authority() as other:
            with CIcap("echo", tls=authority.issue()) as server:
                penstock = self.between(f"icaps://{server.tls_address}/echo",
                                        tls={"ca_file": other.path})
                self.give("/a", PAGE)
                self.assertIn(self.exchange(penstock).status, (502, 503))
                self.assertEqual(self.origin_server.requests, [])

    def test_curl(self):
        with CIcap("echo") as server:
            penstock = self.between(server.uri("echo"))
            file, got = server.write("up", noise(3 * MB)), server.path("got")
            self.give("/a", noise(MB), "chunked")
            for version in ("--http1.1", "--http1.0"):
                for upload in ([], ["--data-binary", f"@{file}"],
                               ["--upload-file", file, "--header", "Expect: 100-continue"]):
                    self.origin_server.requests.clear()
                    said = self.curl("--proxy", f"http://{penstock.address}", version, *upload,
                                     "--output", got, "--write-out", "%{http_code}",
                                     f"{self.origin_server.url}/a")
                    self.assertEqual(said, "200")
                    with open(got, "rb") as content:
                        self.assertEqual(hashlib.file_digest(content, "sha256").digest(),
                                         hashlib.sha256(noise(MB)).digest())
                    request, = self.whole_requests("/a")
                    self.assertTrue(request.body == (noise(3 * MB) if upload else b""))


class ChangesTest(RealIcapTest):
    def test_the_rest_is_what_came(self):
        """ex206 puts something behind <html> and leaves the rest to us."""
        with CIcap("ex206") as server:
            penstock = self.between(server.uri("ex206"))
            for size in (0, KB - 20, 70 * KB, 5 * MB):
                body = b"<html>" + noise(size)
                for framing in FRAMINGS:
                    self.give("/a", body, framing, HTML)
                    result = self.exchange(penstock)
                    self.expect_whole(result, b"<html>" + ADDED + noise(size))
            self.give("/a", PAGE, "length", HTML)
            penstock.stop()
            wait_until(lambda: "RESPMOD ex206 206" in server.read("access.log"), "206 in its log")

    def test_the_whole_is_asked_for_where_the_rest_may_not_be(self):
        with CIcap("ex206") as server:
            penstock = self.between(server.uri("ex206"), allow_206=False)
            self.give("/a", PAGE, "length", HTML)
            self.expect_page(penstock, "/a", PAGE)  # it knows no other way

    def test_a_page_is_replaced(self):
        name = "srv_content_filtering"
        with CIcap(name) as server:
            penstock = self.between(server.uri(name), methods=["respmod"])
            for size in (70, KB, 100 * KB):
                for framing in FRAMINGS:
                    clean = b"a page " * (size // 7)
                    self.give("/clean", clean, framing, HTML)
                    self.expect_page(penstock, "/clean", clean)
                    # It has no eyes for what does not say how long it is.
                    dirty = clean + SECRET + b" b"
                    self.give("/a", dirty, framing, HTML)
                    self.expect_page(penstock, "/a", clean + b'"x" b' if framing == "length"
                                     else dirty)


class BlockedTest(RealIcapTest):
    def setUp(self):
        super().setUp()
        server = self.enterContext(CIcap("url_check"))
        self.proxy = self.between(server.uri("url_check"))
        self.give("/a", PAGE)
        client = server.client()
        self.page = client.reqmod("url_check", head_bytes(
            f"GET {BLOCKED_URL}/a HTTP/1.1", f"Host: {BLOCKED_HOST}")).body
        client.close()

    def expect_blocked(self, result):
        """The page as it gives it."""
        self.assertIn(b"Access denied", self.page)
        self.expect_whole(result, self.page, 403)
        self.assertFalse(result.head.connection_options & {"close"})

    def test_a_host(self):
        for _ in range(3):
            self.expect_blocked(self.exchange(self.proxy, url=BLOCKED_URL))
            user = self.user_now
            self.expect_page(self.proxy, "/a", PAGE)
            self.assertIs(user, self.user_now)  # one connection for all
        self.assertEqual(len(self.origin_server.requests), 3)

    def test_an_upload(self):
        """c-icap asks for it with 100, answers without reading it, and closes: of its answer there
        may be nothing left then."""
        for size in (KB, 5 * MB):
            for framing in ("length", "chunked"):
                result = self.exchange(self.proxy, url=BLOCKED_URL, method="POST",
                                       body=noise(size), framing=framing)
                if result.status == 403 and result.ended == "whole":
                    self.expect_whole(result, self.page, 403)
                elif result.status == 403:
                    self.assertIn(result.ended, ("end", "reset"))
                else:
                    self.assertIn((result.status, result.ended), ((502, "whole"), (503, "whole")))
                self.expect_page(self.proxy, "/a", PAGE)
        self.assertEqual(len(self.origin_server.requests), 4)

    def test_who_asks_first(self):
        """curl does not send what is not wanted."""
        said = self.curl("--proxy", f"http://{self.proxy.address}", "--header",
                         "Expect: 100-continue", "--expect100-timeout", "30", "--data-binary",
                         "x" * 5000, "--write-out", "%{http_code}", BLOCKED_URL)
        self.assertIn("Access denied", said)
        self.assertEqual(said[-3:], "403")

    def test_a_tunnel(self):
        penstock = self.proxy
        user = self.client(penstock)
        response = user.request(f"{BLOCKED_HOST}:443", method="CONNECT", host=BLOCKED_HOST)
        self.assertEqual(response.status, 403)
        self.assertIn(b"Access denied", response.body)


class SeveralTest(RealIcapTest):
    def test_a_chain(self):
        """The request is looked at by two services, and so is the response, each as the one before
        has left it."""
        filtering = "srv_content_filtering"
        with CIcap("url_check", "echo", "ex206", filtering) as server:
            penstock = self.between(*map(server.uri, ("url_check", filtering, "ex206", "echo")))
            self.give("/a", b"<html>" + SECRET, "length", HTML)
            for _ in range(4):
                self.expect_page(penstock, "/a", b"<html>" + ADDED + b'"x"', method="POST",
                                 body=noise(70 * KB))
                self.assertTrue(self.origin_server.requests[-1].body == noise(70 * KB))
                self.assertEqual(self.exchange(penstock, url=BLOCKED_URL).status, 403)

    def test_a_set_of_which_the_first_is_dead(self):
        with CIcap("srv_content_filtering") as server:
            penstock = self.forward(
                filter=[{"icap": ["dead", "alive"]}],
                **{"icap.dead": {"url": f"icap://{HOST}:{free_port()}/echo"},
                   "icap.alive": {"url": server.uri("srv_content_filtering")}})
            for number in range(30):
                self.give("/a", b"%d " % number + SECRET, "length", HTML)
                self.expect_page(penstock, "/a", b'%d "x"' % number, method="POST",
                                 body=noise(MB if number < 3 else KB))
                self.assertTrue(self.origin_server.requests[-1].body
                                == noise(MB if number < 3 else KB))


class E2guardianTest(RealIcapTest):
    """It wants to see requests before their responses, and to be told again what it said then."""

    def setUp(self):
        server = self.enterContext(E2guardian())
        self.namespace = server.namespace  # it listens on all addresses
        self.launcher = self.namespace.through
        self.namespace.run(super().setUp)
        services = {f"icap.{name}": {"url": server.uri(name), "share": ["X-ICAP-E2G"]}
                    for name in ("request", "response")}
        self.proxy = self.forward(filter=[{"icap": "request"}, {"icap": "response"}], **services)

    def client(self, *arguments, **options):
        return self.namespace.run(super().client, *arguments, **options)

    def test_clean_pages(self):
        for size in (0, 1, KB, 100 * KB, MB):
            for framing in FRAMINGS:
                page = b"a page " * (size // 7) + b"." * (size % 7)
                self.give("/a", page, framing, HTML)
                self.expect_page(self.proxy, "/a", page)
                self.expect_page(self.proxy, "/a", page, method="POST", body=noise(size))
                self.assertTrue(self.origin_server.requests[-1].body == noise(size))

    def test_a_page_with_a_banned_phrase(self):
        for framing in FRAMINGS:
            self.give("/a", b"a page " * 1000 + SECRET + b" b", framing, HTML)
            self.expect_its_page(self.exchange(self.proxy))

    def expect_its_page(self, result):
        self.assertEqual((result.status, result.ended), (200, "whole"))
        self.assertIn(b"<!DOCTYPE", result.body)
        self.assertIn(b"</html>", result.body.lower())
        self.assertNotIn(SECRET, result.body)

    def test_a_blocked_site(self):
        """That is the last request: the thread that has sent a page of its own takes the next
        request for one with a response's body."""
        self.give("/a", PAGE)
        self.expect_page(self.proxy, "/a", PAGE)
        self.expect_its_page(self.exchange(self.proxy, url=BLOCKED_URL))
        self.assertEqual(len(self.origin_server.requests), 1)

    def test_curl(self):
        def curl(url):
            command = [*self.launcher, CURL, "-q", "-sS", "--max-time", "30", "--proxy",
                       f"http://{self.proxy.address}", url]
            return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout

        self.give("/a", PAGE, "length", HTML)
        self.assertEqual(curl(f"{self.origin_server.url}/a"), PAGE)
        self.assertIn(b"<!DOCTYPE", curl(BLOCKED_URL))


if __name__ == "__main__":
    unittest.main()
