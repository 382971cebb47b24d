"""Looks into one peer under one workload: system calls, or where the time goes."""
import os
import subprocess
import sys
import time

from lib.load import Load, LoadFailed, run_h2load


class Tracer:
    """A program that looks at the proxy meanwhile."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True)
        self.complaints = ""
        time.sleep(0.5)  # For it to attach.

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.complaints = self.process.communicate(timeout=30)[1]


def run_traced(workload, peer, seconds, cpu, command, patience=10):
    """Runs the load with a tracer attached for all of it; returns the number of exchanges."""
    try:
        if workload.generator == "h2load":
            with Tracer(command) as tracer:
                result = run_h2load(workload, peer, seconds, cpu)
        else:
            options = [*workload.load_options(peer), "--seconds", str(seconds)]
            log = os.path.join(peer.folder, "load.log")
            with Load(options, cpu, log, workload.generator) as load:
                load.wait_ready()
                with Tracer(command) as tracer:
                    load.go()
                    # A traced proxy is slow.
                    result = load.result(seconds + patience)
    except LoadFailed as error:
        sys.exit(f"{workload.name} through {peer.name}: {error}")
    return result["requests"], tracer.complaints


def count_calls(workload, peer, seconds, cpu):
    """Prints the system calls of the proxy, in all and by exchange."""
    output = os.path.join(peer.folder, "strace.txt")
    pids = [word for pid in peer.process.pids() for word in ("-p", str(pid))]
    requests, complaints = run_traced(workload, peer, seconds, cpu,
                                      ["strace", "-f", "-c", "-o", output, *pids])
    try:
        with open(output, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        lines = []
    if not lines:
        print("strace does not work here: " + complaints.strip())
        return
    print(f"{peer.name}, {workload.title}: {requests} exchanges while traced")
    print(f"{'calls':>9} {'errors':>9} {'calls/req':>10}  call")
    for call, calls, errors in sorted(parse_counts(lines), key=lambda row: -row[1]):
        print(f"{calls:9} {errors or '':>9} {calls / max(requests, 1):10.3f}  {call}")


def parse_counts(lines):
    """(name, calls, errors) from the table of strace -c: the fourth column and the last two."""
    for line in lines:
        words = line.split()
        if len(words) in (5, 6) and words[3].isdigit():
            yield words[-1], int(words[3]), int(words[4]) if len(words) == 6 else 0


def show_profile(workload, peer, seconds, cpu):
    """Prints the functions the proxy spends its time in, its own and the kernel's."""
    data = os.path.join(peer.folder, "perf.data")
    pids = ",".join(str(pid) for pid in peer.process.pids())
    # The CPU clock works in virtual machines too, which often have no hardware counters.
    requests, complaints = run_traced(
        workload, peer, seconds, cpu,
        ["perf", "record", "-e", "cpu-clock", "-F", "1999", "-p", pids, "-o", data])
    report = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "--no-children", "--percent-limit", "0.4",
         "--sort", "dso,symbol"], capture_output=True, text=True, check=False)
    if report.returncode != 0:
        print("perf does not work here: " + (complaints + report.stderr).strip()[-300:])
        return
    print(f"{peer.name}, {workload.title}: {requests} exchanges while sampled")
    lines = [line for line in report.stdout.splitlines() if line and not line.startswith("#")]
    # The last two columns are of hardware branch records, which are not taken.
    print("\n".join(line.rstrip("- ") for line in lines[:50]))
