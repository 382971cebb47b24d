// What configuration sets in this room: routes, what a forward proxy may reach, what is added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapt/edit_settings.h"
#include "adapt/settings.h"
#include "base/time.h"
#include "cache/settings.h"

namespace penstock {

enum class HostPolicy : std::uint8_t { keep, server, set };

// What a client has shown of itself in its TLS handshake.
enum class ClientProof : std::uint8_t { any, certificate, none };

// A [[route]]: the first that matches takes the request (reverse listeners), or the connection (tcp
// listeners, where `host` is the name asked for by SNI).
struct RouteSettings {
  std::string name;                    // for conditions of filters; may be empty
  std::vector<std::string> listeners;  // names of listeners it is for; empty: all
  ClientProof client = ClientProof::any;
  std::string host = "*";  // exact, "*.example.com" for all below, "*" for all; case-insensitive
  std::string path = "/";  // prefix
  std::string to;          // name of an upstream group
  // For forward listeners, in place of `to`: names of peers, and "direct" for none, to be tried in
  // this order, or in one that depends on the host (rendezvous hashing).
  std::vector<std::string> via;
  bool via_by_host = false;
  HostPolicy host_policy = HostPolicy::keep;  // `host_header`: "keep", "server", or "set:NAME"
  std::string host_value;                     // for `set`
  FieldEdits request;
  FieldEdits response;
};

struct ForwardSettings {
  std::vector<std::uint16_t> connect_ports = {443};
  // Whether loopback, link-local and unspecified addresses may be reached. `automatic`: only
  // through listeners bound to loopback or a unix socket.
  enum class PrivateTargets : std::uint8_t { automatic, allow, deny };
  PrivateTargets local_targets = PrivateTargets::automatic;
};

// A [[cache_rule]]: what holds for the requests, and responses, that meet its conditions.
struct CacheRuleSettings {
  FilterConditions conditions;
  CacheRule rule;
};

struct ProxySettings {
  std::string name = "penstock";  // pseudonym in Via and Proxy-Status; see docs for loop detection
  bool x_forwarded = true;        // reverse: X-Forwarded-For, -Proto, -Host
  bool forwarded = false;         // reverse: Forwarded (RFC 7239)
  std::uint64_t max_body = 0;     // bytes of a request body, 0: unlimited (413 above)
  Duration tunnel_idle = std::chrono::seconds(3600);  // no byte in either direction
  std::vector<RouteSettings> routes;
  ForwardSettings forward;
  std::vector<CacheRuleSettings> cache_rules;
};

}  // namespace penstock
