"""What is measured."""
import dataclasses

from lib import icap

KIB, MIB = 1024, 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    mode: str = "reverse"
    path: str = "/size/1024"
    connections: int = 64
    new_connections: bool = False
    tunnel: bool = False
    upload: int = 0
    # Bytes the proxy passes on in each exchange, for large ones; also gives the unit of the table.
    big: int = 0
    # What makes the load: our `load`, our `handshakes` (TLS, one connection after the other), or
    # h2load.
    generator: str = "load"
    resume: bool = False  # of `handshakes`
    http2: bool = False  # with TLS, else HTTP/1.1
    streams: int = 1  # of each connection at a time
    # Measures memory of idle connections instead of time.
    idle: bool = False

    def expected_body(self):
        """The bytes of body in each answer, or None."""
        return None if self.upload else int(self.path.rpartition("/")[2])

    def is_forward(self):
        return self.mode == "forward" or self.is_icap()

    def is_icap(self):
        return self.mode in icap.MODES

    def load_options(self, peer):
        """The options of `load` for this workload through a peer."""
        if self.generator == "handshakes":
            options = ["--port", str(peer.port), "--target", self.path]
            return options + ["--resume"] if self.resume else options
        authority = f"127.0.0.1:{peer.origin}"
        absolute = self.is_forward() and not self.tunnel
        target = f"http://{authority}{self.path}" if absolute else self.path
        options = ["--port", peer.port, "--connections", self.connections, "--host", authority,
                   "--target", target]
        if self.tunnel:
            options += ["--tunnel", authority]
        if self.upload:
            options += ["--method", "POST", "--body", self.upload]
        if self.new_connections:
            # Some 28,000 ports each, for connections that stay in TIME_WAIT for a minute.
            options += ["--new-connections", "--sources", 16]
        return [str(option) for option in options]

    def h2load_options(self, peer):
        """Those of `h2load`."""
        version = [] if self.http2 else ["--h1"]
        scheme = "https" if self.mode == "tls" else "http"
        return [*version, f"--clients={self.connections}", f"--max-concurrent-streams={self.streams}",
                "--threads=1", f"{scheme}://127.0.0.1:{peer.port}{self.path}"]


ALL = [
    Workload("small", "GET 1 KiB, keep-alive, 64 connections"),
    Workload("forward", "GET 1 KiB, absolute-form, keep-alive, 64 connections", mode="forward"),
    Workload("new", "GET 1 KiB, a new connection each, 64 at a time", new_connections=True),
    Workload("get64k", "GET 64 KiB, keep-alive, 64 connections", path=f"/size/{64 * KIB}"),
    Workload("get16m", "GET 16 MiB, keep-alive, 8 connections", path=f"/size/{16 * MIB}",
             connections=8, big=16 * MIB),
    Workload("chunked64k", "GET 64 KiB in chunks of 8 KiB, keep-alive, 64 connections",
             path=f"/chunked/{64 * KIB}"),
    Workload("post64k", "POST 64 KiB, keep-alive, 64 connections", path="/upload",
             upload=64 * KIB),
    Workload("tunnel", "GET 1 KiB inside CONNECT tunnels, keep-alive, 64 tunnels",
             mode="forward", tunnel=True),
    Workload("tunnel-new", "a CONNECT tunnel and one GET 1 KiB inside it, 64 at a time",
             mode="forward", tunnel=True, new_connections=True),
    Workload("tunnel16m", "GET 16 MiB inside CONNECT tunnels, keep-alive, 8 tunnels",
             mode="forward", tunnel=True, path=f"/size/{16 * MIB}", connections=8,
             big=16 * MIB),
    Workload("many", "GET 1 KiB, keep-alive, 1,000 connections", connections=1000),
    Workload("tls", "GET 1 KiB over TLS 1.3, HTTP/1.1, keep-alive, 64 connections", mode="tls",
             generator="h2load"),
    Workload("tls64k", "GET 64 KiB over TLS 1.3, HTTP/1.1, keep-alive, 64 connections", mode="tls",
             path=f"/size/{64 * KIB}", generator="h2load"),
    Workload("tls-new", "a TLS 1.3 connection and one GET 1 KiB, one at a time", mode="tls",
             generator="handshakes"),
    Workload("tls-resumed", "the same, each session resumed", mode="tls",
             generator="handshakes", resume=True),
    Workload("h2", "GET 1 KiB over HTTP/2 and TLS, 64 connections with one stream each",
             mode="tls", generator="h2load", http2=True),
    Workload("h2-streams", "GET 1 KiB over HTTP/2 and TLS, 8 connections with 16 streams each",
             mode="tls", generator="h2load", http2=True, connections=8, streams=16),
    Workload("h2-64k", "GET 64 KiB over HTTP/2 and TLS, 8 connections with 8 streams each",
             mode="tls", generator="h2load", http2=True, connections=8, streams=8,
             path=f"/size/{64 * KIB}"),
    Workload("tcp", "GET 1 KiB through TCP mode, keep-alive, 64 connections", mode="tcp"),
    Workload("tcp-new", "the same on a new connection each, 64 at a time", mode="tcp",
             new_connections=True),
    Workload("tcp16m", "GET 16 MiB through TCP mode, keep-alive, 8 connections", mode="tcp",
             path=f"/size/{16 * MIB}", connections=8, big=16 * MIB),
    Workload("icap-1k", "GET 1 KiB with ICAP, forward proxy, keep-alive, 1 user", mode="icap",
             connections=1),
    Workload("icap-1k-8", "GET 1 KiB with ICAP, forward proxy, keep-alive, 8 users", mode="icap",
             connections=8),
    Workload("icap-1k-unlimited", "the same, any number of messages on an ICAP connection",
             mode="icap-unlimited", connections=8),
    Workload("icap-1m", "GET 1 MiB with ICAP, forward proxy, keep-alive, 1 user", mode="icap",
             path=f"/size/{MIB}", connections=1),
    Workload("idle", "memory of 10,000 idle keep-alive connections", connections=10000,
             idle=True),
    Workload("idle-tls", "the same of 1,000 over TLS", mode="tls", connections=1000, idle=True),
    Workload("idle-h2", "the same of 1,000 of HTTP/2 over TLS", mode="tls", connections=1000,
             idle=True, http2=True),
]
BY_NAME = {workload.name: workload for workload in ALL}
