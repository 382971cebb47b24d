"""Certificates, made with openssl, and what puts TLS before a server that does not speak it."""

import os
import select
import socket
import ssl
import subprocess
import tempfile
import threading

from harness import Client
from real_servers import find_program
from wire import LIMIT


class Authority:
    """A certificate authority with a folder of its own; close() removes that."""

    def __init__(self, name="Doubles"):
        self.openssl = find_program("openssl")
        self.holder = tempfile.TemporaryDirectory(prefix="penstock-")
        self.count = 0
        self.key = self.path("ca.key")
        self.certificate = self.path("ca.pem")
        self.run("req", "-x509", *self.new_key(self.key), "-subj", f"/CN={name}", "-days", "2",
                 "-addext", "keyUsage=critical,keyCertSign", "-out", self.certificate)

    def path(self, name):
        return os.path.join(self.holder.name, name)

    def run(self, *arguments):
        subprocess.run([self.openssl, *arguments], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL)

    @staticmethod
    def new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]

    def issue(self, *names, days=1):
        """The paths of a certificate and its key; names as "DNS:app.test" or "IP:127.0.0.1". With
        -1 `days` it expired yesterday."""
        self.count += 1
        certificate, key, request, more = (
            self.path(f"{self.count}.{end}") for end in ("pem", "key", "csr", "cnf"))
        with open(more, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={','.join(names)}\n")
        self.run("req", *self.new_key(key), "-subj", f"/CN=certificate {self.count}", "-out",
                 request)
        self.run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
                 "-set_serial", str(self.count), "-days", str(days), "-extfile", more, "-out",
                 certificate)
        return certificate, key

    def close(self):
        self.holder.cleanup()


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
        try:
            secure = self.context.wrap_socket(sock, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.failures.append(error)
            sock.close()
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
