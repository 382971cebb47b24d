"""The rules of RFC 9113 and RFC 7541, one by one: what may be said, and what is said to those who
break them."""

import threading

from harness import ScenarioTest
from wire import response_bytes
from wire_http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ERRORS, GOAWAY,
                        HAS_PRIORITY, HEADERS, PADDED, PING, PREFACE, PRIORITY, PUSH_PROMISE,
                        RST_STREAM, SETTINGS, WINDOW_UPDATE, Http2Client, block, frame, headers,
                        literal, number, request_lines, settings)

POST = request_lines("POST")
OPEN = headers(lines=POST, flags=END_HEADERS)  # a request whose content is still to come
HEAD_BEGINS = frame(HEADERS, END_STREAM, 1, block(*request_lines()[:2]))
HEAD_ENDS = frame(CONTINUATION, END_HEADERS, 1, block(*request_lines()[2:]))


def fields(*more):
    return headers(more=more)


def lines(*all_lines):
    return headers(lines=all_lines)


def without(name):
    return lines(*(line for line in request_lines() if line[0] != name))


def hpack(tail):
    """A head that ends with these bytes."""
    return frame(HEADERS, END_STREAM | END_HEADERS, 1, block(*request_lines()) + tail)


def content(length, *pieces):
    return (headers(lines=POST, flags=END_HEADERS, more=[("content-length", length)])
            + b"".join(frame(DATA, END_STREAM if piece is pieces[-1] else 0, 1, piece)
                       for piece in pieces))


