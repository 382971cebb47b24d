"""Network namespaces: hosts of their own, with cables between them. They are known to nobody but
this process, and gone with it, so that nothing is left behind."""

import ctypes
import os
import subprocess
import threading
import unittest

from real_servers import find_program

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def in_thread(function, *arguments, **options):
    """What it returns or raises, run by a thread of its own."""
    result = {}

    def run():
        try:
            result["value"] = function(*arguments, **options)
        except BaseException as error:  # pylint: disable=broad-except
            result["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Namespace:
    """A host. Where none can be made, making one skips the test."""

    def __init__(self):
        self.programs = {name: find_program(name) for name in ("ip", "nft", "nsenter")}

        def make():
            call(LIBC.unshare, CLONE_NEWNET)
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        try:
            self.descriptor = in_thread(make)
        except OSError as error:
            raise unittest.SkipTest(f"no network namespaces here: {error}") from error
        self.path = f"/proc/{os.getpid()}/fd/{self.descriptor}"
        self.ip("link", "set", "dev", "lo", "up")

    @property
    def through(self):
        """The command that runs another one here."""
        return [self.programs["nsenter"], f"--net={self.path}"]

    def command(self, name, *arguments, given=None):
        """Skips where the machine can't do it."""
        command = [*self.through, self.programs[name], *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        # A mistake of ours is none of the machine's.
        for excuse in ("Operation not permitted", "Operation not supported",
                       "Could not process rule", "Unknown device type"):
            if excuse in done.stderr:
                raise unittest.SkipTest(f"{name} can't do it here: {done.stderr.strip()}")
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")

    def ip(self, *arguments):
        self.command("ip", *arguments)

    def nft(self, rules):
        """Instead of all rules there were."""
        self.command("nft", "-f", "-", given="flush ruleset\n" + rules)

    def run(self, function, *arguments, **options):
        """Calls it; the sockets that it makes are this host's for ever."""
        def enter():
            call(LIBC.setns, self.descriptor, CLONE_NEWNET)
            return function(*arguments, **options)

        return in_thread(enter)

    def join(self, name, other, other_name, subnet):
        """A cable between two hosts; this one is .1 and ::1 of the subnet, the other .2 and ::2."""
        self.ip("link", "add", name, "type", "veth", "peer", "name", other_name, "netns",
                other.path)
        for host, end, number in ((self, name, 1), (other, other_name, 2)):
            host.ip("address", "add", f"10.77.{subnet}.{number}/24", "dev", end)
            host.ip("address", "add", f"fd77:{subnet}::{number}/64", "dev", end, "nodad")
            host.ip("link", "set", "dev", end, "up")

    def close(self):
        os.close(self.descriptor)
