"""The interface for modules: a module in C11, compiled by gcc, with the present header and with the
one that was released first."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import ScenarioTest, wait_until
from wire import response_bytes

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


class InterfaceTest(ScenarioTest):
    def build(self, include):
        folder = tempfile.mkdtemp(prefix="penstock-interface-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "c_only.so")
        subprocess.run(["gcc", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror",
                        "-Wno-missing-field-initializers", "-O2", "-fPIC", "-shared",
                        "-I" + os.path.join(ROOT, include),
                        os.path.join(ROOT, "tests/modules/c_only.c"), "-o", path], check=True)
        return path

    def check(self, path, isolation):
        origin = self.origin(response_bytes(b"bcd"))
        metrics = os.path.join(os.path.dirname(path), "metrics.prom")
        log = os.path.join(os.path.dirname(path), "access.log")
        penstock = self.reverse(origin, **{
            "log": {"access": log}, "modules": {"metrics_file": metrics},
            "module.c": {"file": path, "isolation": isolation, "config": {"greeting": "hi"}},
            "filter": [{"module": "c"}]})
        client = self.client(penstock)
        answer = client.request("/", method="POST", body=b"12345")
        self.assertEqual((answer.status, answer.value("X-Greeting"), answer.body),
                         (200, "hi", b"cdb!"))
        self.assertEqual(origin.requests[0].value("X-From-C"), "yes")
        self.assertEqual(client.request("/report").body,
                         b"abi 1, family 2, connection opaque 1, cache -7, bad field -4\n")
        wait_until(lambda: any("configured" in line for line in penstock.log), "the module's word")
        penstock.signal(signal.SIGTERM)
        penstock.process.wait()
        penstock.logging.join()
        penstock.process.stderr.close()
        self.assertTrue(any("closed" in line for line in penstock.log))
        if isolation == "inline":
            with open(log, encoding="utf-8") as file:
                lines = file.read().splitlines()
            self.assertIn('"from_c":"200/5"', lines[0])
        if isolation != "process":  # which tells them once a second
            with open(metrics, encoding="utf-8") as file:
                self.assertIn('c_requests{instance="c"} 2', file.read())

    def test_in_c(self):
        path = self.build("include")
        for isolation in ("inline", "thread", "process"):
            with self.subTest(isolation):
                self.check(path, isolation)

    def test_built_with_the_first_header(self):
        path = self.build("tests/modules/frozen")
        for isolation in ("inline", "thread", "process"):
            with self.subTest(isolation):
                self.check(path, isolation)


if __name__ == "__main__":
    unittest.main()
