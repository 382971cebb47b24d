// A group of servers that serve the same thing, as one worker sees it.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "async/event.h"
#include "async/scope.h"
#include "async/task.h"
#include "base/error.h"
#include "base/random.h"
#include "message/head.h"
#include "net/network.h"
#include "upstream/balancer.h"
#include "upstream/hop_share.h"
#include "upstream/latency.h"
#include "upstream/next_hop.h"
#include "upstream/own_endpoints.h"
#include "upstream/pool.h"
#include "upstream/retry_budget.h"
#include "upstream/room.h"
#include "upstream/settings.h"

namespace penstock {

class Peer;

// A tunnel through a peer.
struct TunnelThrough {
  Peer* peer = nullptr;
  std::string_view host;  // of the target
  std::uint16_t port = 0;
  std::shared_ptr<const TlsClientContext> tls = {};  // to the target, inside the tunnel
  // See Passage.
  std::string_view client_login = {};
  ResponseHead* refusal = nullptr;
};

// What a server is chosen by, and those that were tried before. What it points to must stay as long
// as the delivery of its request.
struct Choice {
  std::string_view cookie = {};  // ServerGroup::take_cookie(): binds the client to a server
  std::uint64_t key = 0;         // ServerGroup::key_of() of the request as it came
  std::string_view server = {};  // to be preferred, as it stands in the configuration
  // The server of the last choice; null before.
  std::shared_ptr<NextHop> hop = {};
  bool by_cookie = false;  // the request's cookie chose it
  bool only_new = false;   // a connection that has served others will not do, nor one of HTTP/2
  bool http1 = false;      // one of HTTP/2 will not do
  // See Destination.
  const ProxyHeaderFields* client = nullptr;
  OwnEndpoints* own = nullptr;

  // The connection is to be a tunnel through the server, which is a peer; null: to the server.
  const TunnelThrough* tunnel = nullptr;

  // It failed this request: the others come first from now on.
  void avoid_hop() {
    if (tried.size() < kMaxTried) tried.push_back(std::move(hop));
    hop = nullptr;
  }
  static constexpr std::size_t kMaxTried = 8;
  std::vector<std::shared_ptr<NextHop>, PoolAllocator<std::shared_ptr<NextHop>>> tried = {};
};

// Chooses servers by the group's algorithm among those that are in service, waits where all are at
// their bounds, and keeps their names resolved. Belongs to one thread.
class ServerGroup final {
 public:
  // Both must outlive it. Groups of other workers should have other seeds, so that they do not take
  // turns in step.
  ServerGroup(GroupShare& share, ServerPool& pool, std::uint64_t seed);
  ~ServerGroup();
  ServerGroup(const ServerGroup&) = delete;
  ServerGroup& operator=(const ServerGroup&) = delete;

  [[nodiscard]] const std::string& name() const { return settings_->name; }
  [[nodiscard]] const UpstreamGroupSettings& settings() const { return *settings_; }
  [[nodiscard]] GroupShare& share() { return *share_; }
  // The servers at present; those that records name may change with every turn of the loop.
  [[nodiscard]] std::span<const std::shared_ptr<NextHop>> hops() const { return hops_; }

  // The one that shares that with other threads; null when it is none of them any more.
  [[nodiscard]] std::shared_ptr<NextHop> hop_of(const HopShare* server) const;

  // Resolves names, and goes on doing so, in the scope; keeps spare connections, and checks the
  // servers if `checks`, where that is configured.
  void start(Scope& scope, bool checks);

  // An idle connection to the server whose turn it is. Empty if there is none: then acquire() goes
  // on with the server that was chosen.
  [[nodiscard]] std::optional<Lease> take_idle(Choice& choice);
  // A connection to a server, an idle one unless `fresh`. Suspends while it connects, while all
  // servers are at their bounds (up to the queue's time), and until a name is resolved at first.
  // Errors are of side `server` and retryable: those of resolving and of connecting, and
  // `unavailable` with an Unavailable as cause.
  Task<Result<Lease>> acquire(Choice& choice, bool fresh);

