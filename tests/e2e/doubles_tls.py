"""Certificates made by openssl, and origins that speak TLS with them."""

import os
import socket
import ssl
import subprocess
import tempfile

from doubles import Double
from real_servers import find_program
from wire import response_bytes


class Authority:
    """A certificate authority with a folder of its own; `path` is its certificate. A context
    manager; where openssl is missing, entering it skips the test."""

    def __init__(self):
        self.folder = None
        self.count = 0

    def __enter__(self):
        self.openssl = find_program("openssl")
        self.folder = tempfile.TemporaryDirectory(prefix="penstock-")
        self.path, self.key = self.make_self_signed("authority", "CA:TRUE")
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def run(self, *arguments):
        subprocess.run([self.openssl, *arguments], check=True, capture_output=True)

    def new_key(self):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def make_self_signed(self, name, constraints="CA:FALSE", names="DNS:localhost,IP:127.0.0.1"):
        """The paths of a certificate and its key."""
        certificate, key = self.file(name + ".pem"), self.file(name + ".key")
        self.run("req", "-x509", *self.new_key(), "-keyout", key, "-out", certificate, "-days", "2",
                 "-subj", f"/CN={name}", "-addext", f"basicConstraints=critical,{constraints}",
                 "-addext", f"subjectAltName={names}")
        return certificate, key

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=2):
        """The same of one that it has signed; days=-1: expired."""
        self.count += 1
        certificate, key = self.file(f"{self.count}.pem"), self.file(f"{self.count}.key")
        request, extensions = self.file("request"), self.file("extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self.run("req", *self.new_key(), "-keyout", key, "-out", request, "-subj", "/CN=server")
        self.run("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-out",
                 certificate, "-days", str(days), "-extfile", extensions)
        return certificate, key


class TlsOrigin(Double):
    """An origin that speaks TLS with a certificate and key. With `clients_of`, an Authority, it
    takes nobody without a certificate of that."""

    def __init__(self, identity, answer=response_bytes(), clients_of=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        context.set_alpn_protocols(["http/1.1"])
        if clients_of is not None:
            context.load_verify_locations(clients_of.path)
            context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        # The handshake is made by the connection's thread when it first reads.
        super().__init__(answer, sock=context.wrap_socket(listener, server_side=True,
                                                          do_handshake_on_connect=False))
        self.port = int(self.address.rpartition(":")[2])
        self.url = f"https://localhost:{self.port}"
