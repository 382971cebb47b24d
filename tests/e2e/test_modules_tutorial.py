"""What docs/modules.md tells a stranger to do works, and does what it says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import BINARY, ScenarioTest
from wire import response_bytes

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
COMPILERS = {"CC": "clang-19", "CXX": "clang++-19"}


def tutorial(heading=None):
    """The text, or what stands in it under that heading."""
    with open(os.path.join(ROOT, "docs/modules.md"), encoding="utf-8") as file:
        text = file.read()
    if heading is None:
        return text
    return re.search(rf"^###? {heading}\n(.*?)^##", text, re.M | re.S).group(1)


def programs():
    """The modules that the tutorial shows whole."""
    return re.findall(r"^```cpp\n(.*?)^```$", tutorial(), re.M | re.S)


def curls(heading):
    """The paths that are asked for there of the server that the tutorial starts."""
    return re.findall(r"curl -x \S+ http://127.0.0.1:8000(\S*)", tutorial(heading))


@unittest.skipUnless(shutil.which("make"), "make is not installed")
class TutorialTest(ScenarioTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.run_in(".", BINARY, "module", "new", "hello", "--language", "c++")

    def run_in(self, folder, *command):
        result = subprocess.run(command, cwd=os.path.join(self.folder, folder), text=True,
                                capture_output=True, env=os.environ | COMPILERS, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def module(self, program=None, **config):
        """A forward proxy with the module, of that source or the one that there is."""
        if program is not None:
            with open(os.path.join(self.folder, "hello/hello.cc"), "w", encoding="utf-8") as file:
                file.write(program)
        self.run_in("hello", "make", "hello.so")
        instance = {"file": os.path.join(self.folder, "hello/hello.so"), "config": config}
        return self.forward(**{"module.hello": instance, "filter": [{"module": "hello"}]})

    def http_server(self):
        """What the tutorial lets look at: python3 -m http.server, where the module was made."""
        self.assertIn("python3 -m http.server 8000 --bind 127.0.0.1", tutorial())
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return "127.0.0.1:" + re.search(r"port (\d+)", server.stdout.readline()).group(1)

    def look(self, penstock, server, path):
        return self.ask(penstock, f"http://{server}{path}", host=server)

    def get(self, penstock, origin, path, **options):
        return self.ask(penstock, f"{origin.url}{path}", host=origin.address, **options)

    def test_the_beginning(self):
        self.assertIn("greeting", self.run_in("hello", "make", "check"))
        response = self.get(self.module(), self.origin(), "/")
        self.assertEqual(response.value("X-Greeting"), "hello")
        response = self.get(self.module(greeting="hi"), self.origin(), "/")
        self.assertEqual(response.value("X-Greeting"), "hi")

    def test_change_content(self):
        origin = self.origin(lambda request, _: response_bytes(
            b"12345", "Content-Type: " + ("text/plain" if request.target == "/" else "image/png")))
        penstock = self.module(programs()[0])
        self.assertEqual(self.get(penstock, origin, "/").body, b"12345-- 5 bytes\n")
        self.assertEqual(self.get(penstock, origin, "/x").body, b"12345")
        self.assertEqual(self.get(penstock, origin, "/", method="HEAD").body, b"")

    def test_what_one_sees(self):
        """With the server that the text names, what it says is to be seen."""
        server = self.http_server()
        paths = curls("Change content")
        penstock = self.module(programs()[0])
        self.assertTrue(paths)
        for path in paths:
            body = self.look(penstock, server, path).body
            footer = body.splitlines()[-1]
            self.assertEqual(footer, b"-- %d bytes" % (len(body) - len(footer) - 1))
        unchanged = self.look(penstock, server, "/hello/hello.toml")
        self.assertTrue(unchanged.body.startswith(b"# A forward proxy"), unchanged.body)
        self.assertNotIn(b" bytes\n", unchanged.body)
        paths = curls("Answer")
        penstock = self.module(programs()[1])
        self.assertEqual([self.look(penstock, server, path).body for path in paths],
                         [f"There is no {path}.\n".encode() for path in paths])

    def test_run_it_elsewhere(self):
        line = re.search(r"^```toml\n(isolation = .*)\n```$", tutorial("Run it elsewhere"), re.M)
        path = os.path.join(self.folder, "hello/hello.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("[module.hello]\n", f"[module.hello]\n{line.group(1)}\n"))
        self.assertIn('isolation = "process"', self.run_in(".", "make", "-C", "hello", "check"))

    def test_answer(self):
        origin = self.origin(lambda request, _: response_bytes(
            status="200 OK" if request.target == "/" else "404 Not Found"))
        penstock = self.module(programs()[1])
        self.assertEqual(self.get(penstock, origin, "/hello").body, b"Hello, 127.0.0.1.\n")
        self.assertEqual(self.get(penstock, origin, "/none").body, b"There is no /none.\n")
        self.assertEqual(self.get(penstock, origin, "/").body, b"hello")
        self.assertEqual([request.target for request in origin.requests], ["/none", "/"])

    def test_wait_for_somebody_else(self):
        knows = self.origin(lambda request, _: response_bytes(
            status="403 No" if request.value("X-URL").endswith("/secret") else "200 OK"))
        origin = self.origin()
        penstock = self.module(programs()[2], ask=knows.url + "/ask")
        self.assertEqual(self.get(penstock, origin, "/").body, b"hello")
        self.assertEqual(self.get(penstock, origin, "/secret").body, b"No.\n")
        self.assertEqual([request.value("X-Client") for request in knows.requests],
                         ["127.0.0.1"] * 2)
        knows.stop()
        self.assertEqual(self.get(penstock, origin, "/").status, 403)

    def test_there_are_no_other_programs(self):
        self.assertEqual(len(programs()), 3)


if __name__ == "__main__":
    unittest.main()
