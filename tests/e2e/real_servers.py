"""Servers that others wrote, each started on a free port with a folder of its own. All are context
managers; where the program is missing, entering one skips the test.

    with Squid(users={"alice": "secret"}) as squid:
        ... squid.address
"""

import glob
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import wait_until
from wire import LIMIT

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
HOST = "127.0.0.1"


def find_program(*names):
    """The path of the first that is installed; else the test is skipped."""
    for name in names:
        found = shutil.which(name, path=PATH)
        if found:
            return found
    raise unittest.SkipTest(f"{names[0]} is not installed")


def free_port():
    """One that is free for TCP and UDP, and not of those that the system gives to whoever asks for
    any; still, another test may take it before its server starts."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = max(int(file.read().split()[0]), 20_000)
    while True:
        port = random.randrange(10_000, end)
        try:
            with socket.create_server((HOST, port)), socket.socket(type=socket.SOCK_DGRAM) as udp:
                udp.bind((HOST, port))
                return port
        except OSError:
            continue


def run_as():
    """The user a server is to run as when the tests run as root."""
    return "root" if os.getuid() == 0 else None


class RealServer:
    """Subclasses give `programs`, command(), and what they need in prepare()."""

    programs = ()
    end_signal = signal.SIGTERM

    def __init__(self):
        self.folder = None
        self.binary = None
        self.port = None
        self.process = None

    @property
    def address(self):
        return f"{HOST}:{self.port}"

    @property
    def url(self):
        return f"http://{self.address}"

    def __enter__(self):
        self.binary = find_program(*self.programs)
        holder = tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True)
        self.folder = holder
        os.chmod(holder.name, 0o755)
        try:
            self.start_somewhere()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start_somewhere(self):
        """Another program may take the port before the server does: then once more."""
        for attempt in range(3):
            self.port = free_port()
            self.prepare()
            with open(self.path("output"), "ab") as output:
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                                stdout=output, stderr=output,
                                                cwd=self.folder.name, start_new_session=True)
            wait_until(lambda: self.process.poll() is not None or self.ready(),
                       f"{self.binary} to start", 30)
            if self.process.poll() is None:
                return
            if attempt == 2:
                raise AssertionError(f"{self.binary} does not start:\n{self.said()}")

    def ready(self):
        try:
            socket.create_connection((HOST, self.port), LIMIT).close()
        except OSError:
            return False
        return True

    def has_ended(self):
        """Without taking note of it, so that its process group stays its own."""
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.process.pid, options) is not None

    def stop(self):
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(self.end_signal)
            try:
                wait_until(self.has_ended, f"{self.binary} to end")
            finally:
                os.killpg(self.process.pid, signal.SIGKILL)  # its helpers, too
                self.process.wait()
        if self.folder is not None:
            self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, 0o644)
        return path

    def read(self, name):
        """What is in one of its files, "" when there is no such file."""
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def said(self):
        """All it put out and logged."""
        names = ["output"] + [os.path.basename(p) for p in glob.glob(self.path("*.log"))]
        return "\n".join(f"-- {name}\n{self.read(name)}" for name in names)

    def prepare(self):
        """Writes its files, for self.port."""

    def command(self):
        raise NotImplementedError


def password_file(users):
    """A file of `name:hash` as basic_ncsa_auth and Apache read it."""
    openssl = find_program("openssl")
    lines = []
    for name, password in users.items():
        made = subprocess.run([openssl, "passwd", "-apr1", "-stdin"], input=password, text=True,
                              capture_output=True, check=True)
        lines.append(f"{name}:{made.stdout.strip()}\n")
    return "".join(lines)


def digest_file(users, realm):
    """A file of `name:realm:hash` as Apache and Squid's digest_file_auth -c read it."""
    return "".join(f"{name}:{realm}:"
                   + hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest() + "\n"
                   for name, password in users.items())


