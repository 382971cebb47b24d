// Which versions of HTTP are spoken on the two sides of the proxy, and what connections begin with:
// drawn at random.
#pragma once

#include <ostream>
#include <string>

#include "base/random.h"
#include "tests/simulation_client.h"
#include "tests/simulation_origin.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {

// Which versions are spoken.
struct Versions {
  const char* name = "";
  double http2_clients = 0;  // probability, of each client
  bool http2_origins = false;

  friend void PrintTo(const Versions& versions, std::ostream* out) { *out << versions.name; }
};

struct Protocols {
  Versions versions;
  // What goes before HTTP.
  ProxyHeader client_header = ProxyHeader::none;
  ProxyHeader origin_header = ProxyHeader::none;
  bool client_tls = false;
  bool origin_tls = false;
  bool negotiated = false;  // by ALPN, what is spoken to origins
  http2::Settings to_clients = {};
  http2::Settings to_origins = {};
  Duration client_idle = ServerSettings().client_idle;
  bool patient = false;  // the proxy, with peers that are only slow
  enum class Ending : std::uint8_t { none, gentle, abrupt } worker_ends = Ending::none;

  [[nodiscard]] std::string text() const;  // for people
};

// `through_proxy`: there is one between clients and origins. `reliable`: nothing that an honest
// client of HTTP/1 may lose a request by.
[[nodiscard]] Protocols draw_protocols(Random random, const Versions& versions, bool through_proxy,
                                       bool reliable);

// Sets the three parties up for it.
void apply(const Protocols& protocols, ClientOptions& clients);
void apply(const Protocols& protocols, OriginOptions& origins);
void apply(const Protocols& protocols, ProxyOptions& proxy);

}  // namespace penstock::simulation
