"""The ICAP server behind the proxies, and what is asked of it."""
import contextlib
import dataclasses
import glob
import os
import shutil
import signal
import struct
import time

from lib import build
from lib.process import Process, free_port, wait_for_port


@dataclasses.dataclass(frozen=True)
class Case:
    """A service, how it is asked, and what it then says to every message."""
    service: str
    method: str
    previews: bool
    outcome: bytes


CASES = {
    # Asked without 206, ex206 leaves everything as it is, and says so at the end of the preview.
    "respmod-204": Case("ex206", "respmod", True, b"RESPMOD 204\n"),
    # Everything goes there and back at once, or after 100 at a preview of nothing. (With a preview
    # of more, echo changes between 200 and 204.)
    "respmod-200": Case("echo", "respmod", False, b"RESPMOD 200\n"),
    "respmod-100": Case("echo", "respmod", True, b"RESPMOD 200\n"),
    "reqmod-204": Case("url_check", "reqmod", True, b"REQMOD 204\n"),
}
# The program and the case of each such peer.
PEERS = {f"{program}-{case}": (program, case)
         for program in ("penstock", "before", "squid") for case in CASES}
# How many requests a connection may carry, by mode: as Debian has it, and any number.
MODES = {"icap": 100, "icap-unlimited": -1}


class CIcap:
    """A c-icap for one proxy alone, in a folder of its own."""

    def __init__(self, mode, case, folder, cpu):
        self.case = CASES[case]
        self.folder = os.path.join(folder, "c-icap")
        self.port = free_port()
        self.process = None
        os.makedirs(self.folder, exist_ok=True)
        command = self.command(mode)
        try:
            self.process = Process(command, cpu, self.path("output.log"))
            wait_for_port(self.process, self.port)
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"c-icap {error} {self.last_words()}") from error
        except BaseException:
            self.stop()
            raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, mode):
        binary = shutil.which("c-icap", path=os.environ["PATH"] + ":/usr/sbin")
        modules = glob.glob("/usr/lib/*/c_icap")
        if not binary or not modules:
            raise RuntimeError("c-icap is not installed")
        with open(self.path("hosts"), "w", encoding="utf-8") as hosts:
            hosts.write("blocked.invalid:\n")
        values = {"PORT": self.port, "DIR": self.folder, "MODULES": modules[0],
                  "REQUESTS": MODES[mode]}
        file = build.fill_in("c-icap.conf", values, self.folder)
        return ["env", "LD_PRELOAD=" + build.preload("accepts"), "ACCEPTS=" + self.path("accepts"),
                binary, "-N", "-f", file]

    def stop(self):
        if not self.process:
            return
        left = self.files_elsewhere()
        # On SIGTERM it waits ten seconds for clients that do nothing.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.popen.pid, signal.SIGKILL)
        self.process.stop()
        for path in left:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def last_words(self):
        """It says little elsewhere."""
        with contextlib.suppress(OSError), open(self.path("server.log"), encoding="utf-8") as log:
            return " / ".join(log.read().strip().splitlines()[-3:])
        return ""

    def files_elsewhere(self):
        """Its locks and shared memory, which it does not have in its folder."""
        if not self.process.running():
            return []
        paths = map(os.path.realpath, glob.glob(f"/proc/{self.process.popen.pid}/fd/*"))
        return [path for path in paths
                if os.path.basename(path).startswith(("icap_lock_", "c-icap-shared-"))]

    def connections(self):
        """How many it has accepted so far."""
        with open(self.path("accepts"), "rb") as file:
            return struct.unpack("=Q", file.read(8))[0]

    def log_size(self):
        """The size of its access log once it has written of all messages that it has answered."""
        size, before = os.path.getsize(self.path("access.log")), -1
        while size != before:
            time.sleep(0.02)
            size, before = os.path.getsize(self.path("access.log")), size
        return size

    def messages(self, start):
        """From that byte of its log on: how many were as expected, and how many not."""
        end = self.log_size()
        with open(self.path("access.log"), "rb") as file:
            file.seek(start)
            text = file.read(end - start)
        expected = text.count(self.case.outcome)
        return expected, text.count(b"\n") - expected - text.count(b"OPTIONS 200\n")


class Meter:
    """What comes to the ICAP server of a peer while this is open; nothing without one."""

    def __init__(self, peer):
        self.server = peer.icap
        self.start = self.server.log_size() if self.server else 0
        self.accepted = self.server.connections() if self.server else 0

    def read(self, requests):
        """(new connections, exchanges for which not just one message came and was answered as it
        should be)."""
        if not self.server:
            return 0, 0
        opened = self.server.connections() - self.accepted
        expected, others = self.server.messages(self.start)
        return opened, abs(requests - expected) + others
