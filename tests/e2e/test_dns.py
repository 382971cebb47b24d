"""Names of servers and targets: what name servers say, when they say something else, and when they
say nothing."""

import collections
import socket
import threading
import time
import unittest

from doubles import DoublesTest
from doubles_dns import DnsServer
from harness import Client, wait_until
from real_servers import Dnsmasq
from wire import Cut, response_bytes

def servers_on_one_port(count):
    """Listening sockets at 127.0.0.1, 127.0.0.2, ... with the same port."""
    for _ in range(20):
        first = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = first.getsockname()[1]
        sockets = [first]
        try:
            for number in range(2, count + 1):
                sockets.append(socket.create_server((f"127.0.0.{number}", port), backlog=128))
            return sockets
        except OSError:
            for sock in sockets:
                sock.close()
    raise AssertionError("no port is free everywhere")


class DnsTest(DoublesTest):
    def setUp(self):
        self.dns = self.double(DnsServer(negative_ttl=1))

    def origins(self, count):
        """Origins on one port, which say by X-Origin which of the addresses they have."""
        origins = []
        for sock in servers_on_one_port(count):
            name = sock.getsockname()[0]
            origins.append(self.origin(response_bytes(b"hello", f"X-Origin: {name}"), sock=sock))
        self.port = int(origins[0].address.rpartition(":")[2])
        return origins

    def asking(self, servers=None, **options):
        return {"servers": servers or [self.dns.name], "timeout": "200ms", "tries": 2,
                "hosts_file": False} | options

    def group(self, servers=None, dns=None, sections=None, **options):
        group = options if servers is None else {"servers": servers} | options
        return self.reverse(**{"upstream.app": group, "dns": dns or self.asking()}
                            | (sections or {}))

    def names(self, proxy, count):
        """Which origins answer, each time on a connection of its own."""
        client = self.client(proxy)
        responses = [client.request("/") for _ in range(count)]
        self.assertEqual([r.raw_head for r in responses if r.status != 200], [])
        return collections.Counter(r.value("X-Origin") for r in responses)

    def spread(self, proxy, count, *wanted):
        """As names(), once those and no others answer: each name is asked for by itself."""
        wait_until(lambda: set(self.names(proxy, count)) == set(wanted), f"{wanted} to answer", 8)
        return self.names(proxy, count)

    def check_refused(self, response, status, error):
        self.assertEqual(response.status, status, response.raw_head)
        self.assertIn(f"error={error}", response.value("Proxy-Status"))


