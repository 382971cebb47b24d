"""ICAP services as an administrator sets them: what they are told, what is done with what they say,
what is logged and counted, and what clients get while they take their time."""

import base64
import json
import os
import tempfile
import threading

import doubles_icap_scripts as icap
from doubles import DoublesTest
from doubles_icap import IcapDouble, Options
from harness import wait_until
from wire import LIMIT, chunked, head_bytes, response_bytes

BODY = b"0123456789abcdef" * 4096
LOGIN = "Basic " + base64.b64encode(b"alice:secret").decode()
INFECTED = "X-Infection-Found: Type=0; Resolution=2; Threat=Test;"


class IcapSettingsTest(DoublesTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.access = os.path.join(folder.name, "access.log")

    def icap(self, script=icap.honest(), options=Options(), **more):
        return self.double(IcapDouble(script, options, **more))

    def proxy(self, services, filters, **sections):
        """`services` are settings by name, of which a double stands for its URL."""
        tables = {}
        for name, settings in services.items():
            if isinstance(settings, IcapDouble):
                settings = {"url": settings.uri}
            tables[f"icap.{name}"] = settings
        return self.forward(log={"access": self.access}, filter=filters, **tables, **sections)

    def get(self, penstock, origin, *fields, path="/a", **options):
        return self.ask(penstock, f"http://{origin.address}{path}", *fields, **options)

    def records(self, count=1):
        def read():
            with open(self.access, encoding="utf-8") as file:
                lines = file.readlines()
            return len(lines) >= count and [json.loads(line) for line in lines]

        return wait_until(read, "the access log")

    def assert_body(self, response, body, status=200):
        self.assertEqual((response.status, response.body), (status, body))


class ToldTest(IcapSettingsTest):
    """What services are told of who asks."""

    def told(self, fields, *request_fields, settings=None):
        origin = self.origin()
        service = self.icap()
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["reqmod"],
                                     "fields": fields} | (settings or {})}, [{"icap": "s"}])
        self.get(penstock, origin, *request_fields)
        return origin.requests[0], service.requests[0]

    def test_the_client_and_its_user(self):
        _, told = self.told({"client_port": "X-Client-Port"}, f"Proxy-Authorization: {LOGIN}")
        self.assertEqual(told.value("X-Client-IP"), "127.0.0.1")
        self.assertTrue(told.value("X-Client-Port").isdigit())
        self.assertEqual(told.value("X-Authenticated-User"), "alice")
        self.assertIsNone(told.value("X-Authenticated-Groups"))
        self.assertIsNone(told.value("Proxy-Authorization"))

    def test_nobody_has_no_name(self):
        _, told = self.told({"user_is": "Local://${user}"})
        self.assertIsNone(told.value("X-Authenticated-User"))

    def test_encoded_names_groups_and_subscribers(self):
        _, told = self.told({"user_is": "Local://${user}", "user_coding": "base64",
                             "groups_are": "${field:X-Groups}",
                             "set": {"X-Subscriber-ID": "${field:X-Line}", "X-Policy": "gold",
                                     "X-None": "${field:X-None}"}},
                            f"Proxy-Authorization: {LOGIN}", "X-Groups: staff", "X-Line: 42")
        known = {name: told.value(name) for name in
                 ("X-Authenticated-User", "X-Authenticated-Groups", "X-Subscriber-ID", "X-Policy",
                  "X-None")}
        self.assertEqual(known, {
            "X-Authenticated-User": base64.b64encode(b"Local://alice").decode(),
            "X-Authenticated-Groups": base64.b64encode(b"staff").decode(),
            "X-Subscriber-ID": "42", "X-Policy": "gold", "X-None": None})

    def test_logins_as_fields_of_icap(self):
        sent, told = self.told({"proxy_logins": True}, f"Proxy-Authorization: {LOGIN}")
        self.assertEqual(told.value("Proxy-Authorization"), LOGIN)
        self.assertNotIn(b"Proxy-Authorization", told.http_request.raw_head)
        self.assertIsNone(sent.value("Proxy-Authorization"))


