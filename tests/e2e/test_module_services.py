"""What modules have of the proxy beside the messages: requests by TLS, metrics, log files."""

import os
import re
import signal
import tempfile
import unittest

from doubles_tls import Authority, TlsOrigin
from harness import BINARY, ScenarioTest, wait_until

MODULES = os.path.join(os.path.dirname(BINARY), "modules")
HERE = ("inline", "thread")  # in the proxy's own process


def content(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


class ModuleServicesTest(ScenarioTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = cls.enterClassContext(Authority())
        cls.stranger = cls.enterClassContext(Authority())
        # In place of the authorities that the system trusts.
        cls.environment = {"SSL_CERT_FILE": cls.authority.path}

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.metrics = os.path.join(self.folder, "metrics.prom")

    def before(self, name, config, isolation="inline", **modules):
        return self.reverse(self.origin(), **{
            "modules": {"metrics_file": self.metrics, "metrics_interval": "10ms"} | modules,
            "module.sample": {"file": os.path.join(MODULES, name + ".so"), "isolation": isolation,
                              "config": config},
            "filter": [{"module": "sample"}],
        })

    def metric(self, name):
        pattern = rf'^penstock_module_{name}{{instance="sample"}} (\d+)$'
        found = re.search(pattern, content(self.metrics), re.MULTILINE)
        return int(found[1]) if found else None

    def tls_origin(self, authority):
        origin = TlsOrigin(authority.issue())
        self.addCleanup(origin.stop)
        return origin

    def test_requests_by_tls(self):
        for isolation in (*HERE, "process"):
            with self.subTest(isolation=isolation):
                shadow = self.tls_origin(self.authority)
                penstock = self.before("request_mirror", {"url": shadow.url}, isolation)
                self.ask(penstock, "/a?b")
                wait_until(lambda: shadow.requests, "a copy")
                self.assertEqual(shadow.requests[0].target, "/a?b")
                self.assertIn("penstock", shadow.requests[0].value("Via"))
                wait_until(lambda: self.metric("mirrored_total") == 1, "it to be counted")
                penstock.stop()

    def test_a_server_that_is_not_trusted_gets_none(self):
        shadow = self.tls_origin(self.stranger)
        penstock = self.before("request_mirror", {"url": shadow.url})
        self.ask(penstock, "/")
        wait_until(lambda: self.metric("mirror_failed_total") == 1, "it to be counted")
        self.assertEqual(shadow.requests, [])

    def test_the_last_numbers_are_written_at_the_end(self):
        for isolation in HERE:
            with self.subTest(isolation=isolation):
                shadow = self.origin()
                penstock = self.before("request_mirror", {"url": shadow.url}, isolation,
                                       metrics_interval="1h")
                self.ask(penstock, "/")
                wait_until(lambda: shadow.requests, "a copy")
                self.assertFalse(os.path.exists(self.metrics))
                penstock.stop()
                self.assertEqual(self.metric("mirror_skipped_total"), 0)
                text = content(self.metrics)
                self.assertIn("# TYPE penstock_module_mirrored_total counter\n", text)
                self.assertIn("# HELP penstock_module_mirrored_total Copies that were answered.\n",
                              text)
                os.remove(self.metrics)

    def test_log_files_are_opened_anew(self):
        path = os.path.join(self.folder, "audit.log")
        config = {"file": path, "pattern": "${path}"}
        for isolation in HERE:
            with self.subTest(isolation=isolation):
                penstock = self.before("custom_logger", config, isolation)
                self.ask(penstock, "/before")
                wait_until(lambda: content(path) == "/before\n", "the first line")
                os.rename(path, path + ".1")
                penstock.signal(signal.SIGUSR1)
                wait_until(lambda: os.path.exists(path), "the new file")
                self.ask(penstock, "/after")
                wait_until(lambda: content(path) == "/after\n", "the second line")
                self.assertEqual(content(path + ".1"), "/before\n")
                penstock.stop()
                os.remove(path)


if __name__ == "__main__":
    unittest.main()
