"""Modules that fail, that are replaced, and that outlive their time."""

import os
import re
import signal
import threading
import time
import unittest

import wire_http2
from harness import Penstock, toml, wait_until
from steered import MODULES, EarlyOrigin, SteeredTest, do, steered_module
from wire import Cut, request_bytes, response_bytes


class Everywhere:
    """For each isolation."""

    def asking(self, lone):
        """A proxy with two workers, and clients whose requests wait for questions of the module:
        on both workers, or, where `lone` is 0 or 1, on that one only."""
        self.go = {f"/{number}": threading.Event() for number in range(8)}
        for event in self.go.values():
            self.addCleanup(event.set)
        who = self.origin(
            lambda request, wire: self.go[request.target].wait(20) and response_bytes())
        self.server = self.origin()
        if os.path.exists(self.calls):
            os.remove(self.calls)
        proxy = self.steered(self.server, config={"ask": who.url},
                             proxy={"workers": {"count": 2}})
        workers = {}
        for count, target in enumerate(self.go, 1):
            client = self.client(proxy)
            client.send(request_bytes(target, do(request_head="ask")))
            worker = self.wait_for("request_head", count)[-1]["transaction"] >> 48
            workers.setdefault(worker, {})[target] = client
        wait_until(lambda: len(who.requests) == 8, "the questions")
        if lone is not None:
            for worker in set(workers) - {sorted(workers)[lone % len(workers)]}:
                self.finish(workers.pop(worker))
        return proxy, {target: client for of in workers.values() for target, client in of.items()}

    def finish(self, waiting):
        for target, client in waiting.items():
            self.go[target].set()
            self.assertEqual(client.read_response().status, 200)
            self.assertEqual(self.server.requests[-1].value("X-Asked"), "200")
            client.close()

    def test_questions_outlive_a_reload(self):
        for lone in (None, 0, 1):
            with self.subTest(lone=lone):
                proxy, waiting = self.asking(lone)
                self.reload(proxy)
                self.assertEqual(self.ask(proxy, "/new").status, 200)
                self.assertEqual(self.happened("close"), [])
                self.finish(waiting)
                if lone is None:
                    self.wait_for("close")
                self.assert_nothing_bad()

    def test_questions_are_answered_while_it_drains(self):
        for lone in (None, 0, 1):
            with self.subTest(lone=lone):
                proxy, waiting = self.asking(lone)
                proxy.signal(signal.SIGTERM)
                wait_until(lambda p=proxy: self.said(p, "draining"), "it to drain")
                self.finish(waiting)
                proxy.wait(limit=5)
                self.assertEqual(len(self.happened("close")), 1)
                self.assert_nothing_bad()

    # -- Failures ---------------------------------------------------------------------------------

    def test_a_failure_over_an_upload_cuts_the_response(self):
        proxy = self.steered(EarlyOrigin(self).origin, name="guard", on_failure="closed")
        client = self.client(proxy)
        client.send(request_bytes("/", do(request_body="error"), "Content-Length: 5",
                                  method="POST"))
        head = client.read_response_head("POST")
        client.read_until(b"one\r\n")
        begun = time.monotonic()
        client.send(b"12345")
        with self.assertRaises(Cut):
            client.read_body(head)
        self.assertLess(time.monotonic() - begun, 5)
        record = self.records()[0]
        self.assertEqual((record["status"], record["error"], record["detail"], record["filter"]),
                         (200, "proxy_internal_error", "filter_failed", "guard"))

    def test_a_failure_over_an_upload_resets_the_stream(self):
        proxy = self.steered(EarlyOrigin(self).origin, on_failure="closed")
        client = wire_http2.Http2Client(proxy.address)
        self.addCleanup(client.close)
        orders = do(request_body="error").split(": ")
        client.send(wire_http2.headers(
            lines=wire_http2.request_lines("POST"), flags=wire_http2.END_HEADERS,
            more=[(orders[0].lower(), orders[1])]))
        client.frames(lambda frame: frame.kind == wire_http2.DATA and frame.payload == b"one")
        client.send(wire_http2.frame(wire_http2.DATA, 0, 1, b"12345"))
        last = client.frames(lambda frame: frame.stream == 1 and (
            frame.ends_stream or frame.kind == wire_http2.RST_STREAM))[-1]
        self.assertEqual(last.kind, wire_http2.RST_STREAM)
        self.assertNotEqual(last.payload, wire_http2.number(0))

    def test_settings_that_a_module_refuses(self):
        # Here the place is known, there the name.
        said = r"steered" if self.isolation == "process" else r"toml:\d+:\d+: is not to my liking"
        sections = {"listener": [{"address": "127.0.0.1:0"}]}
        with self.assertRaisesRegex(AssertionError, "(?s)did not start.*" + said):
            Penstock(toml(sections | self.sections(config={"refuse": True})))
        proxy = self.steered(self.origin())
        path = os.path.join(proxy.folder.name, "penstock.toml")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(good.replace('"config" = { ', '"config" = { "refuse" = true, '))
        self.reload(proxy, "was not taken over")
        wait_until(lambda: re.search(said, "\n".join(proxy.log)), "the reason")
        self.assertEqual(self.happened("close"), [])
        client = self.client(proxy)
        order = do(response_head="changed", response_complete="add")
        self.assertEqual(client.request("/", order).body, b"hello+")
        client.close()
        with open(path, "w", encoding="utf-8") as file:
            file.write(good)
        self.reload(proxy)
        self.assertEqual(self.ask(proxy, "/").status, 200)