class SaidTest(IcapSettingsTest):
    """What is done with what services say beside the message."""

    def test_fields_are_passed_on(self):
        origin = self.origin()
        service = self.icap(icap.unmodified("X-Policy: gold", "X-Other: no"))
        penstock = self.proxy({"s": {"url": service.uri, "pass": ["X-Policy"]}}, [{"icap": "s"}])
        response = self.get(penstock, origin)
        self.assertEqual(origin.requests[0].value("X-Policy"), "gold")
        self.assertEqual((response.value("X-Policy"), response.value("X-Other")), ("gold", None))

    def test_fields_are_passed_on_with_answers(self):
        origin = self.origin()
        service = self.icap(icap.altered(icap.response(b"no"), fields=("X-Policy: gold",)))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["reqmod"],
                                     "pass": ["X-Policy"]}}, [{"icap": "s"}])
        self.assertEqual(self.get(penstock, origin).value("X-Policy"), "gold")

    def test_a_page_of_ones_own_for_what_was_found(self):
        origin = self.origin(response_bytes(BODY))
        service = self.icap(icap.response(b"theirs", status="200 OK"), Options(methods=("RESPMOD",)))
        found = icap.altered(icap.response(b"theirs", status="403 Forbidden"), fields=(INFECTED,))
        service.default.script = found
        penstock = self.proxy({"s": service}, [
            {"icap": "s"},
            {"noted": {"X-Infection-Found": "*Threat=*"},
             "answer": {"status": 403, "type": "text/html",
                        "content": "<b>${noted:X-Infection-Found}</b> from ${host}"}}])
        self.assert_body(self.get(penstock, origin),
                         b"<b>Type=0; Resolution=2; Threat=Test;</b> from 127.0.0.1", 403)
        service.default.script = icap.honest()
        self.assert_body(self.get(penstock, origin), BODY)

    def test_a_page_of_ones_own_for_what_a_service_says_of_a_request(self):
        origin = self.origin()
        service = self.icap(icap.unmodified("X-Attribute: games"))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["reqmod"]}}, [
            {"icap": "s"},
            {"noted": {"X-Attribute": ["games", "films"]}, "answer": {"content": "not now"}}])
        self.assert_body(self.get(penstock, origin), b"not now", 403)
        self.assertEqual(origin.requests, [])

    def test_a_page_of_ones_own_for_what_fails(self):
        origin = self.origin(response_bytes(BODY))
        service = self.icap(icap.error("500 Error"))
        penstock = self.proxy({"s": service}, [
            {"icap": "s", "name": "scan"},
            {"status": 502, "own_responses": True,
             "answer": {"status": 503, "content": "no scanner for ${path}"}}])
        self.assert_body(self.get(penstock, origin), b"no scanner for /a", 503)

    def test_what_is_shared_is_told_and_what_is_noted_is_not(self):
        origin = self.origin()
        first = self.icap(icap.unmodified("X-ICAP-E2G: token", "X-Attribute: seen"))
        second = self.icap()
        penstock = self.proxy({"a": {"url": first.uri, "share": ["X-ICAP-E2G"]}, "b": second},
                              [{"icap": "a"}, {"icap": "b"}])
        self.get(penstock, origin)
        for request in second.requests:
            self.assertEqual((request.value("X-ICAP-E2G"), request.value("X-Attribute")),
                             ("token", None))

    def test_next_services(self):
        origin = self.origin()
        router = self.icap(icap.unmodified("X-Next-Services: c, missing, b"))
        others = {name: self.icap(icap.adapted(None, f"X-Seen: {name}")) for name in "bc"}
        penstock = self.proxy({"a": {"url": router.uri, "methods": ["reqmod"]}} | others,
                              [{"icap": {"services": "a", "next_services": True}}])
        self.get(penstock, origin)
        self.assertEqual(origin.requests[0].values("X-Seen"), ["c", "b"])

    def test_services_that_do_not_offer_the_method_are_not_all(self):
        origin = self.origin(response_bytes(BODY))
        requests = self.icap(options=Options(methods=("REQMOD",)))
        responses = self.icap(icap.response(b"virus", status="403 Forbidden"))
        penstock = self.proxy({"a": requests, "b": responses}, [{"icap": ["a", "b"]}])
        self.assert_body(self.get(penstock, origin), b"virus", 403)
        self.assertEqual([len(requests.requests), len(responses.requests)], [1, 1])

    def test_next_services_that_fail(self):
        origin = self.origin()
        router = self.icap(icap.unmodified("X-Next-Services: b"))
        broken = self.icap(icap.error("500 Error"))
        penstock = self.proxy({"a": {"url": router.uri, "methods": ["reqmod"]}, "b": broken},
                              [{"icap": {"services": "a", "next_services": True}}])
        self.assertEqual(self.get(penstock, origin).status, 502)
        self.assertEqual(origin.requests, [])

    def test_connect_is_not_answered_with_success(self):
        service = self.icap(icap.response(b"", status="200 OK"))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["reqmod"]}}, [{"icap": "s"}])
        client = self.client(penstock)
        client.send(head_bytes("CONNECT h.test:443 HTTP/1.1", "Host: h.test:443"))
        self.assertEqual(client.read_response("GET").status, 502)


