"""Drives the load generators and reads the proxy's meters around them."""
import json
import os
import re
import selectors
import subprocess
import time

from lib import build, icap
from lib.idle import IdleFailed, open_connection
from lib.process import Process

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class LoadFailed(Exception):
    """A load generator that ended early or did not answer."""


class Load:
    """`load`, step by step: connections set up, run, all still open, closed. Or `handshakes`."""

    def __init__(self, options, cpu, log, tool="load"):
        self.process = Process([build.tool(tool), *options], cpu, log, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        popen = self.process.popen
        self.process.stop()
        popen.stdin.close()
        popen.stdout.close()

    def wait_ready(self):
        self.line(60)

    def go(self):
        self.process.popen.stdin.write("go\n")
        self.process.popen.stdin.flush()

    def result(self, seconds):
        return json.loads(self.line(seconds + 30))

    def line(self, seconds):
        output = self.process.popen.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            line = output.readline() if selector.select(seconds) else ""
        if not line:
            raise LoadFailed("the load generator fails: " + self.process.last_words())
        return line


def measure(workload, peer, seconds, cpu):
    """One round: what an exchange of a workload through a peer costs."""
    if workload.generator == "h2load":
        return measure_with_h2load(workload, peer, seconds, cpu)
    options = [*workload.load_options(peer), "--seconds", str(seconds)]
    log = os.path.join(peer.folder, "load.log")
    with Load(options, cpu, log, workload.generator) as load:
        load.wait_ready()
        meter = icap.Meter(peer)
        before = peer.process.usage()
        load.go()
        result = load.result(seconds)
        after = peer.process.usage()
        memory = peer.process.memory()
        opened, wrong = meter.read(result["requests"])
    expected = workload.expected_body()
    if expected is not None and result["body_bytes"] != expected * result["requests"]:
        raise LoadFailed("the bodies do not have the right length")
    figures = summary(result, before, after, memory)
    figures["icap_connections_per_1000"] = 1000 * opened / max(result["requests"], 1)
    figures["failures"] += wrong
    return figures


def summary(result, before, after, memory):
    requests = max(result["requests"], 1)
    cpu_ns = after.cpu_ns - before.cpu_ns
    user = after.user_ticks - before.user_ticks
    system = after.system_ticks - before.system_ticks
    user_share = user / (user + system) if user + system else 0
    cpu_us = cpu_ns / 1000 / requests
    return {
        "requests_per_second": requests / result["seconds"],
        "cpu_us": cpu_us,
        "user_us": cpu_us * user_share,
        "system_us": cpu_us * (1 - user_share),
        # Below 100 % the other core was the limit.
        "core_percent": cpu_ns / 1e7 / result["seconds"],
        "p50_us": result["p50_us"],
        "p99_us": result["p99_us"],
        "memory": memory,
        "failures": result["errors"] + result["reconnects"] + result["stalled"],
    }


def measure_idle(workload, peer, cpu):
    """What each of many idle connections keeps in memory, after one exchange on each."""
    if workload.mode == "tls":
        return measure_idle_tls(workload, peer)
    warm_up(peer, cpu)
    before = peer.process.memory()
    options = [*workload.load_options(peer), "--warmup", "0"]
    with Load(options, cpu, os.path.join(peer.folder, "load.log")) as load:
        load.wait_ready()
        time.sleep(0.5)
        after = peer.process.memory()
    return {"bytes_per_connection": (after - before) / workload.connections,
            "memory_before": before, "memory": after}


def measure_idle_tls(workload, peer):
    """The same with TLS."""
    try:
        first = [open_connection(peer.port, workload.http2) for _ in range(10)]
        before = peer.process.memory()
        rest = [open_connection(peer.port, workload.http2) for _ in range(workload.connections)]
        time.sleep(0.5)
        after = peer.process.memory()
    except (OSError, IdleFailed) as error:
        raise LoadFailed(f"an idle connection fails: {error}") from error
    for wire in first + rest:
        wire.close()
    return {"bytes_per_connection": (after - before) / workload.connections,
            "memory_before": before, "memory": after}


def warm_up(peer, cpu):
    """Some exchanges, so that memory for server connections and the like is there before."""
    options = ["--port", str(peer.port), "--seconds", "0.2"]
    with Load(options, cpu, os.path.join(peer.folder, "load.log")) as load:
        load.wait_ready()
        load.go()
        load.result(1)
    time.sleep(0.2)


def measure_with_h2load(workload, peer, seconds, cpu):
    """The same by h2load. The handshakes of its connections are among what is measured."""
    before = peer.process.usage()
    result = run_h2load(workload, peer, seconds, cpu)
    return summary(result, before, peer.process.usage(), peer.process.memory())


def run_h2load(workload, peer, seconds, cpu):
    command = ["h2load", *workload.h2load_options(peer), f"--duration={seconds:.0f}s"]
    process = Process(command, cpu, os.path.join(peer.folder, "h2load.log"),
                      stdout=subprocess.PIPE, text=True)
    try:
        output = process.popen.communicate(timeout=seconds + 30)[0]
    except subprocess.TimeoutExpired as error:
        raise LoadFailed("h2load does not end") from error
    finally:
        process.stop()
    return parse_h2load(output, seconds)


def parse_h2load(output, seconds):
    total = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", output)
    mean = re.search(r"time for request:\s+\S+\s+(\S+)\s+([\d.]+)(us|ms|s)", output)
    if not total or not mean:
        raise LoadFailed("h2load fails: " + output.strip()[-200:])
    units = {"us": 1, "ms": 1000, "s": 1_000_000}
    # It tells the mean, and no quantiles.
    latency = float(mean[2]) * units[mean[3]]
    return {"requests": int(total[2]), "seconds": seconds, "p50_us": latency, "p99_us": latency,
            "errors": int(total[3]), "reconnects": 0, "stalled": 0}


def measure_with_wrk(workload, peer, seconds, cpu):
    """The same as measure() with wrk, for plain GETs over kept-alive connections."""
    script = os.path.join(peer.folder, "target.lua")
    target = workload.load_options(peer)[7]
    with open(script, "w", encoding="utf-8") as file:
        file.write(f'wrk.path = "{target}"\n')
    command = ["wrk", "-t1", f"-c{workload.connections}", f"-d{seconds:.0f}s", "--latency", "-s",
               script, f"http://127.0.0.1:{peer.port}/"]
    before = peer.process.usage()
    process = Process(command, cpu, os.path.join(peer.folder, "wrk.log"), stdout=subprocess.PIPE,
                      text=True)
    try:
        output = process.popen.communicate(timeout=seconds + 30)[0]
    except subprocess.TimeoutExpired as error:
        raise LoadFailed("wrk does not end") from error
    finally:
        process.stop()
    return summary(parse_wrk(output), before, peer.process.usage(), peer.process.memory())


def parse_wrk(output):
    total = re.search(r"(\d+) requests in ([\d.]+)s", output)
    if not total:
        raise LoadFailed("wrk fails: " + output.strip()[-200:])
    units = {"us": 1, "ms": 1000, "s": 1_000_000}
    latency = {}
    for quantile in ("50", "99"):
        value, unit = re.search(rf"{quantile}%\s+([\d.]+)(us|ms|s)", output).groups()
        latency[quantile] = float(value) * units[unit]
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return {"requests": int(total[1]), "seconds": float(total[2]), "p50_us": latency["50"],
            "p99_us": latency["99"], "errors": int(errors[1]) if errors else 0, "reconnects": 0,
            "stalled": 0}
