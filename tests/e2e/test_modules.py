"""Modules in the running proxy: loaded, refused, exchanged, isolated, watched."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import BINARY, Penstock, ScenarioTest, toml, wait_until
from wire import response_bytes

INCLUDE = os.path.join(os.path.dirname(__file__), "../../include")
CODE = """
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "penstock/module.h"

static int configure(penstock_instance *instance, const penstock_api *ps,
                     const penstock_config *config, void **data) {
  (void)config;
  (void)data;
  ps->log(instance, PENSTOCK_LOG_INFO, "begins " MARK);
  return PENSTOCK_OK;
}
static void close_instance(penstock_instance *instance, void *data) {
  (void)data;
  api->log(instance, PENSTOCK_LOG_INFO, "closes " MARK);
}
"""
REST = """
static int load(const penstock_api *given) { api = given; return PENSTOCK_OK; }
static const penstock_setting settings[] = {{.name = "n", .type = PENSTOCK_SETTING_INTEGER,
  .standard = "1", .meaning = "A number.", .least = 1, .most = 9}};
static const penstock_module module = {.abi = PENSTOCK_ABI, .size = sizeof(penstock_module),
  .name = "test", .version = MARK, .summary = "A test.", .settings = settings, .setting_count = 1,
  .load = load, .configure = configure, .close = close_instance, %s};