class ExceptedTest(IcapSettingsTest):
    def test_exceptions(self):
        origin = self.origin(lambda request, _: response_bytes(
            BODY if request.target == "/large" else b"small",
            "Content-Type: " + ("video/mp4" if request.target == "/film" else "text/html")))
        service = self.icap(icap.response(b"no", status="403 Forbidden"))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["respmod"]}}, [
            {"icap": "s", "unless": {"content_type": "video/*", "path": "/free", "user": "al*",
                                     "size_over": "1KiB", "method": "POST"}}])
        for path, fields, seen in [("/a", (), True), ("/film", (), False), ("/free/x", (), False),
                                   ("/large", (), False),
                                   ("/b", (f"Proxy-Authorization: {LOGIN}",), False)]:
            with self.subTest(path):
                status = self.get(penstock, origin, *fields, path=path).status
                self.assertEqual(status, 403 if seen else 200)
        self.assertEqual(len(service.requests), 1)


class LoggedTest(IcapSettingsTest):
    def test_what_came_of_each_message(self):
        origin = self.origin(response_bytes(BODY))
        scan = icap.in_turn(icap.unmodified("X-Attribute: clean"), icap.response(b"no", INFECTED),
                            icap.error("500 Error"))
        service = self.icap(scan)
        metrics = os.path.join(self.folder, "metrics.prom")
        penstock = self.proxy({"av": {"url": service.uri, "methods": ["respmod"]}},
                              [{"icap": "av", "on_failure": "open"}],
                              modules={"metrics_file": metrics, "metrics_interval": "10ms"})
        client = self.client(penstock)
        for _ in range(3):
            client.request(f"http://{origin.address}/a")
        logged = [record["icap"] for record in self.records(3)]
        self.assertEqual([len(one) for one in logged], [1, 1, 1])
        unmodified, adapted, failed = (one[0] for one in logged)
        self.assertEqual(unmodified | {"connect_us": 0, "total_us": 0, "sent": 0, "received": 0}, {
            "service": "av", "method": "RESPMOD", "outcome": "unmodified", "status": 204,
            "reused": True, "connect_us": 0, "total_us": 0, "sent": 0, "received": 0,
            "fields": {"X-Attribute": "clean"}})
        self.assertGreater(unmodified["sent"], 1000)
        self.assertGreater(unmodified["total_us"], 0)
        self.assertEqual((adapted["outcome"], adapted["status"], adapted["reused"]),
                         ("adapted", 200, True))
        self.assertEqual((failed["outcome"], failed["status"], failed["reason"]),
                         ("bypassed", 500, "the status is an error"))
        labels = 'service="av",method="RESPMOD"'
        wanted = [f'penstock_icap_messages_total{{{labels},outcome="{name}"}} 1'
                  for name in ("unmodified", "adapted", "bypassed")]
        wanted += ['penstock_icap_up{service="av"} 1',
                   f"penstock_icap_reused_connection_total{{{labels}}} 3"]

        def published():
            try:
                with open(metrics, encoding="ascii") as file:
                    text = file.read()
            except FileNotFoundError:
                return False
            return all(line in text for line in wanted)

        wait_until(published, "the metrics")

    def test_who_is_left_out_is_logged(self):
        origin = self.origin(response_bytes(BODY))
        service = self.icap(icap.error("500 Error"))
        penstock = self.proxy({"av": service}, [{"icap": "av", "on_failure": "skip"}])
        self.get(penstock, origin)
        record, = self.records()
        self.assertEqual([(one["method"], one["outcome"]) for one in record["icap"]],
                         [("REQMOD", "bypassed")])

    def test_a_body_that_breaks_off_is_a_failure(self):
        origin = self.origin(response_bytes(BODY))
        service = self.icap(icap.broken("last chunk", script=icap.echo()))
        penstock = self.proxy({"av": {"url": service.uri, "methods": ["respmod"]}},
                              [{"icap": "av"}])
        client = self.client(penstock)
        client.send(head_bytes(f"GET http://{origin.address}/a HTTP/1.1", "Host: h"))
        client.read_to_end()
        record, = self.records()
        self.assertEqual(record["icap"][0]["outcome"], "failed")