  // What the choice by hash depends on; 0 where that is not the algorithm. To be asked before the
  // request's fields are edited.
  [[nodiscard]] std::uint64_t key_of(const RequestHead& request, const Address* client) const;
  // The same of a connection whose bytes nobody understands: by the host it is for, if that is
  // known and to be gone by, else by the client.
  [[nodiscard]] std::uint64_t key_of(std::string_view host, const Address& client) const;

  // For the budget of retries: a request has come; one may be tried again, which counts among the
  // retries under way from the `first` time up to end_retry().
  void count_request() { budget_.deposit(pool_->executor().now()); }
  [[nodiscard]] bool may_retry(bool first);
  void end_retry() { share_->end_retry(); }

  // Counts the request under way among the server's, where the algorithm goes by that.
  void count_load(Lease& lease) const;
  // A request that was sent at that time has been answered now.
  void note_latency(TimePoint sent);
  [[nodiscard]] bool hedges() const { return latency_ != nullptr; }
  // After how long a request is slow enough for a second try beside it; none: never, or it is not
  // known yet.
  [[nodiscard]] std::optional<Duration> hedge_delay();

  // The value of Set-Cookie that binds a client to that server, empty if there is no need. Lives as
  // long as the arena.
  [[nodiscard]] std::string_view affinity_cookie(const Choice& choice, bool secure,
                                                 Arena& arena) const;
  // Takes the group's cookie out of a request: it is none of the server's business. Its value, for
  // Choice; empty if there was none. Lives as long as the request.
  std::string_view take_cookie(RequestHead& request) const;

 private:
  class Room;

  // False: there is none that could take a request at present.
  bool choose(Choice& choice);
  bool choose_bound(Choice& choice);
  bool choose_preferred(Choice& choice);
  std::optional<std::size_t> pick(const Choice& choice);
  std::size_t fill_members(const Choice& choice, TimePoint now, bool backups);
  [[nodiscard]] bool in_service(const NextHop& hop, TimePoint now) const;
  [[nodiscard]] bool has_room(const Choice& choice, const NextHop& hop) const;
  void members_changed();

  [[nodiscard]] bool names_client(const Choice& choice) const;
  std::shared_ptr<Endpoint> endpoint_of(const Choice& choice);
  std::shared_ptr<Endpoint> own_endpoint(const Choice& choice);
  std::optional<Lease> take_from(Endpoint& endpoint, const Choice& choice, bool fresh);
  [[nodiscard]] bool shares(const Endpoint& endpoint, const Choice& choice) const;
  bool is_opening(const std::shared_ptr<Endpoint>& endpoint);
  [[nodiscard]] Error why_none() const;

  // In group_upkeep.cc.
  static Task<void> keep_resolved(ServerGroup& group);
  static Task<void> resolve_name(ServerGroup& group, std::shared_ptr<NextHop> hop);
  static Task<void> keep_spare(ServerGroup& group);
  static Task<void> open_spare(ServerGroup& group, std::shared_ptr<NextHop> hop);
  static Task<void> keep_checking(ServerGroup& group);
  static Task<void> check(ServerGroup& group, std::shared_ptr<NextHop> hop, TimePoint when);
  Task<void> resolve_service();
  Task<void> set_targets(std::vector<ServiceTarget> targets);
  [[nodiscard]] TimePoint next_resolution() const;

  GroupShare* share_;
  ServerPool* pool_;
  const UpstreamGroupSettings* settings_;
  std::vector<std::shared_ptr<NextHop>> hops_;
  std::vector<Member> members_;  // of hops_, filled in for a choice
  Balancer balancer_;
  Random random_;
  RetryBudget budget_;
  std::unique_ptr<LatencyHistogram> latency_;  // where requests are hedged
  std::optional<Duration> hedge_delay_;
  TimePoint hedge_delay_until_{};
  std::shared_ptr<Room> room_;
  Event resolved_;  // set when a server has an address, or every name was asked for once
  bool needs_resolving_ = false;
  std::size_t serving_ = 0;  // servers in service at the last choice
  // Of the service's name.
  TimePoint service_at_{};
  std::uint32_t service_failures_ = 0;
  Error resolve_error_{};
};

}  // namespace penstock
