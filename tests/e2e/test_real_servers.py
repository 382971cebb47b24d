"""Between curl and nginx, where both are installed."""

import hashlib
import os
import re
import shutil
import subprocess
import unittest

from harness import ScenarioTest
from real_servers import Nginx

CURL = shutil.which("curl")
LARGE = 50_000_000

LOCATIONS = """
    location /gzip/ {{
      alias {folder}/files/;
      gzip on;
      gzip_types text/plain;
      gzip_min_length 1;
      gzip_proxied any;
      types {{ text/plain txt; }}
    }}
    location /upload/ {{
      dav_methods PUT;
      client_max_body_size 100m;
      create_full_put_path on;
    }}
"""


@unittest.skipUnless(CURL, "curl is not installed")
class RealServersTest(ScenarioTest):
    def setUp(self):
        self.nginx = self.enterContext(Nginx(LOCATIONS))
        self.folder = self.nginx.folder.name
        self.files = os.path.join(self.folder, "files")
        self.nginx.put("small.txt", b"hello, world\n" * 100)
        self.proxy = self.reverse(self.nginx.socket)

    def curl(self, *arguments, noproxy="*"):
        result = subprocess.run(
            [CURL, "-sS", "--max-time", "60", "--noproxy", noproxy, *arguments],
            capture_output=True, timeout=90, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def url(self, path):
        return f"http://{self.proxy.address}/{path}"

    def test_get_many_times_through_one_connection(self):
        out = self.curl("--write-out", "%{http_code} %{num_connects}\n", "--output", "/dev/null",
                        self.url("small.txt?[1-100]"))
        self.assertEqual(out.split(b"\n")[:-1], [b"200 1"] + [b"200 0"] * 99)
        with open(os.path.join(self.folder, "access.log"), encoding="ascii") as file:
            self.assertEqual(len(file.readlines()), 100)

    def test_content_is_the_same(self):
        self.assertEqual(self.curl(self.url("small.txt")), b"hello, world\n" * 100)
        self.assertEqual(self.curl("--http1.0", self.url("small.txt")), b"hello, world\n" * 100)

    def test_compressed_and_chunked(self):
        for arguments in ([], ["--http1.0"]):
            out = self.curl("--compressed", "--dump-header", "-", *arguments,
                            self.url("gzip/small.txt"))
            head, _, body = out.partition(b"\r\n\r\n")
            self.assertIn(b"content-encoding: gzip", head.lower())
            self.assertEqual(body, b"hello, world\n" * 100)

    def test_large_download(self):
        data = os.urandom(1_000_000) * (LARGE // 1_000_000)
        self.nginx.put("large", data)
        path = os.path.join(self.folder, "got")
        self.curl("--output", path, self.url("large"))
        with open(path, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())

    def upload(self, *arguments):
        os.chmod(self.files, 0o777)
        data = os.urandom(10_000_019)
        path = os.path.join(self.folder, "to-send")
        with open(path, "wb") as file:
            file.write(data)
        out = self.curl("--upload-file", path, "--write-out", "%{http_code}", *arguments,
                        self.url("upload/got"))
        self.assertEqual(out[-3:], b"201", out)
        with open(os.path.join(self.files, "upload", "got"), "rb") as file:
            self.assertTrue(file.read() == data)

    def test_upload_with_content_length(self):
        self.upload()

    def test_chunked_upload(self):
        self.upload("--header", "Transfer-Encoding: chunked")

    def test_upload_without_expect(self):
        self.upload("--header", "Expect:")

    def test_upload_that_expects_100(self):
        self.upload("--header", "Expect: 100-continue", "--expect100-timeout", "30")

    def test_range(self):
        self.assertEqual(self.curl("--range", "7-11", self.url("small.txt")), b"world")
        out = self.curl("--range", "0-4,7-11", "--dump-header", "-", self.url("small.txt"))
        self.assertIn(b"206 ", out.split(b"\r\n", 1)[0])
        self.assertIn(b"multipart/byteranges", out)
        out = self.curl("--range", "999999-", "--dump-header", "-", self.url("small.txt"))
        self.assertIn(b"416 ", out.split(b"\r\n", 1)[0])

    def test_head(self):
        out = self.curl("--head", self.url("small.txt"), self.url("small.txt"))
        self.assertEqual(out.lower().count(b"content-length: 1300\r\n"), 2)

    def test_not_modified(self):
        head = self.curl("--head", self.url("small.txt"))
        etag = re.search(rb'(?i)etag: ("[^"]+")', head)[1].decode()
        out = self.curl("--header", f"If-None-Match: {etag}", "--dump-header", "-",
                        self.url("small.txt"), self.url("small.txt"))
        self.assertEqual(out.count(b"HTTP/1.1 304 "), 2)
        self.assertNotIn(b"hello", out)

    def test_404_and_keep_on(self):
        out = self.curl("--write-out", "%{http_code}", "--output", "/dev/null", self.url("none"),
                        "--output", "/dev/null", self.url("small.txt"))
        self.assertEqual(out, b"404200")

    def test_curl_through_a_forward_listener_and_a_tunnel(self):
        host = self.proxy.address
        port = int(host.rpartition(":")[2])
        forward = self.forward(forward={"connect_ports": [port]})
        for use in (["--proxy"], ["--proxytunnel", "--proxy"], ["--proxytunnel", "--proxy1.0"]):
            with self.subTest(use):
                out = self.curl(*use, f"http://{forward.address}", self.url("small.txt"),
                                self.url("small.txt"), noproxy="")
                self.assertEqual(out, b"hello, world\n" * 200)

    def test_pipelined_by_hand(self):
        client = self.client(self.proxy)
        client.send(b"GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        for _ in range(20):
            self.assertEqual(client.read_response().body, b"hello, world\n" * 100)


if __name__ == "__main__":
    unittest.main()
