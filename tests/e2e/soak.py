"""What a soak needs: c-icap that is put down and started again, users that go on asking, and an
origin for them."""

import os
import random
import signal
import subprocess
import threading
import time

from harness import Client, wait_until
from icap_plan import Ask, exchange, over
from icap_servers import CIcap
from wire import chunked, head_bytes

MB = 1 << 20
NOISE = random.Random("soak").randbytes(3 * MB)
SIZES = (0, 1, 700, 5000, 5000, 5000, 70_000, 70_000, 400_000, MB)
FRAMINGS = ("length", "chunked", "close")


class RestartedCIcap(CIcap):
    """On the same port each time."""

    def put_down(self, number):
        """By a signal to all of its processes; returns when it is gone."""
        left = self.shared_files()
        os.killpg(self.process.pid, number)
        wait_until(self.has_ended, "c-icap to end")
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for path in left:
            if os.path.exists(path):
                os.unlink(path)

    def freeze(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def start_again(self):
        with open(self.path("output"), "ab") as output:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, cwd=self.folder.name,
                                            start_new_session=True)
        wait_until(lambda: self.process.poll() is not None or self.ready(), "c-icap to start")
        if self.process.poll() is not None:
            raise AssertionError(f"c-icap does not start again:\n{self.said()}")

    def connections(self):
        """How many are open to its port."""
        mine = f"{self.port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        return sum(row[1].endswith(":" + mine) and row[3] == "01" for row in rows)


def piece(name, size):
    """Bytes that go with a name."""
    at = hash_of(name) % (len(NOISE) - MB)
    return NOISE[at:at + size]


def hash_of(name):
    return int.from_bytes(random.Random(name).randbytes(4), "big")


def serve(failures):
    """For an Origin: answers /name/size/framing/upload-size."""
    def run(wire):
        while not wire.closed:
            request = wire.read_request()
            name, size, framing, up = request.target.strip("/").split("/")
            if request.body != piece(name + "up", int(up)):
                failures.append(f"the origin got {len(request.body)} bytes of {request.target}")
            body = piece(name, int(size))
            if framing == "length":
                wire.send(head_bytes("HTTP/1.1 200 OK", f"Content-Length: {len(body)}") + body)
            elif framing == "chunked":
                wire.send(head_bytes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
                          + chunked(body))
            else:
                wire.send(head_bytes("HTTP/1.1 200 OK", "Connection: close") + body)
                wire.finish_sending()
                wire.close()

    return run


class Told:
    """What came of an exchange, and when it was."""

    def __init__(self, ask, began, result, right):
        self.ask = ask
        self.began = began
        self.ended = time.monotonic()
        self.status = result.status
        self.whole = result.ended == "whole"
        self.good = self.whole and result.status == 200 and right
        self.right = right  # what came of a page, if there was any, is of that page
        self.how = result.ended
        self.has_content = ask.content or not ask.path.startswith("/probe") and (
            ask.path.split("/")[2:4] != ["0", "length"])

    def __repr__(self):
        return (f"{self.ask.method} {self.ask.path} {self.ask.framing}: {self.status} "
                f"{self.how} {'right' if self.right else 'WRONG'} "
                f"{self.began:.3f} to {self.ended:.3f}")


class Users:
    """Each asks for one page after the other, by a connection that is kept as long as it lasts."""

    def __init__(self, address, url, count, seed):
        self.address = address
        self.url = url
        self.seed = seed
        self.over = threading.Event()
        self.began = time.monotonic()
        self.lasted = 0.0
        self.lock = threading.Lock()
        self.asked = 0
        self.bad = []  # Told, of all that was not good
        self.served = []  # when a good exchange was: (began, ended)
        self.errors = []
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(count)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.lasted = time.monotonic() - self.began
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        if any(thread.is_alive() for thread in self.threads):
            self.errors.append("a user does not end")

    def run(self, number):
        rng = random.Random(f"{self.seed} {number}")
        client = None
        try:
            for count in range(1 << 30):
                if self.over.is_set():
                    break
                client = client or Client(self.address)
                ended = self.ask(client, rng, f"{number}-{count}")
                if ended or rng.random() < 0.01:
                    client.close()
                    client = None
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(f"user {number}: {error!r}")
        if client:
            client.close()

    def ask(self, client, rng, name):
        size, framing = rng.choice(SIZES), rng.choice(FRAMINGS)
        up = rng.choice(SIZES) if rng.random() < 0.3 else None
        ask = Ask(f"/{name}/{size}/{framing}/{up or 0}",
                  **({} if up is None else {"method": "POST", "body": piece(name + "up", up),
                                            "framing": rng.choice(FRAMINGS[:2])}))
        began = time.monotonic()
        result = exchange(client, ask, self.url)
        page = piece(name, size)
        right = result.status != 200 or (
            result.body == page if result.ended == "whole" else page.startswith(result.body))
        told = Told(ask, began, result, right)
        with self.lock:
            self.asked += 1
            if told.good:
                self.served.append((told.began, told.ended))
            else:
                self.bad.append(told)
        return over(result)

    def wait_for_more(self, count):
        """Until so many more have been begun and ended, whatever came of them; each user's first
        one may have begun before."""
        wanted = self.asked + count + len(self.threads)
        wait_until(lambda: self.asked >= wanted or self.errors, f"{count} exchanges more", 60)

    def served_within(self, begin, end):
        with self.lock:
            return sum(begin <= began and ended <= end for began, ended in self.served)