class GroupTest(DnsTest):
    def test_one_name_with_several_addresses(self):
        """They are one server: the next address when one does not answer."""
        one, _ = self.origins(2)
        self.dns.set("app.test", "A", "127.0.0.1", "127.0.0.2")
        proxy = self.group([f"app.test:{self.port}"])
        self.assertEqual(sum(self.names(proxy, 4).values()), 4)
        one.stop()
        self.assertEqual(self.names(proxy, 4), {"127.0.0.2": 4})

    def test_several_names(self):
        self.origins(3)
        for number in (1, 2, 3):
            self.dns.set(f"n{number}.test", "A", f"127.0.0.{number}")
        proxy = self.group([f"n{n}.test:{self.port}" for n in (1, 2, 3)])
        wanted = {f"127.0.0.{n}": 3 for n in (1, 2, 3)}
        self.assertEqual(self.spread(proxy, 9, *wanted), wanted)

    def test_new_addresses_are_used_and_old_connections_stay(self):
        one, two, _ = self.origins(3)
        self.dns.set("app.test", "A", "127.0.0.1", ttl=1)
        self.dns.set("stay.test", "A", "127.0.0.2", ttl=1)
        proxy = self.group([f"app.test:{self.port}", f"stay.test:{self.port}"])
        self.assertEqual(self.spread(proxy, 4, "127.0.0.1", "127.0.0.2"),
                         {"127.0.0.1": 2, "127.0.0.2": 2})
        self.dns.set("app.test", "A", "127.0.0.3", ttl=1)
        wait_until(lambda: "127.0.0.3" in self.names(proxy, 2), "the new address", 5)
        self.assertEqual(self.names(proxy, 4), {"127.0.0.3": 2, "127.0.0.2": 2})
        self.assertEqual(len(two.connections), 1)
        wait_until(lambda: self.dns.count("stay.test", "A") > 1, "the other to be asked for", 5)
        wait_until(lambda: all(w.closed for w in one.connections), "old connections to be closed")

    def test_an_address_more_keeps_connections(self):
        one, _ = self.origins(2)
        self.dns.set("app.test", "A", "127.0.0.1", ttl=1)
        proxy = self.group([f"app.test:{self.port}"])
        self.names(proxy, 2)
        self.dns.set("app.test", "A", "127.0.0.2", "127.0.0.1", ttl=1)
        asked = self.dns.count("app.test", "A")
        wait_until(lambda: self.dns.count("app.test", "A") > asked + 1, "it to be asked again", 8)
        self.assertEqual(self.names(proxy, 2), {"127.0.0.1": 2})
        self.assertEqual(len(one.connections), 1)

    def test_starts_while_dns_is_down(self):
        self.origins(1)
        self.dns.fail("app.test", "drop")
        proxy = self.group([f"app.test:{self.port}"],
                           dns=self.asking(timeout="50ms", negative_ttl="100ms"),
                           sections={"timeouts": {"connect": "200ms"}})
        self.assertIn(self.ask(proxy, "/").status, (502, 504))
        self.dns.set("app.test", "A", "127.0.0.1")
        self.dns.fail("app.test", None)
        wait_until(lambda: self.ask(proxy, "/").status == 200, "it to work", 10)

    def test_first_request_waits_for_the_answer(self):
        self.origins(1)
        self.dns.set("app.test", "A", "127.0.0.1")
        self.dns.delay("app.test", 0.15)
        proxy = self.group([f"app.test:{self.port}"], dns=self.asking(timeout="2s"))
        self.assertEqual(self.names(proxy, 1), {"127.0.0.1": 1})

    def test_nothing_is_lost_while_dns_fails(self):
        self.origins(1)
        self.dns.set("app.test", "A", "127.0.0.1", ttl=1)
        proxy = self.group([f"app.test:{self.port}"])
        self.names(proxy, 1)
        for how in ("SERVFAIL", "drop"):
            self.dns.fail("app.test", how)
            asked = self.dns.count("app.test", "A")
            wait_until(lambda a=asked: self.dns.count("app.test", "A") > a, "a question", 10)
            self.assertEqual(self.names(proxy, 20), {"127.0.0.1": 20})
            client = Client(proxy.address)
            self.assertEqual(client.request("/", "Connection: close").status, 200)
            client.close()

    def test_a_name_that_is_not_there(self):
        self.check_refused(self.ask(self.group(["no.test:80"]), "/"), 502, "dns_error")

    def test_dnsmasq(self):
        self.origins(2)
        hosts = {"app.test": ["127.0.0.1"], "target.test": ["127.0.0.2"]}
        services = {"_http._tcp.app.test": [(1, 1, self.port, "target.test")]}
        with Dnsmasq(hosts=hosts, services=services, ttl=1) as dnsmasq:
            dns = self.asking([dnsmasq.address], timeout="2s")
            proxy = self.group([f"app.test:{self.port}"], dns=dns)
            self.assertEqual(self.names(proxy, 2), {"127.0.0.1": 2})
            by_service = self.group(dns=dns, service="_http._tcp.app.test")
            self.assertEqual(self.names(by_service, 2), {"127.0.0.2": 2})
            forward = self.forward(dns=dns)
            url = f"http://app.test:{self.port}/"
            response = self.ask(forward, url, host=f"app.test:{self.port}")
            self.assertEqual(response.value("X-Origin"), "127.0.0.1")
            self.check_refused(self.ask(forward, "http://no.test/", host="no.test"), 502,
                               "dns_error")
            dnsmasq.set_hosts({"app.test": ["127.0.0.2"]})
            wait_until(lambda: "127.0.0.2" in self.names(proxy, 1), "the new address", 8)


