"""Which filters have a say: after a request was led elsewhere, by other spellings, of own responses."""

import unittest

from harness import ScenarioTest
from wire import request_bytes, response_bytes


def fields(name, value="yes"):
    return {"fields": {"request": {"set": {name: value}}}}


class HopTest(ScenarioTest):
    def test_connection_takes_nothing_away_that_a_filter_has_set(self):
        origin = self.origin()
        proxy = self.reverse(origin, filter=[fields("X-Client", "${client_ip}")])
        names = ", ".join(f"n{number}" for number in range(100))
        for nominated in ("close, X-Client", names):
            response = self.ask(proxy, "/", f"Connection: {nominated}", "n7: 1", "X-Client: mine")
            self.assertEqual(response.status, 200)
            self.assertEqual(origin.requests[-1].values("X-Client"), ["127.0.0.1"])
            self.assertEqual(origin.requests[-1].values("n7"), ["1"] if "n7" not in nominated
                             else [])


class WayTest(ScenarioTest):
    def test_conditions_follow_the_request(self):
        one, two = self.origin(response_bytes(b"one")), self.origin(response_bytes(b"two"))
        proxy = self.penstock({
            "listener": [{"address": "127.0.0.1:0", "mode": "reverse"}],
            "upstream.one": {"servers": [one.address]}, "upstream.two": {"servers": [two.address]},
            "route": [{"name": "b", "path": "/b", "to": "two"}, {"name": "a", "to": "one"}],
            "filter": [{"path": "/b", **fields("X-Before")},
                       {"path": "/x", **fields("X-As-Asked")},
                       {"rewrite": {"pattern": "^/x/(.*)", "with": "/b/\\1"}},
                       {"path": "/b", **fields("X-Behind")},
                       {"path": "/x", **fields("X-No-More")},
                       {"route": "b", "at": "server", **fields("X-Route")},
                       {"path": "/b", "at": "server", **fields("X-Server")},
                       {"path": "/x", "at": "server", **fields("X-Old-Server")},
                       {"path": "/b/secret", "answer": {"status": 403}}]})
        self.assertEqual(self.ask(proxy, "/x/1").body, b"two")
        seen = two.requests[0]
        self.assertEqual([name for name in ("X-Before", "X-As-Asked", "X-Behind", "X-No-More",
                                            "X-Route", "X-Server", "X-Old-Server")
                          if seen.values(name)],
                         ["X-As-Asked", "X-Behind", "X-Route", "X-Server"])
        self.assertEqual(self.ask(proxy, "/x/secret/1").status, 403)
        self.assertEqual(self.ask(proxy, "/x/..%2fb/secret").status, 403)

    def test_other_spellings_lead_past_no_filter(self):
        origin = self.origin()
        proxy = self.reverse(origin, filter=[{"path": "/admin", "answer": {"status": 403}}])
        for path in ("/admin", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/admin;x",
                     "/admin%2f", "/x/%2E%2e/admin?y=1"):
            self.assertEqual(self.ask(proxy, path).status, 403, path)
        for path in ("/administrator", "/x?/admin", "/%2561dmin"):
            self.assertEqual(self.ask(proxy, path).status, 200, path)

    def test_a_dot_at_the_end_of_a_host_makes_no_other_host(self):
        proxy = self.forward(filter=[{"host": ["games.test", "*.games.test"],
                                      "answer": {"status": 403}}])
        for host in ("games.test", "games.test.", "www.games.test."):
            response = self.ask(proxy, f"http://{host}/", host=host)
            self.assertEqual(response.status, 403, host)
        client = self.client(proxy)
        client.send(request_bytes("games.test.:443", method="CONNECT", host="games.test.:443"))
        self.assertEqual(client.read_response("CONNECT").status, 403)


class OwnResponsesTest(ScenarioTest):
    ALWAYS = {"own_responses": True,
              "fields": {"response": {"set": {"Strict-Transport-Security": "max-age=1"}}}}

    def test_error_pages_and_answers_are_seen_by_those_that_want_to(self):
        origin = self.origin(response_bytes(b"fine"))
        proxy = self.reverse(
            origin,
            filter=[self.ALWAYS, {"fields": {"response": {"set": {"X-Others": "yes"}}}},
                    {"path": "/no", "answer": {"status": 403, "content": "no"}},
                    {"path": "/own", "answer": {"status": 500}},
                    {"status": "5xx", "own_responses": True,
                     "answer": {"status": 503, "content": "our own page"}}])
        response = self.ask(proxy, "/no")
        self.assertEqual((response.status, response.body), (403, b"no"))
        self.assertEqual(response.values("Strict-Transport-Security"), ["max-age=1"])
        self.assertEqual(response.values("X-Others"), [])
        response = self.ask(proxy, "/own")
        self.assertEqual((response.status, response.body), (503, b"our own page"))
        response = self.ask(proxy, "/")
        self.assertEqual((response.status, response.body), (200, b"fine"))
        self.assertEqual(response.values("X-Others"), ["yes"])
        origin.stop()
        response = self.ask(proxy, "/gone")
        self.assertEqual((response.status, response.body), (503, b"our own page"))

    def test_an_answer_to_connect_is_no_tunnel(self):
        proxy = self.forward(filter=[{"answer": {"status": 200, "content": "hello"}}])
        client = self.client(proxy)
        client.send(request_bytes("www.test:443", method="CONNECT", host="www.test:443"))
        response = client.read_response("CONNECT")
        self.assertEqual((response.status, response.body), (403, b"hello"))


if __name__ == "__main__":
    unittest.main()
