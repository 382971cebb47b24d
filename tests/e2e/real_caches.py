"""Caches that others wrote, before an origin at an address: what Penstock's is compared with. Each is
configured as its makers, its package or the authors of the public suite of caches advise, with all of
that suite's freedom: nothing is stored that has neither explicit freshness nor a validator.

    with VarnishCache(origin.address) as cache:
        ... cache.address
"""

import os
import re
import shutil
import signal
import subprocess

from harness import wait_until
from real_servers import HOST, Apache, RealServer, Squid


def version_of(command):
    """The first number of two parts or more that a program puts out."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"


class Cache(RealServer):
    """`modes` are those it can be started in, "reverse" and "forward"."""

    title = ""
    modes = ("reverse",)
    asking = ("-v",)  # for its version

    def __init__(self, origin, mode="reverse"):
        super().__init__()
        assert mode in self.modes
        self.origin = origin
        self.mode = mode

    def version(self):
        return version_of([self.binary, *self.asking])


class NginxCache(Cache):
    """On disk, and validated when stale."""

    title = "nginx"
    programs = ("nginx",)

    CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=cache:8m max_size=1000m inactive=600m;
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://{origin};
      proxy_cache cache;
      proxy_cache_revalidate on;
    }}
  }}
}}
"""

    def prepare(self):
        self.write("nginx.conf", self.CONFIG.format(folder=self.folder.name, host=HOST,
                                                    port=self.port, origin=self.origin))

    def command(self):
        return [self.binary, "-p", self.folder.name, "-c", self.path("nginx.conf"), "-e", "stderr"]


class SquidCache(Squid, Cache):
    """In memory, with the refresh patterns that it comes with."""

    title = "Squid"
    modes = ("reverse", "forward")

    def __init__(self, origin, mode="reverse"):
        Cache.__init__(self, origin, mode)

    def prepare(self):
        host, port = self.origin.split(":")
        listening = f"http_port {HOST}:{self.port}"
        if self.mode == "reverse":
            listening += (f" accel defaultsite={host} no-vhost\n"
                          f"cache_peer {host} parent {port} 0 no-query no-digest originserver\n"
                          "never_direct allow all")
        self.write("squid.conf", "\n".join([
            listening,
            "http_access allow all",
            f"pid_filename {self.path('squid.pid')}",
            f"cache_log {self.path('cache.log')}",
            "access_log none",
            f"coredump_dir {self.folder.name}",
            "visible_hostname squid.test",
            r"refresh_pattern -i (/cgi-bin/|\?) 0 0% 0",
            "refresh_pattern . 0 20% 4320",
            "max_filedescriptors 4096",
            "pinger_enable off",
            "netdb_filename none",
            "shutdown_lifetime 0 seconds",
            ""]))
        if os.getuid() == 0:
            shutil.chown(self.folder.name, "proxy")  # as whom Squid runs when root starts it


class VarnishCache(Cache):
    """In memory. Its default is to store everything for two minutes, which the suite does not want."""

    title = "Varnish"
    programs = ("varnishd",)
    asking = ("-V",)

    def prepare(self):
        host, port = self.origin.split(":")
        self.write("default.vcl", f'vcl 4.1;\nbackend default {{ .host = "{host}"; '
                                  f'.port = "{port}"; }}\n')

    def command(self):
        return [self.binary, "-F", "-j", "none", "-a", self.address, "-f", self.path("default.vcl"),
                "-n", self.path("varnish"), "-p", "default_ttl=0", "-p", "default_grace=0", "-p",
                "default_keep=3600", "-s", "malloc,64M", "-S", "none"]