class ServiceTest(DnsTest):
    NAME = "_http._tcp.app.test"

    def setUp(self):
        super().setUp()
        _, self.two, _ = self.origins(3)
        for number in (1, 2, 3):
            self.dns.set(f"t{number}.test", "A", f"127.0.0.{number}")

    def targets(self, *records):
        """Each (number, priority, weight)."""
        self.dns.set(self.NAME, "SRV", *((priority, weight, self.port, f"t{number}.test")
                                         for number, priority, weight in records), ttl=1)

    def service(self, **options):
        return self.group(service=self.NAME, **options)

    def test_weights(self):
        self.targets((1, 0, 3), (2, 0, 1))
        self.assertEqual(self.spread(self.service(), 16, "127.0.0.1", "127.0.0.2"),
                         {"127.0.0.1": 12, "127.0.0.2": 4})

    def test_priorities(self):
        self.targets((1, 10, 1), (2, 20, 1))
        proxy = self.service(ejection={"failures": 1, "max_share": 100, "time": "1m"})
        self.assertEqual(self.spread(proxy, 6, "127.0.0.1"), {"127.0.0.1": 6})
        self.targets((1, 20, 1), (2, 10, 1))
        self.assertEqual(self.spread(proxy, 6, "127.0.0.2"), {"127.0.0.2": 6})
        # Backups serve when nobody else does.
        self.two.stop()
        self.assertEqual(self.spread(proxy, 6, "127.0.0.1"), {"127.0.0.1": 6})

    def test_targets_come_and_go(self):
        self.targets((1, 0, 1), (2, 0, 1))
        proxy = self.service()
        self.assertEqual(self.spread(proxy, 6, "127.0.0.1", "127.0.0.2"),
                         {"127.0.0.1": 3, "127.0.0.2": 3})
        failures, stop = [], threading.Event()

        def work():
            client = Client(proxy.address)
            while not stop.is_set():
                try:
                    response = client.request("/")
                except (Cut, OSError) as error:
                    failures.append(error)
                    return
                if response.status != 200:
                    failures.append(response.raw_head)
            client.close()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            self.targets((2, 0, 1), (3, 0, 1))
            self.spread(proxy, 6, "127.0.0.2", "127.0.0.3")
            self.targets((1, 0, 1))
            self.spread(proxy, 6, "127.0.0.1")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_fails_and_stays(self):
        self.targets((1, 0, 1))
        proxy = self.service()
        self.names(proxy, 2)
        self.dns.fail(self.NAME, "SERVFAIL")
        asked = self.dns.count(self.NAME.lower(), "SRV")
        wait_until(lambda: self.dns.count(self.NAME.lower(), "SRV") > asked, "a question", 8)
        self.assertEqual(self.names(proxy, 10), {"127.0.0.1": 10})

    def test_one_target_is_enough_to_begin(self):
        self.targets((1, 0, 1), (2, 0, 1))
        self.dns.delay("t2.test", 0.5)
        proxy = self.service(dns=self.asking(timeout="2s"))
        self.assertEqual(self.names(proxy, 3), {"127.0.0.1": 3})
        wait_until(lambda: len(self.names(proxy, 2)) == 2, "the other one")

    def test_no_such_service(self):
        proxy = self.service()
        self.check_refused(self.ask(proxy, "/"), 502, "dns_error")
        self.targets((1, 0, 1))
        wait_until(lambda: self.ask(proxy, "/").status == 200, "it to be there", 10)


