"""The proxies compared, and the origin behind them."""
import os
import shutil
import socket
import ssl
import subprocess

from lib import build, icap
from lib.process import Process, free_port, wait_for_port

# The module of each such peer, and where its callbacks run.
MODULES = {
    "module-empty": ("empty", "inline"),
    "module-headers": ("headers", "inline"),
    "module-read": ("read", "inline"),
    "module-copy": ("copy", "inline"),
    "module-thread": ("empty", "thread"),
    "module-process": ("empty", "process"),
}
# Forward proxies know both absolute-form targets and CONNECT.
MODES = {
    "relay": ("reverse", "forward"),
    "penstock": ("reverse", "forward", "tls", "tcp", *icap.MODES),
    # Another build of Penstock, named by --before.
    "before": ("reverse", "forward", "tls", "tcp", *icap.MODES),
    # Penstock with one of bench/modules/ as a filter; only when asked for.
    **{name: ("reverse",) for name in MODULES},
    "haproxy": ("reverse", "tls", "tcp"),
    "nginx": ("reverse", "tls", "tcp"),
    "squid": ("reverse", "forward", *icap.MODES),
    # With an ICAP service; those without are what they are compared with.
    **{name: tuple(icap.MODES) for name in icap.PEERS},
}
# Room for 10,000 connections and the server's within the usual limit of 20,000 descriptors.
MAX_CONNECTIONS = 12000


class Unavailable(Exception):
    """A peer that cannot be measured, and why."""


class Cpus:
    """The core that each runs on."""

    def __init__(self, proxy, others, icap_server=None):
        self.proxy, self.others, self.icap = proxy, others, icap_server or proxy


class Origin:
    def __init__(self, folder, cpu, threads):
        self.port = free_port()
        command = [build.tool("origin"), str(self.port), str(threads)]
        self.process = Process(command, cpu, os.path.join(folder, "origin.log"))
        wait_for_port(self.process, self.port)


class Peer:
    """One proxy in one mode, started and known to answer."""

    def __init__(self, name, mode, folder, cpus, origin):
        self.name, self.mode, self.origin = name, mode, origin
        self.port = free_port()
        self.folder = os.path.join(folder, f"{name}-{mode}")
        os.makedirs(self.folder, mode=0o777, exist_ok=True)
        os.chmod(self.folder, 0o777)  # Some give up root before they write there.
        self.process = self.icap = None
        try:
            if name in icap.PEERS:
                self.icap = icap.CIcap(mode, icap.PEERS[name][1], self.folder, cpus.icap)
            log = os.path.join(self.folder, "output.log")
            self.process = Process(self.command(), cpus.proxy, log)
            wait_for_port(self.process, self.port)
            self.check()
        except (OSError, RuntimeError) as error:
            self.stop()
            raise Unavailable(f"{name} ({mode}): {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for process in filter(None, (self.process, self.icap)):
            process.stop()

    def trouble(self):
        """Which of its processes is not there any more, for messages."""
        gone = [process.popen for process in (self.process, self.icap and self.icap.process)
                if process and not process.running()]
        return "".join(f"; {popen.args[5:]} has ended with {popen.returncode}" for popen in gone)

    def command(self):
        if self.mode == "tls":
            self.make_certificate()
        if self.name == "relay":
            return [build.tool("relay"), str(self.port), str(self.origin)]
        if self.name in MODULES:
            binary, error = build.penstock()
            if error:
                raise RuntimeError(error)
            return [binary, "run", "-c", self.configure("penstock-module.toml")]
        program, kind = self.name, self.mode
        if self.mode in icap.MODES:
            program, kind = icap.PEERS.get(self.name, (self.name, ""))[0], "forward"
            if self.icap:
                kind = "icap"
        if program in ("penstock", "before"):
            binary, error = build.penstock() if program == "penstock" else build.before()
            if error:
                raise RuntimeError(error)
            return [binary, "run", "-c", self.configure(f"penstock-{kind}.toml")]
        binary = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
        if not binary:
            raise RuntimeError("not installed")
        suffix = "" if self.mode == "reverse" else f"-{self.mode}"
        if self.name == "haproxy":
            return [binary, "-db", "-f", self.configure(f"haproxy{suffix}.cfg")]
        if self.name == "nginx":
            return [binary, "-p", self.folder, "-c", self.configure(f"nginx{suffix}.conf")]
        self.configure("squid-common.conf")
        return [binary, "-N", "-f", self.configure(f"squid-{kind}.conf")]

    def make_certificate(self):
        """A key of P-256 and a certificate signed by itself, also both in one file."""
        certificate, key = (os.path.join(self.folder, name) for name in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, capture_output=True)
        os.chmod(key, 0o644)
        with open(os.path.join(self.folder, "both.pem"), "wb") as both:
            for path in (certificate, key):
                with open(path, "rb") as part:
                    both.write(part.read())

    def configure(self, template):
        """Fills in a file of conf/; returns where the result is."""
        values = {"PORT": self.port, "ORIGIN": self.origin, "DIR": self.folder,
                  "CONNECTIONS": MAX_CONNECTIONS}
        if self.name in MODULES:
            module, isolation = MODULES[self.name]
            values |= {"MODULE": build.module(module), "ISOLATION": isolation}
        if self.icap:
            case = self.icap.case
            toml = template.endswith(".toml")
            previews = ('"4KiB"', '"off"') if toml else ("on", "off")
            values |= {"ICAP": self.icap.port, "SERVICE": case.service, "METHOD": case.method,
                       "PREVIEW": previews[0 if case.previews else 1]}
        return build.fill_in(template, values, self.folder)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), 5)
        if self.mode != "tls":
            return connection
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(connection, server_hostname="localhost")

    def check(self):
        """One exchange; raises unless the answer is the origin's."""
        authority = f"127.0.0.1:{self.origin}"
        absolute = self.mode == "forward" or self.mode in icap.MODES
        target = f"http://{authority}/size/10" if absolute else "/size/10"
        request = f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        with self.connect() as connection:
            connection.sendall(request.encode())
            answer = b""
            while not answer.endswith(b"x" * 10):
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
        if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(b"x" * 10):
            first = answer.split(b"\r\n")[0].decode(errors="replace")
            raise RuntimeError(f"answers wrongly: {first!r}")
