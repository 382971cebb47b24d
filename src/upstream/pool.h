// The server connections of one worker: idle ones kept for reuse, new ones opened.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>

#include "async/timer.h"
#include "base/error.h"
#include "net/network.h"
#include "upstream/endpoint.h"
#include "upstream/lease.h"
#include "upstream/server_connection.h"
#include "upstream/settings.h"

namespace penstock {

// Keeps idle connections by endpoint, the most recently used on top, so that few connections do the
// work and the rest grow old and are closed. Belongs to one thread; no locks.
class ServerPool final : private ServerConnection::Watcher, private Timer {
 public:
  // Settings and network must outlive it.
  ServerPool(Network& network, const UpstreamSettings& settings);
  ~ServerPool() override;
  ServerPool(const ServerPool&) = delete;
  ServerPool& operator=(const ServerPool&) = delete;

  // From now on the endpoint's connections are looked after, up to retire(): closed when they are
  // of no more use. `room`: where requests wait for one.
  void adopt(Endpoint& endpoint, WaitingRoom& room);
  // The endpoint of an address that a request names; made at the first use. Valid until the caller
  // suspends, unless it is held.
  std::shared_ptr<Endpoint> target(const Address& address);

  // An idle connection to it, if there is one; empty lease otherwise.
  [[nodiscard]] std::optional<Lease> take_idle(Endpoint& endpoint);
  // A new one, to the first of the endpoint's addresses that takes it; `place` is what it takes of
  // the server's bounds. Errors are of side `server` and retryable.
  Task<Result<Lease>> open(std::shared_ptr<Endpoint> endpoint, ConnectionPlace place);
  // To one of the addresses that a request's target has (not empty, valid until done): an idle
  // connection to any, else a new one, trying each address in turn. `fresh`: no idle one, for a
  // retry after an idle one had died.
  Task<Result<Lease>> acquire_target(std::span<const Address> addresses, bool fresh);

  // Idle connections kept at present.
  [[nodiscard]] std::size_t idle_count() const { return idle_count_; }
  [[nodiscard]] const UpstreamSettings& settings() const { return *settings_; }
  [[nodiscard]] Executor& executor() { return network_->executor(); }
  [[nodiscard]] Network& network() { return *network_; }
  // No connection to it is kept any more.
  void retire(Endpoint& endpoint);
  // Closes the idle connection to that endpoint that was unused for longest.
  void close_oldest(Endpoint& endpoint) { idle_count_ -= endpoint.close_oldest(); }
  // Closes all idle connections, and those that are given back from now on.
  void close_idle();

 private:
  friend class Lease;

  // `endpoint`: null for that of the address which takes the connection.
  Task<Result<Lease>> connect(std::span<const Address> addresses,
                              std::shared_ptr<Endpoint> endpoint, ConnectionPlace place);
  // False when there is no room; then the connection is closed.
  bool keep(std::unique_ptr<ServerConnection> connection);
  void on_idle_connection_dead() override;
  void on_timer() override;
  void sweep();

  Network* network_;
  const UpstreamSettings* settings_;
  IntrusiveList<Endpoint> endpoints_;
  std::unordered_map<Address, std::shared_ptr<Endpoint>, AddressHash> targets_;
  std::size_t idle_count_ = 0;
  bool closing_ = false;
};

}  // namespace penstock
