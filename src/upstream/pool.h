// The server connections of one worker: idle ones kept for reuse, new ones opened.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "async/scope.h"
#include "async/timer.h"
#include "base/error.h"
#include "base/log.h"
#include "net/network.h"
#include "upstream/endpoint.h"
#include "upstream/lease.h"
#include "upstream/server_connection.h"
#include "upstream/settings.h"

namespace penstock {

// What tells apart the endpoints that requests name.
struct TargetKey {
  Address address = {};               // connected to; unspecified where it is that of a peer
  const HopShare* through = nullptr;  // the peer
  std::string name = {};              // what a peer, or TLS, is told; else empty
  const TlsClientContext* tls = nullptr;

  friend bool operator==(const TargetKey&, const TargetKey&) = default;
};
struct TargetKeyHash {
  std::size_t operator()(const TargetKey& key) const;
};

// TLS to a target.
struct TargetTls {
  std::shared_ptr<const TlsClientContext> context;
  std::string_view name;
};

// Keeps idle connections by endpoint, the most recently used on top, so that few connections do the
// work and the rest grow old and are closed. Belongs to one thread; no locks.
class ServerPool final : private ServerConnection::Watcher, private Timer {
 public:
  // All must outlive it. `log`: where it is told what happens to servers; null: nowhere.
  ServerPool(Network& network, const UpstreamSettings& settings, Log* log = nullptr);
  ~ServerPool() override;
  ServerPool(const ServerPool&) = delete;
  ServerPool& operator=(const ServerPool&) = delete;

  // From now on the endpoint's connections are looked after, up to retire(): closed when they are
  // of no more use. `room`: where requests wait for one.
  void adopt(Endpoint& endpoint, WaitingRoom& room);
  // The same of one whose connections are of no use to those who wait.
  void adopt(Endpoint& endpoint) { endpoints_.push_back(endpoint); }
  // An endpoint that requests name; null where there is none yet.
  [[nodiscard]] std::shared_ptr<Endpoint> find_target(const TargetKey& key) const;
  void add_target(const TargetKey& key, const std::shared_ptr<Endpoint>& endpoint);

  // An idle connection to it, or a place on one of HTTP/2, if there is one; empty lease otherwise.
  [[nodiscard]] std::optional<Lease> take_idle(Endpoint& endpoint);
  // Only a connection of HTTP/1; only a place on one of HTTP/2.
  [[nodiscard]] std::optional<Lease> take_idle_http1(Endpoint& endpoint);
  [[nodiscard]] std::optional<Lease> take_stream(Endpoint& endpoint);
  // A new one, to the first of the endpoint's addresses that takes it; `place` is what it takes of
  // the server's bounds. One of HTTP/2 is shared with others from keep_unused() on. `http1`: none
  // of HTTP/2 will do. Errors are of side `server` and retryable.
  Task<Result<Lease>> open(std::shared_ptr<Endpoint> endpoint, ConnectionPlace place,
                           bool http1 = false);
  // The same beside the requests, for whoever waits in Endpoint::wait_for_opening().
  void begin_opening(const std::shared_ptr<Endpoint>& endpoint, ConnectionPlace place);
  // To one of the addresses that a request's target has (not empty, valid until done): an idle
  // connection to any, else a new one, trying each address in turn. `fresh`: no idle one, for a
  // retry after an idle one had died. `tls`: null for none.
  Task<Result<Lease>> acquire_target(std::span<const Address> addresses, bool fresh,
                                     const TargetTls* tls = nullptr);

  // close_idle() was called.
  [[nodiscard]] bool closing() const { return closing_; }
  // Idle connections kept at present.
  [[nodiscard]] std::size_t idle_count() const { return idle_count_; }
  [[nodiscard]] const UpstreamSettings& settings() const { return *settings_; }
  [[nodiscard]] Executor& executor() { return network_->executor(); }
  [[nodiscard]] Network& network() { return *network_; }
  [[nodiscard]] Log* log() { return log_; }
  // No connection to it is kept any more.
  void retire(Endpoint& endpoint);
  // Closes an idle connection to that server.
  void close_oldest(const HopShare& server);
  // Closes all idle connections, and those that are given back from now on.
  void close_idle();
  // The same, and breaks off connections of HTTP/2 that are still in use. To be awaited before it
  // is destroyed, if HTTP/2 was spoken.
  Task<void> stop();

 private:
  friend class Lease;

  std::shared_ptr<Endpoint> target(const Address& address, const TargetTls* tls);
  [[nodiscard]] Passage passage_of(const TargetTls* tls) const;
  Task<Result<OpenedPassage>> go(std::span<const Address> addresses, const Passage& passage,
                                 bool http1);
  static Task<void> open_for_all(ServerPool& pool, std::shared_ptr<Endpoint> endpoint,
                                 ConnectionPlace place);
  Task<Result<Lease>> open_session(OpenedPassage opened, Address address,
                                   std::shared_ptr<Endpoint> endpoint, ConnectionPlace place);
  Lease lease_new(OpenedPassage opened, const Address& address, std::shared_ptr<Endpoint> endpoint,
                  ConnectionPlace place);
  // False when there is no room; then the connection is closed.
  bool keep(std::unique_ptr<ServerConnection> connection);
  void on_idle_connection_dead() override;
  void on_timer() override;
  void sweep();

  Network* network_;
  const UpstreamSettings* settings_;
  Log* log_;
  IntrusiveList<Endpoint> endpoints_;
  std::unordered_map<TargetKey, std::shared_ptr<Endpoint>, TargetKeyHash> targets_;
  std::size_t idle_count_ = 0;
  bool closing_ = false;
  Scope sessions_;  // the work of connections of HTTP/2
};

}  // namespace penstock