# Sections are those of RFC 9113, or of RFC 7541 with "hpack".
ANSWERED = {
    "4.1 a frame of unknown type": frame(0x77, 0xff, 0, b"12345678") + headers(),
    "4.1 flags without a meaning": frame(PING, 0xfe, 0, b"12345678") + headers(),
    "4.1 the reserved bit": frame(PING, 0, 1 << 31, b"12345678") + headers(),
    "4.2 the largest DATA": OPEN + frame(DATA, END_STREAM, 1, bytes(16384)),
    "5.3 PRIORITY of a stream that is idle": frame(PRIORITY, 0, 3, number(0) + b"\x0f") + headers(),
    "5.5 an unknown setting": settings((0xff, 1)) + headers(),
    "6.1 DATA with padding": OPEN + frame(DATA, END_STREAM | PADDED, 1, b"\x03abc\0\0\0"),
    "6.1 DATA of nothing but padding": OPEN + frame(DATA, END_STREAM | PADDED, 1, b"\x03\0\0\0"),
    "6.2 HEADERS with padding and priority":
        frame(HEADERS, END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY, 1,
              b"\x02" + number(0) + b"\x0f" + block(*request_lines()) + b"\0\0"),
    "6.3 PRIORITY": headers() + frame(PRIORITY, 0, 1, number(0) + b"\x0f"),
    "6.5.3 settings that are there twice": settings((4, 100), (4, 1000)) + headers(),
    "6.9 WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 0, number(1)) + headers(),
    "6.10 CONTINUATION": HEAD_BEGINS + HEAD_ENDS,
    "6.10 CONTINUATION more than once":
        frame(HEADERS, END_STREAM, 1, b"") + frame(CONTINUATION, 0, 1, block(*request_lines()))
        + frame(CONTINUATION, END_HEADERS, 1, b""),
    "8.1 content": content("3", b"abc"),
    "8.1 content in pieces": content("3", b"a", b"bc"),
    "8.1 trailers": OPEN + frame(DATA, 0, 1, b"abc") + headers(lines=[("x-sum", "6")]),
    "8.2.2 TE: trailers": fields(("te", "trailers")),
    "8.3.1 Host beside an equal :authority": fields(("host", "a.test")),
    "8.3.1 Host instead of :authority": lines(*request_lines()[:3], ("host", "a.test")),
    "8.3.1 OPTIONS *": lines(*request_lines("OPTIONS", "*")),
    "hpack 6.1 indexed": frame(HEADERS, END_STREAM | END_HEADERS, 1,
                               b"\x82\x86\x84" + literal(":authority", "a.test")),
    "hpack 6.2.1 literal that is indexed":
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84\x41\x06a.test"),
    "hpack 6.2.3 literal never indexed":
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84\x11\x06a.test"),
    "hpack 5.2 Huffman code":
        frame(HEADERS, END_STREAM | END_HEADERS, 1,
              b"\x82\x86\x84\x01\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
    "hpack 6.3 size update at the beginning":
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x20\x3f\xe1\x1f" + block(*request_lines())),
}

# What ends the connection, and with which error.
CONNECTION_ERRORS = {
    "4.2 a frame that is too large":
        ("FRAME_SIZE_ERROR", OPEN + frame(DATA, END_STREAM, 1, bytes(16385))),
    "4.2 HEADERS that are too large":
        ("FRAME_SIZE_ERROR", headers(more=[("x-large", "x" * 16384)])),
    "4.3 a block that is none":
        ("COMPRESSION_ERROR", frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x40")),
    "4.3 PRIORITY within a block":
        ("PROTOCOL_ERROR", HEAD_BEGINS + frame(PRIORITY, 0, 1, number(0) + b"\0") + HEAD_ENDS),
    "4.3 HEADERS of another stream within a block": ("PROTOCOL_ERROR", HEAD_BEGINS + headers(3)),
    "5.1 DATA of an idle stream": ("PROTOCOL_ERROR", frame(DATA, END_STREAM, 1, b"abc")),
    "5.1 RST_STREAM of an idle stream": ("PROTOCOL_ERROR", frame(RST_STREAM, 0, 1, number(8))),
    "5.1 WINDOW_UPDATE of an idle stream":
        ("PROTOCOL_ERROR", frame(WINDOW_UPDATE, 0, 1, number(100))),
    "5.1 CONTINUATION of an idle stream":
        ("PROTOCOL_ERROR", frame(CONTINUATION, END_HEADERS, 1, block(*request_lines()))),
    "5.1.1 an even number": ("PROTOCOL_ERROR", headers(2)),
    "5.1.1 a lower number": ("PROTOCOL_ERROR", headers(5) + headers(3)),
    "5.5 an unknown frame within a block":
        ("PROTOCOL_ERROR", HEAD_BEGINS + frame(0x77, 0, 1, b"12345678") + HEAD_ENDS),
    "6.1 DATA of no stream": ("PROTOCOL_ERROR", OPEN + frame(DATA, END_STREAM, 0, b"abc")),
    "6.1 padding longer than DATA":
        ("PROTOCOL_ERROR", OPEN + frame(DATA, END_STREAM | PADDED, 1, b"\x06abc")),
    "6.2 HEADERS of no stream": ("PROTOCOL_ERROR", headers(0)),
    "6.2 padding longer than HEADERS":
        ("PROTOCOL_ERROR", frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\xff\x82\x86")),
    "6.3 PRIORITY of no stream": ("PROTOCOL_ERROR", frame(PRIORITY, 0, 0, number(0) + b"\0")),
    "6.4 RST_STREAM of no stream": ("PROTOCOL_ERROR", frame(RST_STREAM, 0, 0, number(8))),
    "6.4 RST_STREAM of another length":
        ("FRAME_SIZE_ERROR", OPEN + frame(RST_STREAM, 0, 1, b"\0\0\0")),
    "6.5 an acknowledgement that says something":
        ("FRAME_SIZE_ERROR", settings((1, 4096), flags=ACK)),
    "6.5 SETTINGS of a stream": ("PROTOCOL_ERROR", settings(stream=1)),
    "6.5 SETTINGS of another length": ("FRAME_SIZE_ERROR", frame(SETTINGS, 0, 0, b"\0\0\0")),
    "6.5.2 ENABLE_PUSH 2": ("PROTOCOL_ERROR", settings((2, 2))),
    "6.5.2 INITIAL_WINDOW_SIZE too large": ("FLOW_CONTROL_ERROR", settings((4, 1 << 31))),
    "6.5.2 MAX_FRAME_SIZE too small": ("PROTOCOL_ERROR", settings((5, 16383))),
    "6.5.2 MAX_FRAME_SIZE too large": ("PROTOCOL_ERROR", settings((5, 1 << 24))),
    "6.6 PUSH_PROMISE of a client":
        ("PROTOCOL_ERROR", headers() + frame(PUSH_PROMISE, END_HEADERS, 1,
                                             number(2) + block(*request_lines()))),
    "6.7 PING of a stream": ("PROTOCOL_ERROR", frame(PING, 0, 1, b"12345678")),
    "6.7 PING of another length": ("FRAME_SIZE_ERROR", frame(PING, 0, 0, b"123456")),
    "6.8 GOAWAY of a stream": ("PROTOCOL_ERROR", frame(GOAWAY, 0, 1, number(0) + number(0))),
    "6.9 WINDOW_UPDATE by nothing": ("PROTOCOL_ERROR", frame(WINDOW_UPDATE, 0, 0, number(0))),
    # A stream's error may be taken for one of the connection (section 5.4.2).
    "6.9 WINDOW_UPDATE of a stream by nothing":
        ("PROTOCOL_ERROR", OPEN + frame(WINDOW_UPDATE, 0, 1, number(0))),
    "6.9 WINDOW_UPDATE of another length":
        ("FRAME_SIZE_ERROR", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")),
    "6.9.1 a window of the connection that is too large":
        ("FLOW_CONTROL_ERROR", frame(WINDOW_UPDATE, 0, 0, number((1 << 31) - 1))),
    "6.10 CONTINUATION, then something else": ("PROTOCOL_ERROR", HEAD_BEGINS + frame(DATA, 1, 1)),
    "6.10 CONTINUATION of no stream":
        ("PROTOCOL_ERROR", HEAD_BEGINS + frame(CONTINUATION, END_HEADERS, 0)),
    "6.10 CONTINUATION after a block": ("PROTOCOL_ERROR", OPEN + frame(CONTINUATION, 4, 1)),
    "6.10 CONTINUATION after DATA":
        ("PROTOCOL_ERROR", OPEN + frame(DATA, 0, 1, b"abc") + frame(CONTINUATION, 4, 1)),
    "hpack 2.3.3 an index out of range": ("COMPRESSION_ERROR", hpack(b"\xc6")),
    "hpack 2.3.3 the same of a name": ("COMPRESSION_ERROR", hpack(b"\x7f\x07\x01x")),
    "hpack 4.2 size update at the end": ("COMPRESSION_ERROR", hpack(b"\x20")),
    "hpack 5.2 padding of more than 7 bits":
        ("COMPRESSION_ERROR", hpack(b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff")),
    "hpack 5.2 padding of zeros":
        ("COMPRESSION_ERROR", hpack(b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90")),
    "hpack 5.2 the end of the string within it":
        ("COMPRESSION_ERROR",
         hpack(b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xa6\x41\xff\xff\xff\xff")),
    "hpack 6.1 index 0": ("COMPRESSION_ERROR", hpack(b"\x80")),
    "hpack 6.3 size update beyond the setting":
        ("COMPRESSION_ERROR", frame(HEADERS, END_STREAM | END_HEADERS, 1,
                                    b"\x3f\xe2\x1f" + block(*request_lines()))),
}

# What is wrong with one request only: its stream is reset, and the connection goes on.
STREAM_ERRORS = {
    "6.9.1 a window that is too large":
        ("FLOW_CONTROL_ERROR", OPEN + frame(WINDOW_UPDATE, 0, 1, number((1 << 31) - 1))),
    "8.1 trailers that do not end the request":
        ("PROTOCOL_ERROR", OPEN + headers(lines=[("x-sum", "6")], flags=END_HEADERS)),
    "8.1 pseudo-field in trailers":
        ("PROTOCOL_ERROR", OPEN + frame(DATA, 0, 1, b"abc") + headers(lines=[(":path", "/")])),
    "8.1.1 content longer than its length": ("PROTOCOL_ERROR", content("1", b"abc")),
    "8.1.1 content shorter than its length": ("PROTOCOL_ERROR", content("7", b"abc")),
    "8.1.1 pieces longer than the length": ("PROTOCOL_ERROR", content("4", b"abc", b"def")),
    "8.1.1 lengths that differ":
        ("PROTOCOL_ERROR", fields(("content-length", "1"), ("content-length", "2"))),
    "8.2.1 an upper-case name": ("PROTOCOL_ERROR", fields(("X-Upper", "1"))),
    "8.2.1 a space in a name": ("PROTOCOL_ERROR", fields(("x y", "1"))),
    "8.2.1 a colon in a name": ("PROTOCOL_ERROR", fields(("x:y", "1"))),
    "8.2.1 an empty name": ("PROTOCOL_ERROR", fields(("", "1"))),
    "8.2.1 CR in a value": ("PROTOCOL_ERROR", fields(("x", "1\r2"))),
    "8.2.1 LF in a value": ("PROTOCOL_ERROR", fields(("x", "1\n2"))),
    "8.2.1 NUL in a value": ("PROTOCOL_ERROR", fields(("x", "1\0002"))),
    "8.2.1 a value that begins with a space": ("PROTOCOL_ERROR", fields(("x", " 1"))),
    "8.2.1 a value that ends with a tab": ("PROTOCOL_ERROR", fields(("x", "1\t"))),
    "8.2.2 Connection": ("PROTOCOL_ERROR", fields(("connection", "keep-alive"))),
    "8.2.2 Keep-Alive": ("PROTOCOL_ERROR", fields(("keep-alive", "1"))),
    "8.2.2 Proxy-Connection": ("PROTOCOL_ERROR", fields(("proxy-connection", "close"))),
    "8.2.2 Transfer-Encoding": ("PROTOCOL_ERROR", fields(("transfer-encoding", "chunked"))),
    "8.2.2 Upgrade": ("PROTOCOL_ERROR", fields(("upgrade", "websocket"))),
    "8.2.2 TE other than trailers": ("PROTOCOL_ERROR", fields(("te", "trailers, deflate"))),
    "8.3 an unknown pseudo-field":
        ("PROTOCOL_ERROR", lines((":test", "1"), *request_lines())),
    "8.3 one of responses": ("PROTOCOL_ERROR", lines((":status", "200"), *request_lines())),
    "8.3 one after others":
        ("PROTOCOL_ERROR", lines(*request_lines()[:3], ("x", "1"), request_lines()[3])),
    "8.3.1 an empty :path": ("PROTOCOL_ERROR", lines(*request_lines(path=""))),
    "8.3.1 a :path without its slash": ("PROTOCOL_ERROR", lines(*request_lines(path="x"))),
    "8.3.1 a space in :path": ("PROTOCOL_ERROR", lines(*request_lines(path="/ HTTP/1.1"))),
    "8.3.1 a space in :method": ("PROTOCOL_ERROR", lines(*request_lines(method="GET /x"))),
    "8.3.1 LF in :authority": ("PROTOCOL_ERROR", lines(*request_lines(authority="a\nx: y"))),
    "8.3.1 a user in :authority": ("PROTOCOL_ERROR", lines(*request_lines(authority="u@a.test"))),
    "8.3.1 Host that differs": ("PROTOCOL_ERROR", fields(("host", "b.test"))),
    "8.3.1 no :method": ("PROTOCOL_ERROR", without(":method")),
    "8.3.1 no :scheme": ("PROTOCOL_ERROR", without(":scheme")),
    "8.3.1 no :path": ("PROTOCOL_ERROR", without(":path")),
    "8.3.1 two of :method": ("PROTOCOL_ERROR", lines((":method", "GET"), *request_lines())),
    "8.3.1 two of :scheme": ("PROTOCOL_ERROR", lines((":scheme", "http"), *request_lines())),
    "8.3.1 two of :path": ("PROTOCOL_ERROR", lines((":path", "/"), *request_lines())),
    "8.3.1 two of :authority":
        ("PROTOCOL_ERROR", lines((":authority", "a.test"), *request_lines())),
    "8.5 CONNECT with :path": ("PROTOCOL_ERROR", lines(*request_lines("CONNECT"))),
    "RFC 8441 :protocol without CONNECT":
        ("PROTOCOL_ERROR", lines((":protocol", "websocket"), *request_lines())),
}


class RulesTest(ScenarioTest):
    def setUp(self):
        self.proxy = self.reverse(self.origin(response_bytes(b"ok")))

    def http2(self, *pairs, **options):
        client = Http2Client(self.proxy.address, *pairs, **options)
        self.addCleanup(client.close)
        return client

    def goaway(self, read):
        return next((ERRORS[int.from_bytes(one.payload[4:8], "big")] for one in read
                     if one.kind == GOAWAY), None)

    def assertAnswered(self, client, stream=1):
        read = client.frames(lambda one: one.stream == stream and one.ends_stream)
        self.assertFalse(client.ended, self.goaway(read))
        statuses = [one.status for one in read if one.kind == HEADERS and one.stream == stream]
        self.assertEqual(statuses, [200])
        return b"".join(one.payload for one in read if one.kind == DATA and one.stream == stream)

    def assertReset(self, read, error, stream=1):
        resets = [ERRORS[int.from_bytes(one.payload, "big")] for one in read
                  if one.kind == RST_STREAM and one.stream == stream]
        self.assertEqual(resets, [error])

    def assertEnds(self, client, error):
        read = client.frames(lambda one: False)
        self.assertTrue(client.ended)
        self.assertEqual(self.goaway(read), error)

    def test_what_is_answered(self):
        for name, said in ANSWERED.items():
            with self.subTest(name):
                client = self.http2()
                client.send(said)
                self.assertAnswered(client)

    def test_what_ends_the_connection(self):
        for name, (error, said) in CONNECTION_ERRORS.items():
            with self.subTest(name):
                client = self.http2()
                client.send(said)
                self.assertEnds(client, error)

    def test_what_ends_a_stream(self):
        for name, (error, said) in STREAM_ERRORS.items():
            with self.subTest(name):
                client = self.http2()
                client.send(said)
                read = client.frames(lambda one: one.kind == RST_STREAM)
                self.assertFalse(client.ended, self.goaway(read))
                self.assertReset(read, error)
                # Who can still be told is told.
                self.assertIn([one.status for one in read if one.kind == HEADERS], ([], [400]))
                client.send(headers(3))
                self.assertAnswered(client, 3)


class OrderTest(RulesTest):
    """What depends on more than the bytes that are sent."""

    test_what_is_answered = test_what_ends_the_connection = test_what_ends_a_stream = None

    def test_another_preface(self):
        client = self.http2(preface=b"")
        client.send(PREFACE[:20] + b"XX\r\n\r\n")
        read = client.frames(lambda one: False)
        self.assertTrue(client.ended)
        self.assertEqual([one.kind for one in read if one.kind == HEADERS], [])

    def test_settings_are_acknowledged(self):
        client = self.http2((3, 100))
        read = client.sync()
        self.assertEqual([one.flags for one in read if one.kind == SETTINGS], [0, ACK])
        self.assertEqual(read[0].kind, SETTINGS)

    def test_an_acknowledgement_of_ping_is_not_answered(self):
        client = self.http2()
        client.send(frame(PING, ACK, 0, b"unwanted"))
        self.assertNotIn(b"unwanted", [one.payload for one in client.sync()])

    def test_more_for_a_stream_that_is_over(self):
        for name, more in {
            "DATA": frame(DATA, END_STREAM, 1, b"abc"),
            "HEADERS": headers(),
            "CONTINUATION": frame(CONTINUATION, END_HEADERS, 1, block(*request_lines())),
        }.items():
            for how in ("reset", "answered"):
                with self.subTest(name, how=how):
                    client = self.http2()
                    client.send(OPEN + frame(RST_STREAM, 0, 1, number(8)) if how == "reset"
                                else headers())
                    if how == "answered":
                        self.assertAnswered(client)
                    client.send(more)
                    read = client.sync()
                    if client.ended:
                        self.assertIn(self.goaway(read), ("STREAM_CLOSED", "PROTOCOL_ERROR"))
                    else:
                        self.assertEqual([one for one in read if one.kind == HEADERS], [])

    def test_windows(self):
        client = self.http2((4, 1))
        client.send(headers())
        read = client.sync()
        while not any(one.kind == DATA for one in read):
            read += client.sync()
        self.assertEqual([one.payload for one in read if one.kind == DATA], [b"o"])
        client.send(frame(WINDOW_UPDATE, 0, 1, number(1)))
        rest = client.frames(lambda one: one.ends_stream)
        self.assertEqual(b"".join(one.payload for one in rest if one.kind == DATA), b"k")

    def test_windows_that_change_meanwhile(self):
        client = self.http2((4, 1))
        client.send(headers())
        client.frames(lambda one: one.kind == DATA)
        # One byte was sent: the window is now two below nothing, and then one.
        client.send(settings((4, 0)) + frame(WINDOW_UPDATE, 0, 1, number(1)))
        self.assertEqual([one for one in client.sync() if one.kind == DATA], [])
        client.send(settings((4, 1)))
        rest = client.frames(lambda one: one.ends_stream)
        self.assertEqual(b"".join(one.payload for one in rest if one.kind == DATA), b"k")

    def test_too_many_streams(self):
        here = threading.Event()
        origin = self.origin(lambda request, wire: here.wait(20) and response_bytes(b"ok"))
        self.addCleanup(here.set)
        self.proxy = self.reverse(origin, http2={"max_streams": 4})
        client = self.http2()
        first = client.sync()[0]
        self.assertIn(b"\0\x03" + number(4), [first.payload[i:i + 6] for i in
                                              range(0, len(first.payload), 6)])
        client.send(b"".join(headers(2 * i + 1) for i in range(5)))
        read = client.sync()
        if client.ended:
            self.assertEqual(self.goaway(read), "PROTOCOL_ERROR")
        else:
            self.assertReset(read, "REFUSED_STREAM", 9)