PENSTOCK_MODULE(module);
"""
SET_FIELD = """
static int response_head(penstock_call *call) {
  api->field_set(call, PENSTOCK_RESPONSE, PENSTOCK_STR("X-Module"), PENSTOCK_STR(MARK));
  return PENSTOCK_CONTINUE;
}
"""


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class ModuleTest(ScenarioTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="penstock-module-")
        self.addCleanup(shutil.rmtree, self.folder)

    def build(self, name, mark, code, callbacks):
        """Compiles a module in C; gives its path."""
        path = os.path.join(self.folder, name + ".so")
        whole = (f'#define MARK "{mark}"\n' + CODE.replace("static int configure",
                 "static const penstock_api *api;\nstatic int configure", 1) + code
                 + REST % callbacks)
        subprocess.run(["clang-19", "-std=gnu11", "-Wall", "-Werror",
                        "-Wno-initializer-overrides", "-shared", "-fPIC",
                        "-I" + INCLUDE, "-x", "c", "-", "-o", path + ".new"],
                       input=whole.encode(), check=True)
        os.rename(path + ".new", path)
        return path

    def before(self, path, *origins, isolation="inline", config=None, **filters):
        table = {"file": path, "isolation": isolation, "threads": 1, "watchdog": "50ms"}
        if isolation == "inline":
            del table["threads"]
        else:
            del table["watchdog"]
        return self.reverse(*origins, **{"module.sample": table | {"config": config or {}},
                                         "filter": [{"module": "sample"} | filters]})

    def said(self, penstock, text):
        return [line for line in penstock.log if text in line]


class LoadingTest(ModuleTest):
    def refused(self, table):
        """What is said of a configuration with that module; the place as [line, column]."""
        config = toml({"listener": [{"address": "127.0.0.1:0"}], "module.sample": table,
                       "filter": [{"module": "sample"}]})
        with self.assertRaisesRegex(AssertionError, "did not start") as run:
            Penstock(config)
        path = os.path.join(self.folder, "check.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        check = subprocess.run([BINARY, "check", "-c", path], stderr=subprocess.PIPE, text=True,
                               stdout=subprocess.DEVNULL, check=False)
        self.assertEqual(check.returncode, 1)
        return str(run.exception), check.stderr

    def test_what_is_refused(self):
        good = self.build("good", "1", SET_FIELD, ".response_head = response_head")
        with open(os.path.join(self.folder, "text.so"), "w", encoding="utf-8") as file:
            file.write("no shared object")
        os.chmod(os.path.join(self.folder, "text.so"), 0o644)
        open_to_all = self.build("open", "1", SET_FIELD, ".response_head = response_head")
        os.chmod(open_to_all, 0o666)
        subprocess.run(["clang-19", "-shared", "-x", "c", "-", "-o",
                        os.path.join(self.folder, "nothing.so")], input=b"int a;", check=True)
        other = self.build("other", "1", SET_FIELD.replace("return PENSTOCK_CONTINUE", "return 0"),
                           ".response_head = response_head, .abi = 7")
        for table, text in (
                ({"file": os.path.join(self.folder, "missing.so")}, "No such file"),
                ({"file": os.path.join(self.folder, "text.so")}, "text.so"),
                ({"file": open_to_all}, "written by"),
                ({"file": os.path.join(self.folder, "nothing.so")}, "penstock_module_entry"),
                ({"file": other}, "7"),
                ({"file": good, "config": {"n": 10}}, "1 to 9"),
                ({"file": good, "config": {"m": 1}}, '"m"')):
            for said in self.refused(table):
                self.assertIn(text, said)

    def test_two_instances_of_one_module(self):
        path = self.build("m", "one", SET_FIELD, ".response_head = response_head")
        origin = self.origin()
        penstock = self.reverse(origin, **{
            "module.a": {"file": path}, "module.b": {"file": path, "config": {"n": 2}},
            "filter": [{"module": "a", "path": "/a"}, {"module": "b", "path": "/b"}]})
        for target, expected in (("/a", "one"), ("/b", "one"), ("/c", None)):
            self.assertEqual(self.ask(penstock, target).value("X-Module"), expected)
        self.assertEqual(len(self.said(penstock, "begins one")), 2)

    def test_replaced_while_running(self):
        path = self.build("m", "old", SET_FIELD, ".response_head = response_head")

        def answer(request, wire):
            if request.target != "/slow":
                return response_bytes()
            wait_until(lambda: self.go_on, "the test to go on")
            return response_bytes()

        self.go_on = False
        origin = self.origin(answer)
        penstock = self.before(path, origin)
        slow = self.client(penstock)
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: origin.requests, "the slow request")
        self.build("m", "new", SET_FIELD, ".response_head = response_head")
        penstock.signal(signal.SIGHUP)
        wait_until(lambda: self.said(penstock, "taken over"), "the new module")
        wait_until(lambda: self.ask(penstock, "/").value("X-Module") == "new", "its first answer")
        # The old one is still there for who has begun with it, and goes after that.
        self.assertFalse(self.said(penstock, "closes old"))
        self.go_on = True
        self.assertEqual(slow.read_response().value("X-Module"), "old")
        wait_until(lambda: self.said(penstock, "closes old"), "the end of the old one")
        with open(f"/proc/{penstock.process.pid}/maps", encoding="utf-8") as maps:
            loaded = {line.split(maxsplit=5)[5] for line in maps if "memfd:" in line
                      and "r-xp" in line}
        self.assertEqual(len(loaded), 1, loaded)

    def test_a_file_with_an_error_changes_nothing(self):
        path = self.build("m", "old", SET_FIELD, ".response_head = response_head")
        penstock = self.before(path, self.origin())
        self.build("m", "bad", SET_FIELD, ".response_head = response_head, .abi = 7")
        penstock.signal(signal.SIGHUP)
        wait_until(lambda: self.said(penstock, "was not taken over"), "the error")
        self.assertEqual(self.ask(penstock, "/").value("X-Module"), "old")

    def test_other_changes_need_a_restart(self):
        path = self.build("m", "old", SET_FIELD, ".response_head = response_head")
        penstock = self.before(path, self.origin())
        config = os.path.join(penstock.folder.name, "penstock.toml")
        with open(config, "a", encoding="utf-8") as file:
            file.write('[limits]\nbody = "1MiB"\n')
        penstock.signal(signal.SIGHUP)
        wait_until(lambda: self.said(penstock, "need a restart"), "the warning")


CRASH = """
static int request_head(penstock_call *call) {
  penstock_str path;
  if (api->get_text(call, PENSTOCK_PATH, &path) != PENSTOCK_OK) return PENSTOCK_ERROR;
  if (path.size == 6 && memcmp(path.data, "/crash", 6) == 0) raise(SIGKILL);
  if (path.size == 5 && memcmp(path.data, "/hang", 5) == 0) pause();
  if (path.size == 5 && memcmp(path.data, "/slow", 5) == 0) {
    struct timespec time = {.tv_nsec = 300000000};
    nanosleep(&time, NULL);
  }
  return PENSTOCK_CONTINUE;
}
""" + SET_FIELD
BOTH = ".request_head = request_head, .response_head = response_head"


class IsolationTest(ModuleTest):
    def test_a_crash_is_a_failure_of_one_filter(self):
        path = self.build("m", "1", CRASH, BOTH)
        penstock = self.before(path, self.origin(), isolation="process", on_failure="closed")
        self.assertEqual(self.ask(penstock, "/").value("X-Module"), "1")
        answer = self.ask(penstock, "/crash")
        self.assertEqual(answer.status, 502)
        self.assertIn("filter_failed", answer.value("Proxy-Status"))
        wait_until(lambda: self.said(penstock, "killed by signal 9"), "the end of the helper")
        # It comes again by itself, and serves as before.
        wait_until(lambda: self.ask(penstock, "/").value("X-Module") == "1", "a new helper")

    def test_without_it_where_that_is_allowed(self):
        path = self.build("m", "1", CRASH, BOTH)
        penstock = self.before(path, self.origin(), isolation="process", on_failure="open")
        self.assertEqual(self.ask(penstock, "/crash").status, 200)

    def test_a_callback_that_hangs_has_a_limit(self):
        for isolation in ("thread", "process"):
            path = self.build("m", "1", CRASH.replace("pause()", "sleep(2)"), BOTH)
            penstock = self.before(path, self.origin(), isolation=isolation, timeout="100ms")
            answer = self.ask(penstock, "/hang")
            self.assertEqual(answer.status, 502)
            wait_until(lambda p=penstock: self.said(p, "timed_out"), "the failure in the log")

    def test_a_slow_callback_is_reported_where_it_holds_a_worker(self):
        path = self.build("m", "1", CRASH, BOTH)
        penstock = self.before(path, self.origin())
        self.assertEqual(self.ask(penstock, "/slow").status, 200)
        line = wait_until(lambda: self.said(penstock, "request_head"), "the watchdog")[0]
        self.assertRegex(line, r"sample.*request_head.*\d+ ms")
        for isolation in ("thread", "process"):
            beside = self.before(path, self.origin(), isolation=isolation)
            client = self.client(beside)
            client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(client.read_response().status, 200)
            self.assertFalse(self.said(beside, "request_head"))

    def test_no_helper_stays_behind(self):
        path = self.build("m", "1", CRASH, BOTH)
        penstock = self.before(path, self.origin(), isolation="process")
        helper = wait_until(lambda: self.said(penstock, "started, process"), "the helper")[0]
        pid = int(re.search(r"process (\d+)", helper).group(1))
        penstock.process.kill()
        penstock.process.wait()
        wait_until(lambda: not is_running(pid), "the end of the helper")
        penstock.logging.join()
        penstock.process.stderr.close()
        penstock.folder.cleanup()


if __name__ == "__main__":
    unittest.main()