class InlineTest(Everywhere, SteeredTest):
    isolation = "inline"


class ThreadTest(Everywhere, SteeredTest):
    isolation = "thread"

    def test_a_callback_that_never_returns_holds_up_nothing_else(self):
        go = threading.Event()
        self.addCleanup(go.set)
        origin = self.origin(lambda request, wire: (request.target != "/slow" or go.wait(20))
                             and response_bytes())
        other = {"file": steered_module(), "isolation": "thread", "config": {"log": self.calls}}
        proxy = self.steered(origin, filters=[{"timeout": "100ms"}, {"module": "other"}],
                             proxy={"module.other": other})
        client = self.client(proxy)
        self.assertEqual(client.request("/", do(request_head="hang")).status, 502)
        client.close()
        self.reload(proxy)
        self.wait_for("close")  # of the other one, which ends at the same time
        self.assertEqual(self.ask(proxy, "/").status, 200)
        self.records(2)
        os.rename(self.access, self.access + ".1")
        proxy.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(self.access), "the new access log")
        self.reload(proxy)
        self.client(proxy).send(request_bytes("/slow"))
        wait_until(lambda: origin.requests[-1].target == "/slow", "what has to be waited for")
        proxy.signal(signal.SIGTERM)
        wait_until(lambda: self.said(proxy, "draining"), "the first signal to be heard")
        proxy.signal(signal.SIGTERM)
        proxy.wait(code=1, limit=5)


    def test_a_callback_that_never_returns_is_left_behind_by_the_second_signal(self):
        proxy = self.steered(self.origin(), filters=[{"timeout": "100ms"}])
        client = self.client(proxy)
        self.assertEqual(client.request("/", do(request_head="hang")).status, 502)
        client.close()
        proxy.signal(signal.SIGTERM)
        wait_until(lambda: self.said(proxy, "draining"), "the first signal to be heard")
        proxy.signal(signal.SIGTERM)
        proxy.wait(code=1, limit=5)


class ProcessTest(Everywhere, SteeredTest):
    isolation = "process"

    def test_a_helper_that_dies_at_a_connection(self):
        for on_failure in ("closed", "open"):
            with self.subTest(on_failure):
                origin = self.origin()
                proxy = self.steered(origin, config={"connection_kills": True},
                                     on_failure=on_failure)
                for _ in range(3):
                    client = self.client(proxy)
                    client.send(request_bytes("/"))
                    if on_failure == "open":
                        self.assertEqual(client.read_response().status, 200)
                    else:
                        self.assertTrue(client.ends())
                self.assertEqual(len(origin.requests), 3 if on_failure == "open" else 0)
                wait_until(lambda p=proxy: self.said(p, "killed by signal 9"), "its end in the log")

    def upload_kills(self, **orders):
        """A client whose upload ends the helper when content of the response has been seen."""
        if os.path.exists(self.calls):
            os.remove(self.calls)
        early = EarlyOrigin(self)
        proxy = self.steered(early.origin, on_failure="open")
        client = self.client(proxy)
        client.send(request_bytes("/", do(request_body="die", **orders), "Content-Length: 5",
                                  method="POST"))
        self.wait_for("response_body")
        client.send(b"12345")
        return client, early

    def test_changed_content_is_cut_where_the_helper_dies(self):
        for orders in (dict(response_head="changed", response_body="keep"),
                       dict(response_head="changed", response_body="drop"),
                       dict(response_head="changed", response_body="add")):
            with self.subTest(orders):
                client, _ = self.upload_kills(**orders)
                with self.assertRaises(Cut):
                    client.read_response("POST")
        client, _ = self.upload_kills(response_head="hold", response_body="keep")
        try:  # Its head may still be told from a good one.
            self.assertEqual(client.read_response("POST").status, 502)
        except Cut:
            pass

    def test_other_content_passes_where_the_helper_dies(self):
        client, early = self.upload_kills()
        answer = client.read_response("POST")
        self.assertEqual((answer.status, answer.body), (200, b"onetwo"))
        self.assertEqual(early.contents, [b"12345"])

    def test_log_files_of_modules_are_opened_anew(self):
        path = os.path.join(self.folder, "audit.log")
        proxy = self.reverse(self.origin(), **{
            "module.audit": {"file": os.path.join(MODULES, "custom_logger.so"),
                             "isolation": "process",
                             "config": {"file": path, "pattern": "${path}"}},
            "filter": [{"module": "audit"}]})

        def content(name):
            if not os.path.exists(name):
                return ""
            with open(name, encoding="utf-8") as file:
                return file.read()

        self.ask(proxy, "/before")
        wait_until(lambda: content(path) == "/before\n", "the first line")
        os.rename(path, path + ".1")
        proxy.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(path), "the new file")
        self.ask(proxy, "/after")
        wait_until(lambda: content(path) == "/after\n", "the second line")
        self.assertEqual(content(path + ".1"), "/before\n")


if __name__ == "__main__":
    unittest.main()
