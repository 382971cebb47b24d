"""The real ICAP servers, asked directly, so that tests can rely on how they are started."""

import os
import ssl
import subprocess
import tempfile
import unittest

from doubles import DoublesTest
from doubles_tls import Authority
from harness import Client, wait_until
from icap_servers import BLOCKED_HOST, SECRET, VIRUS, CIcap, Clamd, E2guardian
from wire import head_bytes
from wire_icap import IcapClient

BODY = b"<p>nothing wrong here</p>\n" * 200
INFECTED = BODY + VIRUS + BODY
MEGABYTE = 1 << 20


def get(host="h.test"):
    return head_bytes(f"GET http://{host}/a HTTP/1.1", f"Host: {host}")


def page(body):
    return head_bytes("HTTP/1.1 200 OK", "Content-Type: text/html",
                      f"Content-Length: {len(body)}")


def is_running(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class IcapServersTest(DoublesTest):
    def icap_client(self, server):
        client = server.client()
        self.addCleanup(client.close)
        return client

    def respmod(self, client, service, body, *fields, preview=1024):
        return client.respmod(service, get(), page(body), *fields, body=body, preview=preview)

    def assert_offers(self, answer, methods, preview, allow):
        self.assertEqual([answer.status, *map(answer.value, ("Methods", "Preview", "Allow"))],
                         [200, methods, preview, allow])


class CIcapTest(IcapServersTest):
    def test_echo(self):
        with CIcap("echo") as server:
            client = self.icap_client(server)
            self.assert_offers(client.options("echo"), "RESPMOD, REQMOD", "1024", "204")
            answers = [self.respmod(client, "echo", BODY, "Allow: 204") for _ in range(4)]
            self.assertEqual([answer.status for answer in answers], [200, 204, 200, 204])
            self.assertEqual((answers[0].body, answers[0].continued), (BODY, True))
            self.assertEqual(answers[1].parts, [])
            self.assertEqual(client.reqmod("echo", get(), "Allow: 204").status, 204)
            missing = client.options("missing")
            self.assertEqual((missing.status, missing.connection_options), (404, {"close"}))
            client.close()
            wait_until(lambda: "RESPMOD echo 204" in server.read("access.log"), "its log")

    def test_settings(self):
        with CIcap("echo", settings=["echo.PreviewSize 0", "echo.OptionsTTL 7",
                                     "MaxKeepAliveRequests 1"]) as server:
            client = self.icap_client(server)
            answer = client.options("echo")
            self.assert_offers(answer, "RESPMOD, REQMOD", "0", "204")
            self.assertEqual(answer.value("Options-TTL"), "7")
            client.options("echo")
            self.assertTrue(client.ends())  # with one more than it is set to
            client = self.icap_client(server)
            answer = self.respmod(client, "echo", BODY, preview=0)
            self.assertEqual((answer.continued, answer.body), (True, BODY))

    def test_partial_content(self):
        body = b"<html><p>text</p></html>"
        with CIcap("ex206") as server:
            client = self.icap_client(server)
            self.assert_offers(client.options("ex206"), "RESPMOD, REQMOD", "1024", "204, 206")
            self.assertEqual(self.respmod(client, "ex206", body, "Allow: 204").status, 204)
            answer = self.respmod(client, "ex206", body, "Allow: 204, 206")
            self.assertEqual((answer.status, answer.original_from), (206, len("<html>")))
            self.assertEqual(answer.http_response.value("Content-Length"),
                             str(len(answer.body) + len(body) - len("<html>")))

    def test_url_check(self):
        with CIcap("url_check") as server:
            client = self.icap_client(server)
            self.assert_offers(client.options("url_check"), "REQMOD", "0", "204, 206")
            self.assertEqual(client.reqmod("url_check", get(), "Allow: 204").status, 204)
            answer = client.reqmod("url_check", get(BLOCKED_HOST), "Allow: 204")
            self.assertEqual((answer.status, answer.http_response.start),
                             (200, "HTTP/1.0 403 Forbidden"))
            self.assertIn(b"Access denied", answer.body)
            self.assertEqual(answer.value("X-Response-Info"), "BLOCKED")

    def test_content_filtering(self):
        service = "srv_content_filtering"
        with CIcap(service) as server:
            client = self.icap_client(server)
            self.assert_offers(client.options(service), "RESPMOD, REQMOD", "1024", None)
            self.assertEqual(self.respmod(client, service, BODY).body, BODY)
            answer = self.respmod(client, service, b"a " + SECRET + b" b" + BODY)
            self.assertEqual(answer.body, b'a "x" b' + BODY)

    def test_tls(self):
        authority = self.enterContext(Authority())
        with CIcap("echo", tls=authority.issue()) as server:
            client = IcapClient(server.tls_address,
                                ssl.create_default_context(cafile=authority.path))
            self.addCleanup(client.close)
            self.assertEqual(client.options("echo").status, 200)
            self.assertEqual(self.respmod(client, "echo", BODY * 10).body, BODY * 10)

    def test_its_own_client(self):
        with CIcap("echo") as server, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "file")
            with open(path, "wb") as file:
                file.write(BODY)
            host, _, port = server.address.rpartition(":")
            done = subprocess.run(["c-icap-client", "-i", host, "-p", port, "-s", "echo", "-f",
                                   path, "-resp", "http://h.test/a"],
                                  check=True, capture_output=True, timeout=60)
            self.assertEqual(done.stdout, BODY)

    def test_nothing_is_left(self):
        with CIcap("echo") as server:
            left = server.shared_files()
            self.assertGreaterEqual(len(left), 3)
            process, folder = server.process, server.folder.name
        self.assertEqual([path for path in (*left, folder) if os.path.exists(path)], [])
        wait_until(lambda: not is_running(process.pid), "its processes to end")


