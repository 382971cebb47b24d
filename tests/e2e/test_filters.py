"""The filters that are built in, by real requests."""

import unittest

from harness import ScenarioTest
from wire import chunked, request_bytes, response_bytes


class FilterTest(ScenarioTest):
    def filtered(self, origin, *filters, **sections):
        """A reverse proxy before the origin, with these filters."""
        return self.reverse(origin, filter=list(filters), **sections)



class FieldsTest(FilterTest):
    def test_edits_of_requests_and_responses(self):
        origin = self.origin(response_bytes(b"x", "Server: secret/1", "X-Kept: k"))
        proxy = self.filtered(origin, {"path": "/api", "fields": {
            "request": {"remove": ["X-Debug"],
                        "set": {"X-Asked": "${method} ${host}${path_and_query}"},
                        "add": {"X-More": ["1", "2"]}},
            "response": {"remove": ["Server"], "set": {"X-Seen": "${status} ${path}?${query}"}}}})
        response = self.ask(proxy, "/api/x?y=1", "x_debug: 1", "X-Asked: mine", "X-More: 0",
                            host="www.test:81")
        request = origin.requests[0]
        self.assertEqual(request.values("X-Asked"), ["GET www.test/api/x?y=1"])
        self.assertEqual(request.values("X-More"), ["0", "1", "2"])
        self.assertEqual(request.values("X_Debug"), [])
        self.assertEqual(response.values("Server"), [])
        self.assertEqual(response.values("X-Seen"), ["200 /api/x?y=1"])
        self.assertEqual(response.values("X-Kept"), ["k"])
        response = self.ask(proxy, "/other", "X-Debug: 1")
        self.assertEqual(origin.requests[1].values("X-Debug"), ["1"])
        self.assertEqual(response.values("Server"), ["secret/1"])

    def test_conditions_of_the_response(self):
        origin = self.origin(lambda request, _: response_bytes(
            b"", status="404 Not Found" if request.target == "/no" else "200 OK"))
        proxy = self.filtered(origin, {"status": "4xx", "fields": {
            "response": {"set": {"Cache-Control": "no-store"}}}})
        self.assertEqual(self.ask(proxy, "/no").values("Cache-Control"), ["no-store"])
        self.assertEqual(self.ask(proxy, "/yes").values("Cache-Control"), [])

    def test_trailers_cannot_say_what_the_head_must_not(self):
        origin = self.origin()
        proxy = self.filtered(origin, {"fields": {"request": {"set": {"X-User": "nobody"}}}})
        client = self.client(proxy)
        client.send(request_bytes("/", "Transfer-Encoding: chunked", method="POST")
                    + chunked(b"content", 30_000, "X_User: root", "X-Other: kept"))
        self.assertEqual(client.read_response("POST").status, 200)
        self.assertEqual(origin.requests[0].values("X-User"), ["nobody"])
        self.assertEqual(origin.requests[0].trailers, [("X-Other", "kept")])


class AnswerTest(FilterTest):
    def test_blocked_hosts(self):
        origin = self.origin()
        proxy = self.forward(filter=[{
            "name": "no games", "host": ["*.games.test", "games.test"],
            "answer": {"type": "text/html; charset=utf-8", "fields": {"X-Why": "${host}"},
                       "content": "<b>${host}</b>: '${path}' is blocked"}}])
        response = self.ask(proxy, "http://www.games.test/a\"'&b", host="www.games.test")
        self.assertEqual(response.status, 403)
        self.assertEqual(response.body,
                         b"<b>www.games.test</b>: '/a&#34;&#39;&#38;b' is blocked")
        self.assertEqual(response.value("Content-Type"), "text/html; charset=utf-8")
        self.assertEqual(response.value("X-Why"), "www.games.test")
        response = self.ask(proxy, "http://games.test/", host="games.test", method="HEAD")
        self.assertEqual((response.status, response.body), (403, b""))
        self.assertEqual(response.value("Content-Length"), str(len("<b>games.test</b>: '/' is "
                                                                  "blocked")))
        client = self.client(proxy)
        client.send(request_bytes("games.test:443", method="CONNECT", host="games.test:443"))
        self.assertEqual(client.read_response("CONNECT").status, 403)
        self.assertEqual(self.ask(proxy, origin.url + "/", host=origin.address).status, 200)

    def test_in_place_of_a_response(self):
        origin = self.origin(response_bytes(b"stack trace", "X-Power: 1",
                                            status="500 Internal Server Error"))
        proxy = self.filtered(origin, {"status": "5xx", "answer": {
            "status": 503, "content": "later (${status})", "fields": {"Retry-After": "5"}}})
        client = self.client(proxy)
        for _ in range(2):  # on one connection
            response = client.request("/")
            self.assertEqual((response.status, response.body), (503, b"later (500)"))
            self.assertEqual(response.value("Retry-After"), "5")
            self.assertIsNone(response.value("X-Power"))


if __name__ == "__main__":
    unittest.main()
