"""Runs a program as systemd does with socket units: activate.py NAME=ADDRESS... -- PROGRAM ...

An address is a path of a unix socket, host:port or [host]:port, or "datagram", which is not what
anybody wants.
"""

import os
import socket
import sys


def open_socket(address):
    if address == "datagram":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if address.startswith("/"):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
    else:
        host, _, port = address.rpartition(":")
        sock = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        sock.bind((host.strip("[]"), int(port)))
    sock.listen(64)
    return sock


def main():
    end = sys.argv.index("--")
    pairs = [argument.partition("=") for argument in sys.argv[1:end]]
    # Out of the way of those they are to be.
    sockets = [os.dup2(open_socket(address).detach(), 100 + number)
               for number, (_, _, address) in enumerate(pairs)]
    for number, descriptor in enumerate(sockets):
        os.dup2(descriptor, 3 + number, inheritable=True)
        os.close(descriptor)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets)),
                   "LISTEN_FDNAMES": ":".join(name for name, _, _ in pairs)}
    os.execv(sys.argv[end + 1], sys.argv[end + 1:])


main()