class Squid(RealServer):
    """A parent proxy that keeps nothing. With `users` it wants a login, by `scheme` ("basic" or
    "digest"). `hosts` are names it knows: {"example.test": "127.0.0.1"}."""

    programs = ("squid",)
    end_signal = signal.SIGKILL  # it takes two seconds to end in an orderly way
    helpers = "/usr/lib/squid"

    def __init__(self, users=None, scheme="basic", hosts=None):
        super().__init__()
        self.users = users
        self.scheme = scheme
        self.hosts = hosts or {}

    def login_lines(self):
        if self.users is None:
            return ["http_access allow all"]
        helper = {"basic": "basic_ncsa_auth", "digest": "digest_file_auth"}[self.scheme]
        if not os.path.exists(os.path.join(self.helpers, helper)):
            raise unittest.SkipTest(f"this squid has no {helper}")
        if self.scheme == "basic":
            arguments = self.write("users", password_file(self.users))
        else:
            arguments = "-c " + self.write("users", digest_file(self.users, "squid"))
        return [f"auth_param {self.scheme} program {self.helpers}/{helper} {arguments}",
                f"auth_param {self.scheme} children 1 startup=1 idle=1",
                f"auth_param {self.scheme} realm squid",
                "acl known proxy_auth REQUIRED",
                "http_access allow known",
                "http_access deny all"]

    def prepare(self):
        self.write("hosts", "".join(f"{ip} {name}\n" for name, ip in self.hosts.items()))
        self.write("squid.conf", "\n".join([
            f"http_port {HOST}:{self.port}",
            f"pid_filename {self.path('squid.pid')}",
            f"cache_log {self.path('cache.log')}",
            f"access_log stdio:{self.path('access.log')}",
            f"coredump_dir {self.folder.name}",
            f"hosts_file {self.path('hosts')}",
            "visible_hostname squid.test",
            "cache deny all",
            "cache_mem 8 MB",
            "max_filedescriptors 1024",
            "pinger_enable off",
            "netdb_filename none",
            "shutdown_lifetime 0 seconds",
            *self.login_lines(), ""]))
        if os.getuid() == 0:
            shutil.chown(self.folder.name, "proxy")  # as whom Squid runs when root starts it

    @property
    def name(self):
        """Keeps its shared memory apart from another Squid's."""
        return f"penstock{os.getpid()}x{self.port}"

    def command(self):
        return [self.binary, "-N", "-n", self.name, "-f", self.path("squid.conf")]

    def stop(self):
        super().stop()
        for path in glob.glob(f"/dev/shm/{self.name}-*"):
            os.unlink(path)


class Nginx(RealServer):
    """An origin for the files written with put(), at its port and at `socket`, a unix socket.
    `locations` is put into its server {}, with {folder} replaced."""

    programs = ("nginx",)

    CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  default_type application/octet-stream;
  server {{
    listen {host}:{port};
    listen unix:{folder}/nginx.sock;
    root {folder}/files;
    {locations}
  }}
}}
"""

    def __init__(self, locations=""):
        super().__init__()
        self.locations = locations

    @property
    def socket(self):
        return "unix:" + self.path("nginx.sock")

    def put(self, name, data):
        self.write("files/" + name, data)

    def prepare(self):
        self.write("nginx.conf", self.CONFIG.format(
            folder=self.folder.name, host=HOST, port=self.port,
            locations=self.locations.format(folder=self.folder.name)))
        self.put("hello.txt", "hello from nginx\n")
        check = subprocess.run([*self.command(), "-t"], capture_output=True, text=True,
                               check=False)
        if check.returncode != 0:
            raise unittest.SkipTest(f"this nginx cannot be used: {check.stderr}")

    def command(self):
        return [self.binary, "-p", self.folder.name, "-c", self.path("nginx.conf"), "-e",
                "stderr"]


class Apache(RealServer):
    """An origin: /hello.txt for all, /basic/hello.txt and /digest/hello.txt for `users`; the realm
    is the name of the scheme."""

    programs = ("apache2",)
    modules = "/usr/lib/apache2/modules"
    wanted = ("mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic",
              "auth_digest")

    def __init__(self, users):
        super().__init__()
        self.users = users

    def protect(self, scheme, lines):
        return (f"<Location /{scheme}>\n  AuthType {scheme}\n  AuthName {scheme}\n  {lines}\n"
                f"  AuthUserFile {self.path(scheme)}.users\n  Require valid-user\n</Location>\n")

    def prepare(self):
        for name in self.wanted:
            if not os.path.exists(f"{self.modules}/mod_{name}.so"):
                raise unittest.SkipTest(f"this apache2 has no mod_{name}")
        self.write("basic.users", password_file(self.users))
        self.write("digest.users", digest_file(self.users, "digest"))
        for folder in ("", "basic/", "digest/"):
            self.write(f"files/{folder}hello.txt", "hello from apache\n")
        loads = "".join(f"LoadModule {name}_module {self.modules}/mod_{name}.so\n"
                        for name in self.wanted)
        self.write("apache.conf", f"""
