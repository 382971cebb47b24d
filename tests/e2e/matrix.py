"""The 44 cases of http_matrix.tsv, to be run through a proxy.

    matrix = Matrix(self)
    penstock = self.forward()
    self.assertEqual(matrix.failures(penstock, absolute=True), [])
"""

import csv
import os
import threading

from harness import Client
from wire import LIMIT, chunk, head_bytes

CLIENT_BODY = b"what the client has to say, \r\n\r\n and 0\r\n\r\n in it"
SERVER_BODY = b"what the server has to say, \r\n\r\n and 0\r\n\r\n in it, too"


def read_cases():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "http_matrix.tsv")
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


class Case:
    """One row; with `dribbled`, all data of both sides go in 5- or 10-byte fragments."""

    def __init__(self, row, dribbled):
        self.number = int(row["case"]) + 100 * dribbled
        self.name = f"case {self.number}: {row['method']} HTTP/{row['version']} {row['comment']}"
        self.method, self.version = row["method"], row["version"]
        self.connection = None if row["connection"] == "-" else row["connection"]
        self.server_length = row["server_content_length"] == "1"
        self.server_chunked = row["server_chunked"] == "1"
        self.client_length = row["client_content_length"] == "1"
        self.client_chunked = row["client_chunked"] == "1"
        self.has_body = self.client_length or self.client_chunked
        self.persistent = self.connection != "close" and (
            self.version == "1.1" or self.connection == "keep-alive"
        )
        self.dribbled = dribbled
        self.origin = None
        self.failures = []

    def send(self, wire, data):
        if self.dribbled:
            wire.dribble(data)
        else:
            wire.send(data)

    def message(self, start, fields, body, length, chunked):
        """The bytes of a message of either side. What Connection names is sent along."""
        if self.connection:
            fields = [*fields, f"Connection: {self.connection}, X-Hop", "X-Hop: 1"]
        if length:
            fields = [*fields, f"Content-Length: {len(body)}"]
        if chunked:
            fields = [*fields, "Transfer-Encoding: chunked"]
            body = chunk(body[:7]) + chunk(body[7:]) + b"0\r\n\r\n"
        return head_bytes(start, *fields, "X-End: 1") + body

    def request(self, target, host):
        return self.message(f"{self.method} {target} HTTP/{self.version}", [f"Host: {host}"],
                            CLIENT_BODY if self.has_body else b"",
                            self.client_length, self.client_chunked)

    def answer(self, _, wire):
        self.send(wire, self.message(f"HTTP/{self.version} 200 OK", ["Server: matrix"],
                                     SERVER_BODY, self.server_length, self.server_chunked))
        if not self.persistent:
            wire.close()

    def expect(self, what, got, wanted):
        if got != wanted:
            self.failures.append(f"{self.name}: {what}: {got!r}, not {wanted!r}")

    def run(self, address, absolute):
        target = (self.origin.url if absolute else "") + f"/{self.number}?b"
        client = Client(address)
        try:
            for number in range(2 if self.persistent else 1):
                self.send(client, self.request(target, self.origin.address))
                self.check_response(client.read_response(self.method, self.version))
                self.check_request(number)
            if self.persistent:
                self.expect("server connections", len(self.origin.connections), 1)
            else:
                self.expect("the connection ends", client.ends(), True)
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(f"{self.name}: {error!r}")
        finally:
            client.close()

    def check_response(self, response):
        self.expect("status", response.status, 200)
        self.expect("response body", response.body, SERVER_BODY)
        self.expect("X-Hop of the response", response.values("X-Hop"), [])
        self.expect("X-End of the response", response.values("X-End"), ["1"])
        options = response.connection_options
        if not self.persistent:
            # HTTP/1.0 clients close by default; nothing need be said to them.
            self.expect("says close", "close" in options or self.version == "1.0", True)
            self.expect("says keep-alive", "keep-alive" in options, False)
        else:
            self.expect("says close", "close" in options, False)
            self.expect("frames the response", response.framing != "close", True)
            if self.version == "1.0":
                self.expect("says keep-alive", "keep-alive" in options, True)

    def check_request(self, number):
        self.expect("requests at the origin", len(self.origin.requests), number + 1)
        request = self.origin.requests[-1]
        self.expect("request line", request.start, f"{self.method} /{self.number}?b HTTP/1.1")
        self.expect("Host", request.values("Host"), [self.origin.address])
        self.expect("request body", request.body, CLIENT_BODY if self.has_body else b"")
        self.expect("X-Hop of the request", request.values("X-Hop"), [])
        self.expect("X-End of the request", request.values("X-End"), ["1"])


class Matrix:
    """The cases, each with an origin of its own that ends with the test."""

    def __init__(self, test):
        self.cases = [Case(row, dribbled) for row in read_cases() for dribbled in (False, True)]
        test.assertEqual(len(self.cases), 44)
        for case in self.cases:
            case.origin = test.origin(case.answer)

    @property
    def exchanges(self):
        """How many requests there are in a run."""
        return sum(2 if case.persistent else 1 for case in self.cases)

    def reverse_sections(self):
        """Of a reverse proxy that has each origin at its case's path."""
        sections = {"listener": [{"address": "127.0.0.1:0", "mode": "reverse"}], "route": []}
        for case in self.cases:
            sections["route"].append({"path": f"/{case.number}", "to": f"case{case.number}"})
            sections[f"upstream.case{case.number}"] = {"servers": [case.origin.address]}
        return sections

    def failures(self, penstock, absolute):
        """Runs them all at the same time, once. `absolute`: with whole URLs, as to a forward
        proxy."""
        threads = [threading.Thread(target=case.run, args=(penstock.address, absolute))
                   for case in self.cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3 * LIMIT)
        late = [f"{case.name} does not end" for case, thread in zip(self.cases, threads)
                if thread.is_alive()]
        return late + [failure for case in self.cases for failure in case.failures]
