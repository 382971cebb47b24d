"""`penstock module`: from the beginnings of a module to a header field that a client sees."""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest

from harness import BINARY, ScenarioTest

# With every warning an error: what people begin with has none.
STRICT = "-O1 -Werror -Wpedantic -Wshadow -Wconversion"
COMPILERS = [(c, cpp) for c, cpp in (("clang-19", "clang++-19"), ("gcc", "g++"))
             if shutil.which(c) and shutil.which(cpp)]


class ModuleCommandsTest(ScenarioTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-module-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_in_folder(self, *command, code=0, **options):
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True,
                                timeout=120, check=False, **options)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def new(self, name, *options):
        return self.run_in_folder(BINARY, "module", "new", name, *options)

    def make(self, name, compilers, *targets, **options):
        c, cpp = compilers
        return self.run_in_folder("make", "-B", "-C", name, f"CC={c}", f"CXX={cpp}",
                                  f"CFLAGS={STRICT}", f"CXXFLAGS={STRICT}", *targets, **options)

    def test_what_is_new_builds_is_in_order_and_works(self):
        for language in ("c", "c++"):
            for compilers in COMPILERS:
                with self.subTest(language=language, compilers=compilers):
                    name = f"hello-{'c' if language == 'c' else 'pp'}-{compilers[0]}"
                    self.assertIn(f"Now: make -C {name} check",
                                  self.new(name, "--language", language).stdout)
                    checked = self.make(name, compilers, "check").stdout
                    self.assertIn(f"{name} 0.1: Says hello in a header field", checked)
                    self.assertRegex(checked, r'greeting +text +"hello" +What is said\.')
                    self.see_the_greeting(os.path.join(self.folder, name, f"{name}.so"))

    def see_the_greeting(self, file):
        penstock = self.reverse(self.origin(), **{
            "filter": [{"module": "greeter"}],
            "module.greeter": {"file": file, "config": {"greeting": "good day"}},
        })
        response = self.ask(penstock, "/")
        self.assertEqual(response.value("X-Greeting"), "good day")

    def test_a_setting_that_the_module_refuses(self):
        self.new("hello")
        self.make("hello", COMPILERS[0])
        path = os.path.join(self.folder, "hello", "hello.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace('greeting = "hello"', 'greeting = ""'))
        said = self.run_in_folder(BINARY, "check", "-c", path, code=1).stderr
        self.assertIn(f"{path}:13:12: error: a greeting has 1 to 200 bytes\n"
                      '   13 | greeting = ""\n'
                      "      |            ^\n", said)

    def test_nothing_is_overwritten(self):
        self.new("hello")
        result = self.run_in_folder(BINARY, "module", "new", "hello", code=1)
        self.assertEqual(result.stderr, 'penstock: "hello" is already there\n')

    def test_a_lax_umask_makes_no_module_that_is_not_trusted(self):
        before = os.umask(0o002)
        try:
            self.new("hello")
            self.make("hello", COMPILERS[0], "check")
        finally:
            os.umask(before)
        mode = os.stat(os.path.join(self.folder, "hello", "hello.so")).st_mode
        self.assertEqual(mode & (stat.S_IWGRP | stat.S_IWOTH), 0)

    def test_show_of_what_is_no_module(self):
        result = self.run_in_folder(BINARY, "module", "show", "/bin/sh", code=1)
        self.assertIn('penstock: "/bin/sh" ', result.stderr)


if __name__ == "__main__":
    unittest.main()