ServerRoot {self.folder.name}
DefaultRuntimeDir {self.folder.name}
PidFile {self.path("apache.pid")}
Mutex file:{self.folder.name}
ErrorLog {self.path("error.log")}
ServerName apache.test
Listen {self.address}
DocumentRoot {self.path("files")}
{loads}
{"User www-data" if os.getuid() == 0 else ""}
{"Group www-data" if os.getuid() == 0 else ""}
LogFormat "%h %u \\"%r\\" %>s" short
CustomLog {self.path("access.log")} short
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
{self.protect("basic", "AuthBasicProvider file")}
{self.protect("digest", "AuthDigestProvider file")}
""")

    def command(self):
        return [self.binary, "-f", self.path("apache.conf"), "-D", "FOREGROUND"]


class Dnsmasq(RealServer):
    """A name server for `hosts` ({"app.test": ["127.0.0.1", "::1"]}) and `services`
    ({"_http._tcp.app.test": [(priority, weight, port, target), ...]}). It knows of no other; what
    ends in .test is NXDOMAIN."""

    programs = ("dnsmasq",)

    def __init__(self, hosts=None, services=None, ttl=60):
        super().__init__()
        self.hosts = hosts or {}
        self.services = services or {}
        self.ttl = ttl

    def write_hosts(self):
        self.write("hosts", "".join(f"{ip} {name}\n" for name, ips in self.hosts.items()
                                    for ip in ips))

    def prepare(self):
        self.write_hosts()
        services = [f"srv-host={name},{target},{port},{priority},{weight}"
                    for name, records in self.services.items()
                    for priority, weight, port, target in records]
        user = [f"user={run_as()}"] if run_as() else []
        self.write("dnsmasq.conf", "\n".join([
            f"port={self.port}",
            f"listen-address={HOST}",
            "bind-interfaces",
            "no-resolv",
            "no-hosts",
            f"addn-hosts={self.path('hosts')}",
            "local=/test/",
            f"local-ttl={self.ttl}",
            f"pid-file={self.path('dnsmasq.pid')}",
            f"log-facility={self.path('dnsmasq.log')}",
            "log-queries",
            *user, *services, ""]))

    def set_hosts(self, hosts):
        """From soon on it knows these: it is told to read its file anew."""
        self.hosts = hosts
        self.write_hosts()
        self.process.send_signal(signal.SIGHUP)

    def command(self):
        return [self.binary, "--keep-in-foreground", f"--conf-file={self.path('dnsmasq.conf')}"]


class Dante(RealServer):
    """A SOCKS5 proxy for anyone: for a login it would want users of the system. It resolves names
    as the system does."""

    programs = ("danted", "sockd")

    def prepare(self):
        user = run_as()
        self.write("danted.conf", "\n".join([
            f"logoutput: {self.path('danted.log')}",
            f"internal: {HOST} port = {self.port}",
            "external: lo",
            "clientmethod: none",
            "socksmethod: none",
            *([f"user.privileged: {user}", f"user.unprivileged: {user}"] if user else []),
            "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }",
            "socks pass {",
            "from: 0.0.0.0/0 to: 0.0.0.0/0",
            "protocol: tcp",
            "command: connect",
            "}", ""]))

    def command(self):
        return [self.binary, "-N", "1", "-f", self.path("danted.conf"), "-p",
                self.path("danted.pid")]
