"""ICAP servers that others wrote, started as those of real_servers.py are; but what they need is in
packages.txt, and if it is missing the test fails.

    with Clamd() as clamd, CIcap("virus_scan", clamd=clamd) as server:
        ... server.uri("virus_scan")
"""

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import unittest

from namespaces import Namespace
from real_servers import HOST, RealServer, free_port
from wire import LIMIT, Cut
from wire_icap import IcapClient

VIRUS = b"penstock-test-virus-86a1c0"  # what Clamd takes for one
SECRET = b"secretword"  # what srv_content_filtering and E2guardian look for
BLOCKED_HOST = "blocked.test"  # to url_check and E2guardian


class IcapServer(RealServer):
    """One that has to be there."""

    def __enter__(self):
        try:
            return super().__enter__()
        except unittest.SkipTest as error:
            raise AssertionError(f"{error}: run tools/install-packages test") from error

    def uri(self, service):
        return f"icap://{self.address}/{service}"

    def client(self):
        return IcapClient(self.address)


class Clamd(IcapServer):
    """A virus scanner that knows one virus, and nothing of the network. It has a socket of its own
    instead of a port."""

    programs = ("clamd",)

    @property
    def socket(self):
        return self.path("clamd.sock")

    def prepare(self):
        self.write("db/test.ndb", f"Penstock.Test:0:*:{VIRUS.hex()}\n")
        self.write("clamd.conf", "\n".join([
            f"DatabaseDirectory {self.path('db')}",
            f"LocalSocket {self.socket}",
            f"TemporaryDirectory {self.folder.name}",
            f"LogFile {self.path('clamd.log')}",
            *(["User root"] if os.getuid() == 0 else []),
            "Foreground yes",
            "SelfCheck 0",
            "MaxThreads 8",
            "StreamMaxLength 100M",
            "MaxFileSize 100M",
            "MaxScanSize 200M", ""]))

    def command(self):
        return [self.binary, "--config-file", self.path("clamd.conf")]

    def ready(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(LIMIT)
            try:
                sock.connect(self.socket)
                sock.sendall(b"nPING\n")
                return sock.recv(5) == b"PONG\n"
            except OSError:
                return False


class CIcap(IcapServer):
    """c-icap with some of its services: "echo", "ex206", "virus_scan" (wants a Clamd), "url_check"
    and "srv_content_filtering". `settings` are lines of its file, which win over those here. `tls`
    is the pair of a certificate and a key for `tls_port`."""

    programs = ("c-icap",)
    # On SIGTERM it waits ten seconds for clients that do nothing.
    end_signal = signal.SIGKILL

    LINES = {
        "echo": ["Service echo srv_echo.so"],
        "ex206": ["Service ex206 srv_ex206.so"],
        "virus_scan": [
            "Module common clamd_mod.so",
            "clamd_mod.ClamdSocket {clamd}",
            "Service antivirus_module virus_scan.so",
            "virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE",
            "virus_scan.SendPercentData 5",
            "virus_scan.StartSendPercentDataAfter 2M",
            "virus_scan.MaxObjectSize 50M"],
        "url_check": [
            "Service url_check_module srv_url_check.so",
            "url_check.LookupTableDB deny host hash:{folder}/hosts \"test\"",
            "url_check.Profile default block deny",
            "url_check.Profile default pass ALL"],
        "srv_content_filtering": [
            "Service srv_cfg_filter srv_content_filtering.so",
            "srv_content_filtering.Match S body /{secret}/ig score=10 info{{r}}=\"x\"",
            "srv_content_filtering.Profile default replace score{{S>5}} replaceInfo=r"],
    }

    def __init__(self, *services, settings=(), clamd=None, tls=None, threads=30):
        super().__init__()
        self.services = services
        self.settings = settings
        self.clamd = clamd
        self.tls = tls
        self.tls_port = None
        self.threads = threads

    @property
    def tls_address(self):
        return f"localhost:{self.tls_port}"

    def prepare(self):
        modules = glob.glob("/usr/lib/*/c_icap")
        if not modules:
            raise AssertionError("c-icap has no modules here")
        lines = [
            f"PidFile {self.path('pid')}",
            f"CommandsSocket {self.path('control')}",
            f"ServerLog {self.path('server.log')}",
            f"AccessLog {self.path('access.log')}",
            f"TmpDir {self.folder.name}",
            f"Port {self.address}",
            "StartServers 1",
            "MaxServers 1",
            f"ThreadsPerChild {self.threads}",
            "MaxKeepAliveRequests 100",
            "KeepAliveTimeout 60",
            "ServerName localhost",
            f"ModulesDir {modules[0]}",
            f"ServicesDir {modules[0]}",
            "TemplateDir /usr/share/c_icap/templates/",
            "TemplateDefaultLanguage en",
            "LoadMagicFile /etc/c-icap/c-icap.magic"]
        if self.tls:
            self.tls_port = free_port()
            lines.append(f"TlsPort {HOST}:{self.tls_port} cert={self.tls[0]} key={self.tls[1]}")
        self.write("hosts", f"{BLOCKED_HOST}:\n")
        for service in self.services:
            lines += [line.format(folder=self.folder.name, secret=SECRET.decode(),
                                  clamd=self.clamd and self.clamd.socket)
                      for line in self.LINES[service]]
        self.write("c-icap.conf", "\n".join([*lines, *self.settings, ""]))

    def command(self):
        return [self.binary, "-N", "-f", self.path("c-icap.conf")]

    def ready(self):
        """It listens long before it is what shared_files() has to see."""
        try:
            if self.tls:
                socket.create_connection((HOST, self.tls_port), LIMIT).close()
            client = self.client()
        except OSError:
            return False
        try:
            return client.options("none").status == 404
        except (Cut, OSError):
            return False
        finally:
            client.close()

    def stop(self):
        left = self.shared_files()
        super().stop()
        for path in left:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def shared_files(self):
        """Locks and shared memory, which it has outside of its folder."""
        if self.process is None or self.process.returncode is not None:
            return []
        paths = [os.path.realpath(path) for path in glob.glob(f"/proc/{self.process.pid}/fd/*")]
        return [path for path in paths
                if os.path.basename(path).startswith(("icap_lock_", "c-icap-shared-"))]


class E2guardian(IcapServer):
    """A filter of content, in a network namespace of its own: it listens on all addresses. Clients
    are made by client(), programs are run by `namespace.through`. Services "request", "response";
    it blocks BLOCKED_HOST and texts with SECRET in them."""

    programs = ("e2guardian",)
    end_signal = signal.SIGKILL  # it does not heed SIGTERM
    port_there = 1344

    def __init__(self):
        super().__init__()
        self.namespace = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.namespace = Namespace()
            stack.callback(self.namespace.close)
            super().__enter__()
            stack.pop_all()
        return self

    def __exit__(self, *arguments):
        try:
            super().__exit__(*arguments)
        finally:
            self.namespace.close()

    def prepare(self):
        self.port = self.port_there
        folder = self.path("etc")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree("/etc/e2guardian", folder)
        os.makedirs(self.path("log"), exist_ok=True)
        for parent, _, names in os.walk(folder):
            os.chmod(parent, 0o755)
            for name in names:
                path = os.path.join(parent, name)
                with open(path, encoding="latin-1") as file:
                    text = file.read()
                with open(path, "w", encoding="latin-1") as file:
                    file.write(text.replace("/etc/e2guardian", folder))
                os.chmod(path, 0o644)
        self.change("etc/e2guardian.conf", {
            "icapport": self.port, "filterip": HOST, "filterports": 8080, "nodaemon": "on",
            "httpworkers": 20, "pidfilename": f"'{self.path('log')}/pid'",
            "loglocation": f"'{self.path('log')}/access.log'", "daemonuser": "'nobody'",
            "daemongroup": "'nogroup'", "reverseaddresslookups": "off",
            "filecachedir": f"'{self.path('log')}'"})
        self.write("etc/lists/localbannedsitelist", f"{BLOCKED_HOST}\n")
        self.write("etc/lists/bannedphraselist", f"<{SECRET.decode()}>\n")
        if os.getuid() == 0:
            for path in (self.folder.name, self.path("log")):
                shutil.chown(path, "nobody", "nogroup")

    def change(self, name, values):
        """Sets keys of its file, wherever they stand, or not."""
        text = self.read(name)
        for key in values:
            text = re.sub(rf"(?m)^\s*{key}\s*=.*\n", "", text)
        self.write(name, text + "".join(f"\n{key} = {value}" for key, value in values.items())
                   + "\n")

    def command(self):
        return [*self.namespace.through, self.binary, "-N", "-c", self.path("etc/e2guardian.conf")]

    def ready(self):
        return self.namespace.run(super().ready)

    def client(self):
        return self.namespace.run(super().client)

    def said(self):
        return super().said() + self.read("log/access.log")