class TargetTest(DnsTest):
    """Targets of forward listeners."""

    def forwarding(self, dns=None, **sections):
        return self.forward(dns=dns or self.asking(), **sections)

    def target(self, proxy, name):
        host = f"{name}:{self.port}"
        return self.ask(proxy, f"http://{host}/", host=host)

    def test_cached_as_long_as_it_says(self):
        self.origins(2)
        self.dns.set("long.test", "A", "127.0.0.1", ttl=60)
        self.dns.set("short.test", "A", "127.0.0.1", ttl=1)
        proxy = self.forwarding()
        for name in ("long.test", "short.test", "LONG.test"):
            self.assertEqual(self.target(proxy, name).value("X-Origin"), "127.0.0.1")
        self.dns.set("long.test", "A", "127.0.0.2")
        self.dns.set("short.test", "A", "127.0.0.2")
        wait_until(lambda: self.target(proxy, "short.test").value("X-Origin") == "127.0.0.2",
                   "the new address", 5)
        self.assertEqual(self.target(proxy, "long.test").value("X-Origin"), "127.0.0.1")
        self.assertEqual(self.dns.count("long.test", "A"), 1)

    def test_many_ask_once(self):
        self.origins(1)
        self.dns.set("app.test", "A", "127.0.0.1")
        self.dns.delay("app.test", 0.1)
        proxy = self.forwarding(self.asking(timeout="2s"))
        statuses = []
        threads = [threading.Thread(
            target=lambda: statuses.append(self.target(proxy, "app.test").status))
            for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 10)
        self.assertEqual(self.dns.count("app.test", "A"), 1)

    def test_aliases_and_long_answers(self):
        self.origins(1)
        self.dns.set("alias.test", "CNAME", "real.test")
        self.dns.set("real.test", "A", "127.0.0.1")
        self.dns.set("many.test", "A", *["127.0.0.1"] + [f"127.0.1.{n}" for n in range(1, 120)])
        self.dns.set("cut.test", "A", "127.0.0.1")
        self.dns.fail("cut.test", "truncate")
        proxy = self.forwarding()
        for name in ("alias.test", "many.test", "cut.test"):
            self.assertEqual(self.target(proxy, name).status, 200, name)
        self.assertIn(("cut.test", "A", "tcp"), self.dns.questions)

    def test_no_such_name(self):
        proxy = self.forwarding()
        for _ in range(3):
            self.check_refused(self.ask(proxy, "http://no.test/", host="no.test"), 502,
                               "dns_error")
        self.assertEqual(self.dns.count("no.test", "A"), 1)  # for its zone's time
        self.dns.set("text.test", "TXT", "no address")
        self.check_refused(self.ask(proxy, "http://text.test/", host="text.test"), 502,
                           "dns_error")

    def test_name_servers_that_fail(self):
        proxy = self.forwarding(self.asking(timeout="50ms", tries=2))
        self.dns.fail("fails.test", "SERVFAIL")
        self.dns.fail("refuses.test", "REFUSED")
        self.dns.fail("silent.test", "drop")
        for name, status, error in (("fails.test", 502, "dns_error"),
                                    ("refuses.test", 502, "dns_error"),
                                    ("silent.test", 504, "dns_timeout")):
            with self.subTest(name):
                self.check_refused(self.ask(proxy, f"http://{name}/", host=name), status, error)

    def test_the_next_name_server(self):
        self.origins(1)
        dead = self.double(DnsServer())
        dead.fail("app.test", "drop")
        self.dns.set("app.test", "A", "127.0.0.1")
        proxy = self.forwarding(self.asking([dead.name, self.dns.name], timeout="50ms"))
        self.assertEqual(self.target(proxy, "app.test").status, 200)
        self.assertGreaterEqual(dead.count("app.test"), 1)

    def test_stale_answers(self):
        self.origins(1)
        self.dns.set("app.test", "A", "127.0.0.1", ttl=1)
        proxy = self.forwarding(self.asking(timeout="50ms", tries=1, negative_ttl="0s"))
        self.assertEqual(self.target(proxy, "app.test").status, 200)
        self.dns.fail("app.test", "drop")
        asked = self.dns.count("app.test", "A")

        def asked_again():
            self.assertEqual(self.target(proxy, "app.test").status, 200)
            return self.dns.count("app.test", "A") > asked + 1

        wait_until(asked_again, "it to be asked again", 10)
        fresh = self.forwarding(self.asking(timeout="50ms", tries=1, stale="0s"))
        self.check_refused(self.target(fresh, "app.test"), 504, "dns_timeout")

    def test_hosts_of_the_configuration(self):
        self.origins(2)
        self.dns.set("both.test", "A", "127.0.0.1")
        proxy = self.forwarding(hosts={"own.test": ["127.0.0.2"], "both.test": "127.0.0.2",
                                       "none.test": []})
        for name in ("own.test", "both.test", "OWN.test"):
            self.assertEqual(self.target(proxy, name).value("X-Origin"), "127.0.0.2")
        self.check_refused(self.target(proxy, "none.test"), 502, "dns_error")
        self.assertEqual(self.dns.questions, [])

    def test_an_address_that_does_not_answer(self):
        """RFC 8305: the next one is tried after a quarter of a second. The queue of 127.0.0.9 is
        full."""
        one, = self.origins(1)
        full = socket.socket()
        full.bind(("127.0.0.9", self.port))
        full.listen(0)
        self.addCleanup(full.close)
        held = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
            held.append(sock)
            self.addCleanup(sock.close)
        self.dns.set("app.test", "A", "127.0.0.9", "127.0.0.1")
        proxy = self.forwarding(timeouts={"connect": "5s"})
        begin = time.monotonic()
        self.assertEqual(self.target(proxy, "app.test").value("X-Origin"), "127.0.0.1")
        took = time.monotonic() - begin
        self.assertTrue(0.2 <= took < 2, took)
        self.assertEqual(len(one.requests), 1)

    def test_aaaa_that_leads_nowhere(self):
        self.origins(1)
        self.dns.set("app.test", "A", "127.0.0.1")
        self.dns.set("app.test", "AAAA", "::1")
        proxy = self.forwarding()
        self.assertEqual(self.target(proxy, "app.test").status, 200)

    def test_aaaa_that_is_not_answered(self):
        """Whoever has an address by IPv4 does not wait for long for one by IPv6."""
        self.origins(1)
        self.dns.set("app.test", "A", "127.0.0.1")
        real = self.dns.reply_to

        def reply_to(message, way):
            reply = real(message, way)
            return None if self.dns.questions[-1][1] == "AAAA" else reply

        self.dns.reply_to = reply_to
        proxy = self.forwarding(self.asking(timeout="5s"))
        begin = time.monotonic()
        self.assertEqual(self.target(proxy, "app.test").status, 200)
        self.assertLess(time.monotonic() - begin, 4)


if __name__ == "__main__":
    unittest.main()
