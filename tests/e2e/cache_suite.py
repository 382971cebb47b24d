"""The public test suite of HTTP caches (the npm package http-cache-tests): where it is, its origin
server, and runs of it through proxies. Its files stay as they were published; what drives them is in
tests/cache-suite.

    with SuiteServer() as server:
        reports = run_suite(server, {"reverse": "127.0.0.1:8080"})
"""

import base64
import collections
import hashlib
import json
import os
import selectors
import shutil
import subprocess
import tarfile
import tempfile

from wire import LIMIT

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
DRIVER = os.path.join(ROOT, "tests/cache-suite")
KINDS = ("required", "optimal", "check")
# Penstock's settings for the suite: what it may store, it stores.
PENSTOCK_CACHE = {"memory": "64MiB", "set_cookie": "store",
                  "targeted": ["Penstock-Cache-Control", "CDN-Cache-Control", "Surrogate-Control"]}
RUN_LIMIT = 280  # seconds for a whole run; one takes some 15, more with many retries
INSTALL_LIMIT = 120


def pinned():
    with open(os.path.join(DRIVER, "suite.json"), encoding="utf-8") as file:
        return json.load(file)


def node():
    found = shutil.which("node")
    if not found:
        raise AssertionError("the suite of caches needs nodejs: tools/install-packages test")
    return found


def suite():
    """The folder of the suite, fetched by npm the first time."""
    wanted = pinned()
    folder = os.path.join(ROOT, "build/cache-suite", wanted["version"])
    if not os.path.isdir(folder):
        fetch(wanted, folder)
    return folder


def fetch(wanted, folder):
    """Only the package itself: what it depends on is for its own command line."""
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as scratch:
        pack(f"{wanted['package']}@{wanted['version']}", scratch)
        [name] = os.listdir(scratch)
        archive = os.path.join(scratch, name)
        with open(archive, "rb") as file:
            digest = base64.b64encode(hashlib.sha512(file.read()).digest()).decode()
        if f"sha512-{digest}" != wanted["integrity"]:
            raise AssertionError(f"{name} is not what suite.json names: sha512-{digest}")
        with tarfile.open(archive) as content:
            content.extractall(scratch, filter="data")
        try:
            os.rename(os.path.join(scratch, "package"), folder)
        except OSError:
            if not os.path.isdir(folder):  # else another test was first
                raise


def pack(package, folder):
    npm = shutil.which("npm")
    if not npm:
        raise AssertionError("the suite of caches needs npm: tools/install-packages test")
    command = [npm, "pack", "--ignore-scripts", "--prefer-offline", "--no-update-notifier",
               f"--pack-destination={folder}", package]
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=INSTALL_LIMIT)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"npm did not fetch {package} in {INSTALL_LIMIT} s") from error
    if done.returncode != 0:
        raise AssertionError(f"npm could not fetch {package}, which the suite of caches is:\n"
                             + done.stdout)


class SuiteServer:
    """The origin of the suite, with any number of proxies before it."""

    def __init__(self):
        self.process = None
        self.port = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        command = [node(), os.path.join(DRIVER, "serve.mjs"), suite()]
        # What it says afterwards is about requests that a test did not foresee. It ends with stdin.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(LIMIT) else ""
        if not line:
            self.stop()
            raise AssertionError("the server of the suite does not start")
        self.port = int(line)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


Case = collections.namedtuple("Case", "id section section_name kind name outcome reason")
Case.__doc__ = """What came of a test through one proxy. Its kind is required, optimal or check; the
outcome is pass, fail (with a check: yes or no), or that it says nothing: dependency (a test that it
builds upon did not pass), setup, retry (the proxy sent a request twice)."""


def run_suite(server, proxies, ids=(), chunk=100):
    """Runs the suite, or the tests called so, through the addresses of proxies by mode, "reverse"
    and "forward", at the same time; gives {id: Case} for each. `chunk` tests run at a time."""
    running = {}
    try:
        for mode, address in proxies.items():
            command = [node(), os.path.join(DRIVER, "run.mjs"), "--chunk", str(chunk), suite(), mode,
                       address, server.address, *ids]
            running[mode] = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                                             stdout=subprocess.PIPE)
        return {mode: read_report(process) for mode, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
            process.stdout.close()


def read_report(process):
    output, _ = process.communicate(timeout=RUN_LIMIT)
    if process.returncode != 0:
        raise AssertionError("the suite's client fails")
    return {case["id"]: Case(*(case[name] for name in Case._fields))
            for case in json.loads(output)["tests"]}
