// The proxy under test, as the simulation sees it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "net/address.h"
#include "sim/network.h"
#include "sim/world.h"

namespace penstock::simulation {

// Runs in the world from its making to its end.
class Proxy {
 public:
  virtual ~Proxy() = default;
  // Where it takes connections.
  [[nodiscard]] virtual Address address() const = 0;
  // Lets go of everything: no task of it runs when the world has become idle after that.
  virtual void stop() = 0;
  // Tasks that have not ended.
  [[nodiscard]] virtual std::size_t running() const = 0;
};

// A reverse proxy before these origins, which all serve the same; it listens and connects through
// `network`. Null while there is none in this build: clients then talk to the origins directly.
[[nodiscard]] std::unique_ptr<Proxy> make_proxy(SimWorld& world, SimNetwork& network,
                                                const std::vector<Address>& origins);

}  // namespace penstock::simulation