class VirusTest(IcapServersTest):
    def setUp(self):
        self.clamd = self.enterContext(Clamd())
        self.server = self.enterContext(CIcap("virus_scan", clamd=self.clamd))
        self.client = self.icap_client(self.server)

    def test_a_virus(self):
        self.assert_offers(self.client.options("virus_scan"), "RESPMOD, REQMOD", "1024", "204")
        clean = self.respmod(self.client, "virus_scan", BODY, "Allow: 204")
        self.assertEqual((clean.status, clean.continued), (204, True))
        for at in (INFECTED, VIRUS + BODY, BODY + VIRUS):
            found = self.respmod(self.client, "virus_scan", at, "Allow: 204")
            self.assertEqual((found.status, found.http_response.start),
                             (200, "HTTP/1.0 403 Forbidden"))
            self.assertIn("Threat=Penstock.Test", found.value("X-Infection-Found"))
            self.assertIn(b"\r\n\t-\r\n", found.raw_head)  # of X-Violations-Found
            self.assertIn(b"VIRUS FOUND", found.body)

    def test_an_upload(self):
        head = head_bytes("POST http://h.test/ HTTP/1.1", "Host: h.test",
                          f"Content-Length: {len(INFECTED)}")
        found = self.client.reqmod("virus_scan", head, body=INFECTED, preview=1024)
        self.assertEqual(found.http_response.start, "HTTP/1.0 403 Forbidden")

    def test_a_virus_behind_what_was_let_go(self):
        body = b"a" * (6 * MEGABYTE) + VIRUS
        answer = self.respmod(self.client, "virus_scan", body)
        self.assertEqual(answer.http_response.value("Content-Length"), str(len(body)))
        self.assertTrue(0 < len(answer.body) < MEGABYTE, len(answer.body))
        self.assertTrue(body.startswith(answer.body))

    def test_the_scanner_alone(self):
        wire = Client("unix:" + self.clamd.socket)
        self.addCleanup(wire.close)
        wire.send(b"nINSTREAM\n" + len(VIRUS).to_bytes(4, "big") + VIRUS + bytes(4))
        self.assertEqual(wire.read_to_end(), b"stream: Penstock.Test.UNOFFICIAL FOUND\n")


class E2guardianTest(IcapServersTest):
    def test_requests_and_responses(self):
        with E2guardian() as server:
            client = self.icap_client(server)
            self.assert_offers(client.options("request"), "REQMOD", None, "204")
            self.assert_offers(client.options("response"), "RESPMOD", None, "204")
            passed = client.reqmod("request", get(), "X-Client-IP: 10.0.0.9")
            self.assertEqual((passed.status, passed.http_request.raw_head), (200, get()))
            context = f"X-ICAP-E2G: {passed.value('X-ICAP-E2G')}"
            answer = self.respmod(client, "response", BODY, context, preview=None)
            self.assertEqual((answer.status, answer.body), (200, BODY))
            answer = self.respmod(client, "response", BODY + SECRET, context, preview=None)
            self.assertNotIn(SECRET, answer.body)
            self.assertIn(b"<!DOCTYPE", answer.body)
            client = self.icap_client(server)
            self.assertEqual(self.respmod(client, "response", BODY, preview=None).status, 418)
            client = self.icap_client(server)
            blocked = client.reqmod("request", get(BLOCKED_HOST))
            self.assertEqual((blocked.status, blocked.http_response.status), (200, 200))
            self.assertIsNone(blocked.http_response.value("Content-Length"))
            self.assertIn(b"<!DOCTYPE", blocked.body)


class MissingTest(unittest.TestCase):
    def test_what_is_not_installed_fails(self):
        class Missing(CIcap):
            programs = ("no-such-program",)

        with self.assertRaisesRegex(AssertionError, "no-such-program is not installed: run"):
            with Missing("echo"):
                pass


if __name__ == "__main__":
    unittest.main()
