// What configuration sets in this room: groups of servers, pools of connections, limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "http1/chunk_decoder.h"
#include "http1/head_parser.h"
#include "http2/settings.h"
#include "tls/settings.h"
#include "upstream/balance_settings.h"
#include "upstream/credential_settings.h"

namespace penstock {

// How connections to one server are kept, for each worker.
struct PoolSettings {
  Duration idle = std::chrono::seconds(60);  // how long an unused one is kept
  std::size_t max_idle = 4096;               // unused ones kept, of one server
  Duration max_age = Duration::zero();       // none older takes a request; zero: no limit
  std::uint64_t max_requests = 0;            // requests that one carries; 0: no limit
  std::size_t spare = 0;                     // unused ones that are there before they are needed
};

// One server of a group.
struct ServerEntry {
  std::string address;  // "host:port", "[::1]:80", "unix:/path"; port 80 when left out
  std::uint32_t weight = 1;
  bool backup = false;                // used when none of the others can be
  bool drain = false;                 // takes nobody but those a cookie binds to it
  std::uint32_t max_connections = 0;  // of all workers together; 0: the group's
};

// Requests that wait for a connection because servers are at their bounds.
struct QueueSettings {
  std::size_t length = 1000;  // of all workers together; more are answered with 503
  Duration timeout = std::chrono::seconds(5);
};

enum class CheckKind : std::uint8_t { none, tcp, http };
// Active health checks.
struct CheckSettings {
  CheckKind kind = CheckKind::none;
  std::string method = "GET";
  std::string path = "/";
  std::string host;                   // the Host field; empty: the server's own name
  std::vector<std::uint16_t> status;  // good ones; empty: 200 to 399
  std::string body;                   // text that a good answer contains; empty: any
  Duration interval = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(2);  // of one check as a whole
  std::uint32_t rise = 2;                      // good ones in a row that bring a server back
  std::uint32_t fall = 3;                      // bad ones in a row that take it out
};

// Passive health: servers that fail requests are left alone for a while.
struct EjectionSettings {
  std::uint32_t failures = 5;                // connections refused or broken, in a row; 0: never
  std::uint32_t responses = 0;               // 5xx responses in a row; 0: never
  Duration time = std::chrono::seconds(10);  // the first time; doubled each time again
  Duration max_time = std::chrono::minutes(5);
  std::uint32_t max_share = 50;  // per cent of a group's servers that may be out at a time
};

// Circuit breaker: bounds of a group as a whole, over all workers. 0: no bound.
struct BreakerSettings {
  std::uint32_t connections = 0;  // open ones
  std::uint32_t retries = 0;      // under way at a time
};

// When a request is tried again, where that is safe (docs/upstreams.md).
struct RetrySettings {
  std::uint32_t count = 2;  // beyond the first attempt
  bool on_connect = true;   // no connection could be made
  bool on_closed = true;    // it ended, or broke, before a response
  bool on_timeout = false;  // no response came in time
  std::vector<std::uint16_t> on_status;
  std::uint32_t budget = 20;  // per cent of the requests of the last ten seconds
  Duration back_off = std::chrono::milliseconds(25);  // before the second retry; doubled, jittered
  Duration max_back_off = std::chrono::seconds(1);
  std::uint64_t body = 64 * 1024;  // bytes of a request's body kept to be sent again
};

// A second try of a safe request beside a slow first one.
struct HedgeSettings {
  std::uint32_t percentile = 0;  // of the response times after which it is made; 0: never
  Duration least = std::chrono::milliseconds(5);  // but not sooner
};

// Which HTTP is spoken to servers.
enum class HttpChoice : std::uint8_t {
  http1,
  http2,      // always: with TLS the server has to agree (ALPN), without it is known beforehand
  negotiate,  // what the server agrees to (ALPN); HTTP/1.1 where there is no TLS
};

// A header of the PROXY protocol at the start of connections to servers.
enum class ProxyHeader : std::uint8_t { none, v1, v2 };

// An [upstream.NAME] group.
struct UpstreamGroupSettings {
  std::string name;
  std::vector<ServerEntry> servers;
  std::string service;  // SRV name that gives the servers instead; empty: none
  BalanceSettings balance = {};
  std::string sticky_cookie;  // binds a client to the server that served it first; empty: none
  Duration slow_start = Duration::zero();  // to a server's full weight after it has come back
  std::uint32_t max_connections = 0;       // of each server, all workers together; 0: no limit
  PoolSettings pool = {};
  QueueSettings queue = {};
  CheckSettings check = {};
  EjectionSettings ejection = {};
  BreakerSettings breaker = {};
  RetrySettings retry = {};
  HedgeSettings hedge = {};
  std::optional<TlsClientSettings> tls = {};  // TLS to the servers
  HttpChoice http = HttpChoice::http1;
  // With one, a connection serves no other client than the one whose addresses it names.
  ProxyHeader proxy_header = ProxyHeader::none;
};

// A [[peer]]: a proxy that requests are sent through.
enum class PeerKind : std::uint8_t {
  http,    // takes requests in absolute form, and CONNECT
  socks5,  // RFC 1928
};
struct PeerSettings {
  std::string name;
  PeerKind kind = PeerKind::http;
  std::string address;                   // "host:port"; a name is resolved again and again
  std::optional<TlsClientSettings> tls;  // TLS to the peer; http only
  std::optional<CredentialSettings> login;
  bool pass_login = false;            // the client's own login at it is passed on; http only
  std::uint32_t weight = 1;           // share of the hosts where they are hashed
  std::uint32_t max_connections = 0;  // all workers together; 0: no limit
  PoolSettings pool = {};
  QueueSettings queue = {};
  EjectionSettings ejection = {};
  CheckSettings check = {};
};

// Of all server connections.
struct UpstreamSettings {
  http1::HeadLimits response_head;
  http1::ChunkLimits response_chunks;
  http2::Settings http2;
  Duration connect = std::chrono::seconds(5);
  Duration stall = std::chrono::seconds(60);  // without a byte from or to the server
  std::size_t max_idle = 4096;                // idle connections kept by a worker, all servers
  PoolSettings targets;                       // for the targets of forward proxies
  RetrySettings target_retry;
  std::optional<TlsClientSettings> target_tls;  // where a target is to be reached by TLS
  HttpChoice target_http = HttpChoice::http1;   // of `penstock fetch`; proxies speak HTTP/1.1
  std::vector<UpstreamGroupSettings> groups;
  std::vector<PeerSettings> peers;
  std::vector<OriginCredentialSettings> credentials;
};

}  // namespace penstock
