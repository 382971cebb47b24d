"""Penstock between real ICAP servers, users and an origin under the test's command."""

import random

from doubles import DoublesTest
from icap_plan import Ask, Given, PlanOrigin, exchange, over
from wire import Cut

KB, MB = 1 << 10, 1 << 20
FRAMINGS = ("length", "chunked", "close")


def noise(size, seed="noise"):
    """Bytes of which none can be lost, doubled or moved unseen; the same each time."""
    return random.Random(f"{seed} {size}").randbytes(size)


class RealIcapTest(DoublesTest):
    """The origin answers at the paths of give()."""

    def setUp(self):
        self.origin_server = self.double(PlanOrigin({}))
        self.user_now = None

    def give(self, path, body, framing="length", *fields):
        self.origin_server.by_path[path] = Given(body, framing=framing, fields=fields)

    def between(self, *uris, at="client", on_failure="closed", sections=None, **service):
        """A forward proxy that sends messages to all of these services, one after the other."""
        names = [f"s{number}" for number in range(len(uris))]
        tables = {f"icap.{name}": {"url": uri, **service} for name, uri in zip(names, uris)}
        filters = [{"name": name, "icap": name, "at": at, "on_failure": on_failure}
                   for name in names]
        return self.forward(filter=filters, **tables, **(sections or {}))

    def exchange(self, penstock, path="/a", url=None, **ask):
        """By one connection as long as there can be another exchange on it."""
        if self.user_now is None or self.user_now.closed:
            self.user_now = self.client(penstock)
        result = exchange(self.user_now, Ask(path, **ask), url or self.origin_server.url)
        if over(result):
            self.user_now.close()
        return result

    def expect_whole(self, result, body, status=200):
        # Not assertEqual: nobody wants to read the difference of megabytes.
        self.assertEqual((result.status, result.ended, len(result.body)),
                         (status, "whole", len(body)), result.head and result.head.fields)
        self.assertTrue(result.body == body, f"another body of {len(body)} bytes")

    def expect_page(self, penstock, path, page, **ask):
        """On the connection at hand."""
        self.expect_whole(self.exchange(penstock, path, **ask), page)

    def whole_requests(self, path):
        return self.origin_server.whole_requests(path)

    def cut_off(self, result, whole):
        """It can be told that it is not whole, and it is the beginning of what the origin gave."""
        self.assertEqual(result.status, 200)
        self.assertIn(result.ended, ("end", "reset"))
        self.assertTrue(whole.startswith(result.body) and len(result.body) < len(whole))
