"""The command line of the real binary: what it prints, where, and with which exit code."""

import os
import subprocess
import tempfile
import unittest

from doubles_tls import Authority

BINARY = os.environ.get("PENSTOCK_BIN", "penstock")

GOOD = """
[[listener]]
address = "*:8080"
mode = "reverse"

[upstream.app]
servers = ["127.0.0.1:9000"]
"""

BAD = """\
[limits]
haed = "64KiB"

[timeouts]
stall = 30

[[listener]]
mode = "revers"
"""


def penstock(*arguments):
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, timeout=30, check=False
    )


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "penstock.toml")

    def check(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        return penstock("check", "-c", self.path)

    def test_version(self):
        for arguments in (["version"], ["--version"]):
            result = penstock(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stdout, r"\Apenstock \d+\.\d+\.\d+\n\Z")

    def test_help(self):
        for arguments in (["--help"], ["run", "--help"], ["check", "--help"]):
            result = penstock(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage: penstock", result.stdout)
            self.assertEqual(result.stderr, "")

    def test_unknown_command(self):
        result = penstock("chek")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stdout, "")
        self.assertIn('unknown command "chek": did you mean "check"?', result.stderr)
        self.assertIn("Usage: penstock", result.stderr)

    def test_no_command(self):
        result = penstock()
        self.assertEqual(result.returncode, 2)
        self.assertIn("Usage: penstock", result.stderr)

    def test_check_needs_a_file(self):
        self.assertEqual(penstock("check").returncode, 2)

    def test_check_of_a_good_file(self):
        result = self.check(GOOD)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        self.assertIn("*:8080 (reverse)", result.stdout)
        self.assertIn("*/ -> app", result.stdout)
        self.assertIn("app: 127.0.0.1:9000", result.stdout)

    def test_check_of_an_empty_file(self):
        result = self.check("")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("127.0.0.1:3128 (forward)", result.stdout)

    def test_check_of_certificates(self):
        """What run would refuse, check does not call good."""
        with Authority() as authority:
            pair, other = authority.issue("DNS:a.test"), authority.issue("DNS:b.test")
            listener = GOOD.replace('mode = "reverse"', 'mode = "reverse"\nname = "front"\n'
                                    'tls.certificates = {{ certificate = "{}", key = "{}" }}')
            result = self.check(listener.format(*pair))
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            result = self.check(listener.format(pair[0], other[1]))
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, 'error: listener "front": The key .* does not belong')
            result = self.check(GOOD + f'tls = {{ certificate = "{pair[0]}", key = "{other[1]}" }}')
            self.assertEqual(result.returncode, 1)
            self.assertIn("does not belong", result.stderr)

    def test_check_looks_at_certificates_for_icap(self):
        result = self.check(GOOD + f"""
[icap.scan]
url = "icaps://scan.internal/av"
tls.ca_file = "{self.path}"
[[filter]]
icap = "scan"
""")
        self.assertEqual(result.returncode, 1)
        self.assertIn("error: TLS of icap:scan: ", result.stderr)

    def test_check_of_a_bad_file(self):
        result = self.check(BAD)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        self.assertIn(f'{self.path}:2:1: error: unknown key "haed"', result.stderr)
        self.assertIn('did you mean "head"?', result.stderr)
        self.assertIn('    2 | haed = "64KiB"\n      | ^\n', result.stderr)
        self.assertIn(f"{self.path}:5:9: error: 30 has no unit", result.stderr)
        self.assertIn(f"{self.path}:8:8: error:", result.stderr)

    def test_check_of_what_is_not_toml(self):
        result = self.check("[limits\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("this is not TOML", result.stderr)

    def test_check_of_a_missing_file(self):
        result = penstock("check", "-c", self.path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No such file or directory", result.stderr)

    def test_run_with_a_bad_file_does_not_start(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(BAD)
        result = penstock("run", "-c", self.path)
        self.assertEqual(result.returncode, 1)
        self.assertIn('unknown key "haed"', result.stderr)


if __name__ == "__main__":
    unittest.main()
