"""Connections with TLS that had one exchange and then wait."""
import socket
import ssl

# A client's preface, empty SETTINGS, their acknowledgement, and GET /size/1024 without a table.
HTTP2_GET = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\0\4\1\0\0\0\0"
             + b"\0\0\x18\1\5\0\0\0\1" + b"\x82\x87\x04\x0a/size/1024\x01\x08a.invali")
HTTP1_GET = b"GET /size/1024 HTTP/1.1\r\nHost: a.invali\r\n\r\n"
END_STREAM = 1


class IdleFailed(Exception):
    """A connection that did not answer as it should."""


def open_connection(port, http2):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2" if http2 else "http/1.1"])
    wire = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))
    wire.sendall(HTTP2_GET if http2 else HTTP1_GET)
    read, over = bytearray(), over_http2 if http2 else over_http1
    while not over(read):
        got = wire.recv(65536)
        if not got:
            raise IdleFailed("closed before the response was complete")
        read += got
    return wire


def over_http1(read):
    head, separator, body = read.partition(b"\r\n\r\n")
    if separator and not head.startswith(b"HTTP/1.1 200 "):
        raise IdleFailed("no response with status 200")
    return separator and len(body) >= 1024


def over_http2(read):
    at, content = 0, 0
    while len(read) >= at + 9:
        length = int.from_bytes(read[at:at + 3], "big")
        kind, flags = read[at + 3], read[at + 4]
        at += 9 + length
        content += length if kind == 0 else 0
        if kind in (0, 1) and flags & END_STREAM:
            if content != 1024:
                raise IdleFailed("no response of 1,024 bytes")
            return len(read) >= at
    return False