class TrafficServerCache(Cache):
    """On a file of its own, with what was used last in memory."""

    title = "Traffic Server"
    modes = ("reverse", "forward")
    programs = ("traffic_server",)
    asking = ("-V",)
    end_signal = signal.SIGKILL  # it leaves nothing behind
    modules = "/usr/lib/trafficserver/modules"

    FOLDERS = {"prefix": "", "exec_prefix": "", "bindir": "bin", "sbindir": "bin",
               "sysconfdir": "etc", "datadir": "share", "includedir": "include", "libdir": "lib",
               "libexecdir": "modules", "localstatedir": "var", "runtimedir": "run",
               "logdir": "log", "mandir": "man", "infodir": "info", "cachedir": "cache"}
    SETTINGS = (
        ("http.cache.http", "INT 1"),
        ("http.cache.required_headers", "INT 2"),
        ("http.cache.when_to_revalidate", "INT 0"),
        ("http.cache.ignore_client_cc_max_age", "INT 1"),
        ("http.cache.cache_responses_to_cookies", "INT 1"),
        ("http.insert_response_via_str", "INT 0"),
        ("exec_thread.autoconfig", "INT 0"),
        ("exec_thread.limit", "INT 1"),
        ("accept_threads", "INT 0"),
        ("log.logging_enabled", "INT 0"),
        ("dns.resolv_conf", "STRING /dev/null"),
        ("url_remap.pristine_host_hdr", "INT 1"),
        ("cache.ram_cache.size", "INT 67108864"),
        ("admin.user_id", "STRING #-1"),
    )

    def prepare(self):
        for name in ("etc", "run", "log", "cache"):
            os.makedirs(self.path(name), exist_ok=True)
        self.write("runroot.yaml", "".join(f"{name}: {self.path(folder)}\n"
                                           for name, folder in self.FOLDERS.items()))
        forward = self.mode == "forward"
        settings = [*self.SETTINGS,
                    ("http.server_ports", f"STRING {self.port}:ip-in={HOST}"),
                    ("reverse_proxy.enabled", f"INT {int(not forward)}"),
                    ("url_remap.remap_required", f"INT {int(not forward)}"),
                    ("plugin.plugin_dir", f"STRING {self.modules}")]
        self.write("etc/records.config", "".join(f"CONFIG proxy.config.{name} {value}\n"
                                                 for name, value in settings))
        self.write("etc/storage.config", f"{self.path('cache')} 64M\n")
        self.write("etc/remap.config", "" if forward else f"map / http://{self.origin}/\n")
        self.write("etc/ip_allow.yaml", "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n"
                                        "    action: allow\n    methods: ALL\n")

    def command(self):
        return [self.binary, f"--run-root={self.path('runroot.yaml')}"]


class ApacheCache(Cache):
    """On disk."""

    title = "Apache"
    modes = ("reverse", "forward")
    programs = ("apache2",)
    wanted = ("mpm_event", "authz_core", "proxy", "proxy_http", "cache", "cache_disk",
              "negotiation")

    def prepare(self):
        for folder in ("cache", "files"):
            os.makedirs(self.path(folder), exist_ok=True)
        loads = "".join(f"LoadModule {name}_module {Apache.modules}/mod_{name}.so\n"
                        for name in self.wanted)
        root = os.getuid() == 0
        if root:
            shutil.chown(self.path("cache"), "www-data")
        passing = (f'ProxyPass "/" "http://{self.origin}/"\nCacheEnable disk /'
                   if self.mode == "reverse" else
                   'ProxyRequests On\nCacheEnable disk http://')
        self.write("apache.conf", f"""
ServerRoot {self.folder.name}
DefaultRuntimeDir {self.folder.name}
PidFile {self.path("apache.pid")}
Mutex file:{self.folder.name}
ErrorLog {self.path("error.log")}
ServerName apache.test
Listen {self.address}
DocumentRoot {self.path("files")}
{loads}
{"User www-data" if root else ""}
{"Group www-data" if root else ""}
StartServers 1
MaxRequestWorkers 200
ThreadsPerChild 100
{passing}
CacheRoot {self.path("cache")}
CacheDirLevels 5
CacheDirLength 3
CacheDefaultExpire 0
CacheIgnoreNoLastMod On
CacheStoreExpired On
CacheStoreNoStore Off
CacheNegotiatedDocs On
CacheHeader On
CacheDetailHeader On
""")

    def command(self):
        return [self.binary, "-f", self.path("apache.conf"), "-D", "FOREGROUND"]


CACHES = (NginxCache, SquidCache, VarnishCache, TrafficServerCache, ApacheCache)
