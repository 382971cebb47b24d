// What configuration sets in this room: how names are resolved.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"

namespace penstock {

struct DnsSettings {
  // Name servers: "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:53"; none: those of
  // /etc/resolv.conf, whose search list and options hold in any case.
  std::vector<std::string> servers;
  Duration timeout = std::chrono::seconds(2);  // of the first try; doubled from round to round
  unsigned tries = 3;                          // of each name server

  // Bounds to the time to live that an answer comes with.
  Duration min_ttl = std::chrono::seconds(1);
  Duration max_ttl = std::chrono::hours(1);
  // How long it is remembered that a name has no address where its zone does not say (RFC 2308
  // section 5), and that the name servers failed to answer (RFC 9520).
  Duration negative_ttl = std::chrono::seconds(5);
  // How long past its time an answer goes on being used while the name servers do not answer or
  // answer with a failure (RFC 8767); 0: not at all. Nothing is lost by it: the servers are asked
  // all the same, and without it the request would fail.
  Duration stale = std::chrono::hours(1);

  // For each worker.
  std::size_t max_names = 10'000;     // names remembered; the one unused for longest goes first
  std::size_t max_questions = 2'000;  // asked at a time

  // Names and their addresses (IP literals), like curl's --resolve: these are never asked for. A
  // name with an empty list has no address.
  std::vector<std::pair<std::string, std::vector<std::string>>> hosts;
  bool hosts_file = true;  // /etc/hosts comes next, before the name servers
};

}  // namespace penstock
