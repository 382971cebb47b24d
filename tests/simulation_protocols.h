// Which versions of HTTP are spoken on the two sides of the proxy, and what connections begin with:
// drawn at random.
#pragma once

#include <string>

#include "base/random.h"
#include "tests/simulation_client.h"
#include "tests/simulation_origin.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {

struct Protocols {
  double http2_clients = 0;  // probability, of each client
  bool http2_origins = false;
  // What goes before HTTP.
  ProxyHeader client_header = ProxyHeader::none;
  ProxyHeader origin_header = ProxyHeader::none;
  bool client_tls = false;
  bool origin_tls = false;
  http2::Settings to_clients = {};
  http2::Settings to_origins = {};

  [[nodiscard]] std::string text() const;  // for people
};

// HTTP/2 at least on one side. With nothing between clients and origins both speak the same.
[[nodiscard]] Protocols draw_protocols(Random random, bool through_proxy);

// Sets the three parties up for it.
void apply(const Protocols& protocols, ClientOptions& clients);
void apply(const Protocols& protocols, OriginOptions& origins);
void apply(const Protocols& protocols, ProxyOptions& proxy);

}  // namespace penstock::simulation
