"""Certificates made by openssl, origins that speak TLS with them, and what puts TLS before a server
that does not."""

import os
import select
import socket
import ssl
import subprocess
import tempfile
import threading

from doubles import Double
from harness import Client
from real_servers import find_program
from wire import LIMIT, response_bytes


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

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=2, key=None):
        """The same of one that it has signed; days=-1: expired. `key`: how openssl makes its key."""
        self.count += 1
        certificate, path = self.file(f"{self.count}.pem"), self.file(f"{self.count}.key")
        request, extensions = self.file("request"), self.file("extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self.run("req", *(key or self.new_key()), "-keyout", path, "-out", request, "-subj",
                 "/CN=server")
        self.run("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-out",
                 certificate, "-days", str(days), "-extfile", extensions)
        return certificate, path

    def ocsp_response(self, certificate):
        """The path of one that says the certificate is good."""
        serial = subprocess.run([self.openssl, "x509", "-in", certificate, "-noout", "-serial"],
                                check=True, capture_output=True, text=True).stdout
        index, request, response = (self.file(name) for name in ("index", "ocsp.req", "ocsp.der"))
        with open(index, "w", encoding="ascii") as file:
            number = serial.strip().partition("=")[2]
            file.write(f"V\t350101000000Z\t\t{number}\tunknown\t/CN=server\n")
        self.run("ocsp", "-issuer", self.path, "-cert", certificate, "-reqout", request)
        self.run("ocsp", "-index", index, "-CA", self.path, "-rsigner", self.path, "-rkey",
                 self.key, "-reqin", request, "-respout", response, "-ndays", "2")
        return response


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


class TlsFront:
    """Takes TLS connections and passes what is in them on to a plain server, byte by byte.

    `pair` is the certificate and its key. With `clients`, the path of a CA's certificate, it wants
    a certificate of clients. `names` are the names clients asked for (SNI, None for none),
    `certificates` what they showed (as ssl gives it), `sessions` whether they resumed one, and
    `failures` what handshakes failed with.
    """

    def __init__(self, target, pair, clients=None, versions=(None, None)):
        self.target = getattr(target, "address", target)
        self.names, self.certificates, self.sessions, self.failures = [], [], [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        if versions[0]:
            self.context.minimum_version = versions[0]
        if versions[1]:
            self.context.maximum_version = versions[1]
        if clients:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(clients)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        self.open.add(sock)
        sock.settimeout(LIMIT)
        secure = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        try:
            secure.do_handshake()
        except (ssl.SSLError, OSError) as error:
            self.failures.append(error)
            end_gently(secure)
            return
        self.open.add(secure)
        self.certificates.append(secure.getpeercert())
        self.sessions.append(secure.session_reused)
        try:
            server = Client(self.target).socket
            self.open.add(server)
            relay(secure, server)
            server.close()
        except OSError:
            pass
        finally:
            secure.close()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def end_gently(secure):
    """Not by a reset, which could take an alert with it."""
    with socket.socket(fileno=secure.detach()) as sock:
        try:
            sock.settimeout(LIMIT)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except OSError:
            pass


def relay(secure, plain):
    """Until one of them ends. One thread does it all: TLS takes no reader beside a writer."""
    secure.setblocking(False)
    plain.settimeout(LIMIT)
    while True:
        readable = select.select([secure, plain], [], [])[0]
        if plain in readable:
            data = plain.recv(65536)
            if not data:
                secure.setblocking(True)
                secure.unwrap()
                return
            secure.settimeout(LIMIT)
            secure.sendall(data)
            secure.setblocking(False)
        if secure in readable or secure.pending():
            while True:
                try:
                    data = secure.recv(65536)
                except ssl.SSLWantReadError:
                    break
                if not data:
                    return
                plain.sendall(data)
