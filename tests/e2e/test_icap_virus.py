"""Penstock with c-icap's virus_scan and clamd, as they are."""

import unittest

from icap_real import FRAMINGS, KB, MB, RealIcapTest, noise
from icap_servers import VIRUS, CIcap, Clamd

LET_GO_FROM = 2 * MB  # from there on it lets a part go while it still reads
LET_GO = 0.05


class Scenario(RealIcapTest):
    """The scanner takes all of a body before it says what it thinks of it. `service` are settings
    of it in the proxy."""

    service = {}

    def setUp(self):
        super().setUp()
        clamd = self.enterContext(Clamd())
        self.server = self.enterContext(CIcap("virus_scan", clamd=clamd))
        self.proxy = self.between(self.server.uri("virus_scan"), **self.service)

    def infected(self, body):
        """With the virus at the start, in the middle, and at the end."""
        for at in (0, len(body) // 2, len(body) - len(VIRUS)):
            yield body[:at] + VIRUS + body[at + len(VIRUS):]

    def expect_blocked(self, result):
        self.assertEqual((result.status, result.ended), (403, "whole"))
        self.assertIn(b"VIRUS FOUND", result.body)
        self.assertIn(b"</html>", result.body)
        self.assertNotIn(VIRUS, result.body)

    def expect_let_go(self, result, body):
        """What it lets go is some of the beginning; more does not come."""
        self.assertTrue(body.startswith(result.body))
        self.assertTrue(0 < len(result.body) <= LET_GO * len(body) + 100 * KB, len(result.body))

    def downloads(self, size):
        body = noise(size)
        for framing in FRAMINGS:
            self.give("/a", body, framing)
            self.expect_page(self.proxy, "/a", body)
            for infected in self.infected(body):
                self.give("/a", infected, framing)
                result = self.exchange(self.proxy)
                if size < LET_GO_FROM:
                    self.expect_blocked(result)
                elif framing == "length":
                    self.cut_off(result, infected)
                    self.expect_let_go(result, infected)
                else:
                    # Nothing tells from its answer that there was more.
                    self.expect_let_go(result, infected)
            self.give("/a", body, framing)
            self.expect_page(self.proxy, "/a", body)

    def uploads(self, size):
        self.give("/a", b"thanks")
        for framing in ("length", "chunked"):
            for fields in ((), ("Expect: 100-continue",)):
                ask = {"method": "POST", "framing": framing, "fields": fields}
                self.origin_server.requests.clear()
                body = noise(size)
                self.expect_page(self.proxy, "/a", b"thanks", body=body, **ask)
                request, = self.origin_server.requests
                self.assertTrue(request.body == body)
                self.origin_server.requests.clear()
                for infected in self.infected(body):
                    result = self.exchange(self.proxy, body=infected, **ask)
                    if size < LET_GO_FROM:
                        self.expect_blocked(result)
                        self.assertEqual(self.origin_server.requests, [])
                    elif framing == "length":
                        self.assertEqual((result.status, result.ended), (502, "whole"))
                        self.assertEqual(self.whole_requests("/a"), [])
                    else:
                        # Nothing tells from its answer that there was more.
                        for request in self.whole_requests("/a"):
                            self.assertTrue(infected.startswith(request.body))
                            self.assertLess(len(request.body), len(infected) / 4)
                        self.origin_server.requests.clear()


class VirusTest(Scenario):
    def test_downloads_of_1_kb(self):
        self.downloads(KB)

    def test_downloads_of_70_kb(self):
        self.downloads(70 * KB)

    def test_downloads_of_1_mb(self):
        self.downloads(MB)

    def test_downloads_of_3_mb(self):
        self.downloads(3 * MB)

    def test_downloads_of_20_mb(self):
        self.downloads(20 * MB)

    def test_uploads_of_1_kb(self):
        self.uploads(KB)

    def test_uploads_of_1_mb(self):
        self.uploads(MB)

    def test_uploads_of_5_mb(self):
        self.uploads(5 * MB)

    def test_uploads_of_20_mb(self):
        self.uploads(20 * MB)


class WithoutPreviewsTest(Scenario):
    service = {"preview": "off"}

    def test_downloads(self):
        for size in (KB, 70 * KB, MB, 5 * MB):
            with self.subTest(size):
                self.downloads(size)

    def test_uploads(self):
        for size in (KB, MB, 5 * MB):
            with self.subTest(size):
                self.uploads(size)


class AtTheServerTest(WithoutPreviewsTest):
    service = {"at": "server"}


class KeptInFilesTest(WithoutPreviewsTest):
    service = {"keep": {"memory": "0B"}}


if __name__ == "__main__":
    unittest.main()
