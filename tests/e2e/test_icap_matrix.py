"""The 44 cases of http_matrix.tsv, through ICAP services that leave all as it is."""

import threading
import unittest

import doubles_icap_scripts as icap
from doubles import DoublesTest
from doubles_icap import IcapDouble, Options
from harness import wait_until
from icap_servers import CIcap
from matrix import Matrix

NO_PREVIEW = Options(preview=None)


class IcapMatrixTest(DoublesTest):
    """Each by a forward and by a reverse listener, and each message at all points: as the client
    has it, and as the server has it."""

    def run_through(self, uri, count, **service):
        """`count` tells how many (requests, responses) the service has seen."""
        sections = {"icap.all": {"url": uri, **service},
                    "filter": [{"name": at, "at": at, "icap": "all"}
                               for at in ("client", "server")]}
        forward, reverse = Matrix(self), Matrix(self)
        failures = []

        def run(matrix, penstock, absolute):
            try:
                failures.extend(matrix.failures(penstock, absolute))
                penstock.stop()  # what c-icap has to say of it is written at the latest then
            except AssertionError as error:
                failures.append(str(error))

        threads = [
            threading.Thread(target=run, args=(forward, self.forward(**sections), True)),
            threading.Thread(target=run, args=(
                reverse, self.penstock(reverse.reverse_sections() | sections), False))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        wanted = 2 * (forward.exchanges + reverse.exchanges)
        wait_until(lambda: count() == (wanted, wanted), f"{wanted} of each at the service")

    def run_through_double(self, script, options):
        double = self.double(IcapDouble(script, options))

        def count():
            methods = [request.method for request in list(double.requests)]
            return methods.count("REQMOD"), methods.count("RESPMOD")

        self.run_through(double.uri, count)

    def run_through_c_icap(self, **service):
        with CIcap("echo", threads=200) as server:
            def count():
                log = server.read("access.log")
                return tuple(sum(log.count(f"{method} echo {status}") for status in (200, 204))
                             for method in ("REQMOD", "RESPMOD"))

            self.run_through(server.uri("echo"), count, **service)

    def test_c_icap(self):
        self.run_through_c_icap()

    def test_c_icap_without_previews(self):
        self.run_through_c_icap(preview="off")

    def test_always_sent_back(self):
        self.run_through_double(icap.echo(), Options(preview=0))

    def test_always_sent_back_without_previews(self):
        self.run_through_double(icap.echo(), NO_PREVIEW)

    def test_always_unmodified(self):
        self.run_through_double(icap.unmodified(), Options())

    def test_always_unmodified_after_all(self):
        self.run_through_double(icap.unmodified(after="all"), NO_PREVIEW)


if __name__ == "__main__":
    unittest.main()
