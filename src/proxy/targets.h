// Which servers a forward proxy may connect to.
#pragma once

#include <string>
#include <vector>

#include "net/address.h"
#include "proxy/failure.h"
#include "proxy/settings.h"
#include "server/exchange.h"

namespace penstock {

// The proxy's own addresses: what it listens on, and what the machine's interfaces have.
class OwnAddresses {
 public:
  OwnAddresses() = default;
  // `listening`: the local addresses of all listeners. Asks the system for its interfaces once.
  explicit OwnAddresses(std::vector<Address> listening);
  // True when a connection to `target` would reach one of our listeners.
  [[nodiscard]] bool reaches_us(const Address& target) const;

 private:
  std::vector<Address> listening_;
  std::vector<Address> interfaces_;
};

// Takes from the resolved addresses those that may not be reached: our own (a loop), and local ones
// where the listener is open to others (see ForwardSettings). None when some are left.
[[nodiscard]] std::optional<Failure> filter_targets(AddressList& addresses, const OwnAddresses& own,
                                                    const ForwardSettings& settings,
                                                    const ClientInfo& client);

}  // namespace penstock
