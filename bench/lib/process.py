"""Child processes on a core of their own, and what they cost."""
import collections
import glob
import os
import signal
import socket
import subprocess
import time

Usage = collections.namedtuple("Usage", "cpu_ns user_ticks system_ticks")


class Process:
    """A program pinned to one core, in a session of its own; ended with everything it started."""

    def __init__(self, command, cpu, log, **options):
        # Should this script be killed, the kernel takes its children along.
        pinned = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(cpu), *command]
        self.log = log
        with open(log, "wb") as output:
            options.setdefault("stdout", output)
            self.popen = subprocess.Popen(pinned, stderr=output, start_new_session=True,
                                          **options)
        raise_priority(self.popen.pid)

    def running(self):
        return self.popen.poll() is None

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            lines = file.read().strip().splitlines()
        return " / ".join(lines[-3:]) or "without a word"

    def stop(self):
        for number, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
            if not self.running():
                break
            try:
                os.killpg(self.popen.pid, number)
                self.popen.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass

    def pids(self):
        """This process and all its descendants."""
        children = collections.defaultdict(list)
        for stat in glob.glob("/proc/[0-9]*/stat"):
            fields = read(stat).rpartition(")")[2].split()
            if fields:
                children[int(fields[1])].append(int(stat.split("/")[2]))
        found = [self.popen.pid]
        for pid in found:
            found.extend(children[pid])
        return found

    def usage(self):
        """CPU time of all threads of all processes so far."""
        cpu_ns = user = system = 0
        for pid in self.pids():
            for schedstat in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                cpu_ns += int((read(schedstat) or "0").split()[0])
            fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if fields:
                user, system = user + int(fields[11]), system + int(fields[12])
        return Usage(cpu_ns, user, system)

    def memory(self):
        """Bytes of memory, pages shared between processes counted in shares (PSS)."""
        total = 0
        for pid in self.pids():
            for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


def raise_priority(pid):
    """Lets a process and its session go before what else runs here, if we may do that."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -15)
        # Where the scheduler groups by session, the niceness of the group is what counts.
        with open(f"/proc/{pid}/autogroup", "w", encoding="utf-8") as file:
            file.write("-15")
    except OSError:
        pass


def read(path):
    """The text of a file of /proc; empty when its process is gone."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def free_port(taken=set()):  # pylint: disable=dangerous-default-value
    """A port below those the kernel gives to outgoing connections, given out once."""
    for port in range(20000, 32000):
        if port in taken:
            continue
        with socket.socket() as probe:
            # Connections of an earlier run in TIME_WAIT do not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.add(port)
        return port
    raise RuntimeError("no free port")


def wait_for_port(process, port, seconds=15):
    """Returns when something listens; raises when the process ends first or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            pass
        if not process.running():
            raise RuntimeError("ended at once: " + process.last_words())
        time.sleep(0.05)
    raise RuntimeError("does not listen: " + process.last_words())
