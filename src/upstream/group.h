// A group of servers that serve the same thing, and whose turn it is.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/error.h"
#include "net/network.h"
#include "upstream/pool.h"
#include "upstream/settings.h"

namespace penstock {

// Addresses for ServerPool::acquire(). The span is into `owned`, or into the group it is of.
struct Candidates {
  AddressList owned;
  std::span<const Address> addresses;
  AcquireOrder order = AcquireOrder::in_order;

  // The first one has failed: the next try is for the others, if there are any.
  void pass_over_first() {
    if (addresses.size() > 1) addresses = addresses.subspan(1);
  }
};

// Round robin over the servers of a group: each call starts with the next server, the others follow
// as a way out when that one can't be connected to. Belongs to one thread.
class ServerGroup {
 public:
  // The settings were checked: every server is "host[:port]", "[v6]:port" or "unix:/path".
  explicit ServerGroup(const UpstreamGroupSettings& settings);

  [[nodiscard]] const std::string& name() const { return name_; }
  // Passes the turn on, and gives the servers in the order to try. Suspends only where names have
  // to be resolved; then fails if none of them can be.
  Task<Result<Candidates>> candidates(Network& network, TimePoint deadline);
  // What Host names the server whose turn it was in the last call of candidates(): as configured,
  // "localhost" for a unix socket.
  [[nodiscard]] std::string_view turn_name() const;

 private:
  struct Server {
    std::string text;
    std::string host;  // a name to resolve; empty when there is an address already
    std::uint16_t port = 80;
  };
  Task<Result<Candidates>> resolve_all(Network& network, TimePoint deadline);

  std::string name_;
  std::vector<Server> servers_;
  // Twice over, so that every rotation is a span; empty when some server has to be resolved.
  AddressList doubled_;
  std::size_t turn_ = 0;
};

}  // namespace penstock