class TimesTest(IcapSettingsTest):
    def test_the_whole_time(self):
        """The service gets on all the time, but comes to nothing."""
        origin = self.origin(response_bytes(BODY))

        def dribbles(exchange):
            exchange.read_all()
            exchange.send(b"ICAP/1.0 200 OK\r\n")
            while not exchange.double.stopping.wait(0.02) and not exchange.wire.closed:
                exchange.send(b"X-A: b\r\n")
            return None

        service = self.icap(dribbles)
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["respmod"], "timeout": "20s",
                                     "total_timeout": "200ms"}}, [{"icap": "s"}])
        self.assertEqual(self.get(penstock, origin).status, 504)

    def test_the_whole_time_when_it_has_begun_to_speak(self):
        """What it has begun to say is not passed over, whatever the policy."""
        origin = self.origin(response_bytes(BODY))

        def begins(exchange):
            answer = icap.answer_of(icap.echo(), exchange)
            exchange.send(answer.head() + answer.http_heads)
            exchange.double.stopping.wait(LIMIT)

        service = self.icap(begins)
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["respmod"], "timeout": "20s",
                                     "total_timeout": "200ms"}},
                              [{"icap": "s", "on_failure": "open"}])
        self.assertEqual(self.get(penstock, origin).status, 502)

    def trickled(self, trickle, script, body=BODY, respond=response_bytes, policy="closed"):
        """A client's connection, when it has the head of the response, and the event that lets the
        service go on with the script."""
        origin = self.origin(respond(body))
        ready = threading.Event()
        self.addCleanup(ready.set)
        service = self.icap(icap.when(ready, script))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["respmod"],
                                     "trickle": trickle}}, [{"icap": "s", "on_failure": policy}])
        client = self.client(penstock)
        client.send(head_bytes(f"GET http://{origin.address}/a HTTP/1.1", "Host: h"))
        return client, client.read_response_head(), ready

    def expect(self, client, data):
        self.assertEqual(client.read_exactly(len(data)), data)

    BEGINNING = {"from": "beginning", "after": "1ms", "rate": 100}
    ALL = {"from": "all", "after": "1ms", "held": "16KiB"}

    def test_little_by_little(self):
        client, head, ready = self.trickled(self.BEGINNING, icap.unmodified(after="all"))
        self.expect(client, BODY[:100])
        ready.set()
        self.assertEqual(BODY[:100] + client.read_exactly(len(BODY) - 100), BODY)
        self.assertEqual(head.value("Content-Length"), str(len(BODY)))
        self.assertEqual(self.records()[0]["icap"][0]["outcome"], "unmodified")

    def test_all_but_the_end(self):
        client, _, ready = self.trickled(self.ALL, icap.unmodified(after="all"))
        self.expect(client, BODY[:-16 * 1024])
        ready.set()
        self.expect(client, BODY[-16 * 1024:])

    def test_chunked(self):
        def respond(body):
            return head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(body)

        client, head, ready = self.trickled(self.ALL, icap.unmodified(after="all"), respond=respond)
        ready.set()
        self.assertEqual(client.read_body(head).body, BODY)

    def test_nothing_of_what_the_service_has_to_send_back(self):
        """It is not offered that it may leave it as it is: all of it comes from there."""
        origin = self.origin(response_bytes(BODY))

        def thinks(exchange):
            exchange.read_all()
            exchange.double.stopping.wait(0.05)  # long enough for the client to get something
            return icap.honest()

        service = self.icap(thinks, Options(preview=None, allow=()))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["respmod"],
                                     "trickle": self.ALL}}, [{"icap": "s"}])
        self.assert_body(self.get(penstock, origin), BODY)

    def test_what_is_refused_breaks_off(self):
        client, _, ready = self.trickled(self.BEGINNING, icap.response(b"virus", after="all"))
        self.expect(client, BODY[:100])
        ready.set()
        rest = client.read_to_end()
        self.assertLess(len(rest), len(BODY) - 100)
        self.assertNotIn(b"virus", rest)
        record, = self.records()
        self.assertEqual(record["icap"][0]["reason"], "refused when part of it was with the client")

    def test_what_fails_goes_on_where_it_may(self):
        client, _, ready = self.trickled(self.BEGINNING, icap.error("500 Error", after="all"),
                                         policy="open")
        self.expect(client, BODY[:100])
        ready.set()
        self.expect(client, BODY[100:])

    def test_what_fails_breaks_off_where_it_may_not(self):
        client, _, ready = self.trickled(self.BEGINNING, icap.error("500 Error", after="all"))
        self.expect(client, BODY[:100])
        ready.set()
        self.assertLess(len(client.read_to_end()), len(BODY) - 100)

    def test_a_client_that_leaves(self):
        client, _, _ = self.trickled(self.BEGINNING, icap.unmodified(after="all"))
        client.reset()
        self.assertEqual(len(self.records()), 1)

    def test_answers_in_time_are_whole(self):
        origin = self.origin(response_bytes(BODY))
        service = self.icap(icap.in_turn(icap.response(b"no", after="all"), icap.echo(),
                                         icap.unmodified(after="all"), icap.error("500 Error")))
        penstock = self.proxy({"s": {"url": service.uri, "methods": ["respmod"],
                                     "trickle": {"from": "all", "after": f"{int(LIMIT)}s"}}},
                              [{"icap": "s"}])
        self.assert_body(self.get(penstock, origin), b"no", 403)
        self.assert_body(self.get(penstock, origin), BODY)
        self.assert_body(self.get(penstock, origin), BODY)
        self.assertEqual(self.get(penstock, origin).status, 502)
