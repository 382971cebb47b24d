// The server connections of one worker: idle ones kept for reuse, new ones opened.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "async/timer.h"
#include "base/error.h"
#include "net/network.h"
#include "upstream/lease.h"
#include "upstream/server_connection.h"
#include "upstream/settings.h"

namespace penstock {

// In which order acquire() uses its addresses.
enum class AcquireOrder : std::uint8_t {
  any_idle_first,  // they all mean the same server: an idle connection to any is as good
  in_order,        // they are different servers, the first one is meant
};

// Keeps idle connections by address, the most recently used on top, so that few connections do the
// work and the rest grow old and are closed. Belongs to one thread; no locks.
class ServerPool final : private ServerConnection::Watcher, private Timer {
 public:
  // Settings and network must outlive it.
  ServerPool(Network& network, const UpstreamSettings& settings);
  ~ServerPool() override;
  ServerPool(const ServerPool&) = delete;
  ServerPool& operator=(const ServerPool&) = delete;

  // A connection to one of the addresses (not empty, valid until done): an idle one, else a new
  // one, trying each address in turn. `fresh`: no idle one, for a retry after an idle one had died.
  // Errors are of side `server` and retryable; the last address's is returned.
  Task<Result<Lease>> acquire(std::span<const Address> addresses, AcquireOrder order, bool fresh);

  // Idle connections kept at present.
  [[nodiscard]] std::size_t idle_count() const { return idle_count_; }
  [[nodiscard]] const UpstreamSettings& settings() const { return *settings_; }
  [[nodiscard]] Executor& executor() { return network_->executor(); }
  // Closes all idle connections, and those that are given back from now on.
  void close_idle();

 private:
  friend class Lease;
  using Stack = std::vector<std::unique_ptr<ServerConnection>>;

  std::unique_ptr<ServerConnection> take_idle(const Address& address);
  Task<Result<Lease>> open(const Address& address);
  // False when there is no room; then the connection is closed.
  bool keep(std::unique_ptr<ServerConnection> connection);
  void on_idle_connection_dead() override;
  void on_timer() override;
  void sweep();

  Network* network_;
  const UpstreamSettings* settings_;
  std::unordered_map<Address, Stack, AddressHash> idle_;
  std::size_t idle_count_ = 0;
  bool closing_ = false;
};

}  // namespace penstock
