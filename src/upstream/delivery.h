// The way of one request to a server's answer: which server, which connection, again or not.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "message/close_reason.h"
#include "message/head.h"
#include "net/address.h"
#include "upstream/group.h"
#include "upstream/lease.h"
#include "upstream/peer.h"
#include "upstream/pin_store.h"
#include "upstream/replay_body.h"
#include "upstream/server_side.h"

namespace penstock {

// Where a request goes, as routing decided. What it points to must stay valid for the delivery.
struct Destination {
  ServerGroup* group = nullptr;  // one of its servers; null: the target itself
  bool secure = false;           // by TLS
  std::string_view host;         // of the target: name or address
  std::uint16_t port = 80;
  std::string_view cookie = {};  // of the group, from ServerGroup::take_cookie()
  std::uint64_t key = 0;         // of the group, from ServerGroup::key_of()
  std::string_view server = {};  // of the group: to be preferred, as configured; empty: none is
  // Peers to go to the target through, tried in this order; a null one stands for the direct way.
  // Empty: directly.
  std::span<Peer* const> via = {};
  // The client's own login for peers that take it (Proxy-Authorization); else empty.
  std::string_view peer_login = {};
  // Peers are asked for a tunnel to the target, also where they would take the request itself.
  bool only_tunnel = false;
  // Whom connections to a group with `proxy_header` name; null: nobody. They are kept in `own`;
  // null: they are not kept.
  const ProxyHeaderFields* client = nullptr;
  OwnEndpoints* own = nullptr;
  // What a login of a connection is for, so that the client's later requests find it: the group's
  // name or the target's authority.
  std::string_view name;
};

// True when the request logs its connection in, or is about to: NTLM and Negotiate authenticate the
// connection, not the request (RFC 4559 section 6).
[[nodiscard]] bool carries_login(const RequestHead& request);

// At which step a delivery failed: the same error means different things.
enum class DeliveryStep : std::uint8_t { resolve, acquire, exchange };

// Who has the request delivered.
class DeliveryOwner : public InformationalSink {
 public:
  // The addresses at which the target may be reached, in the order to try them; only for
  // destinations without a group. May suspend.
  virtual Task<Result<AddressList>> target_addresses() = 0;
  // A connection has been acquired, and the request is sent on it next: the last moment to change
  // its fields. `hop`: the server of the group, or null.
  virtual void on_acquired(const Lease& lease, const NextHop* hop) = 0;

 protected:
  ~DeliveryOwner() = default;
};

// Acquires a connection, exchanges request and response's head, and does both again where that is
// safe and configured (docs/upstreams.md has the table). Afterwards either there is a response,
// whose body is read from lease(), or an error. settle() must be called in both cases if run() was.
class Delivery final : private InformationalSink {
 public:
  // All must outlive it. `pins`: of the client connection, null where there is none to bind to.
  Delivery(ServerSide& side, DeliveryOwner& owner, PinStore* pins);
  ~Delivery();

  // Delivers. `request.body` must be `body`. Errors are of side `server`, or of side `client` where
  // the request's own body fails.
  Task<Result<void>> run(const Destination& destination, const ServerRequest& request,
                         ReplayBody& body);
  // Only a new connection, or tunnel, to the target; or a new connection to a server of the group,
  // to another one where that fails.
  Task<Result<void>> connect(const Destination& destination);

  [[nodiscard]] ResponseHead& response() { return response_; }
  // There is one after success.
  [[nodiscard]] Lease& lease() { return *lease_; }
  // After connect(), in place of settle(): the connection is the caller's, who destroys it.
  [[nodiscard]] Lease take_lease();
  // Ends it all: the connection is kept for others if `reusable` and its state allows it; one that
  // carried a login is kept for this client only. Why it was closed, or that it was kept.
  Task<CloseReason> settle(bool reusable);

  // Of a failure.
  [[nodiscard]] DeliveryStep step() const { return step_; }
  [[nodiscard]] int attempts() const { return attempts_; }
  // Bytes of the request that connections have taken, all attempts together; final after settle().
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  // The login that the client's connection stands for has ended, or ends with this response: the
  // client must not go on as if it were still logged in.
  [[nodiscard]] bool login_ended() const;
  // The group, or peer, that it was last tried with; empty for none.
  [[nodiscard]] std::string_view place() const;
  // What was chosen in the group.
  [[nodiscard]] const Choice& choice() const { return choice_; }

 private:
  bool take_idle(bool fresh);
  TimePoint begin_exchange();
  [[nodiscard]] bool needs_http1() const;
  [[nodiscard]] bool may_fall_back() const;
  [[nodiscard]] bool can_serve(const Lease& lease) const;
  Task<Result<void>> fall_back();
  Task<Result<void>> acquire(bool fresh);
  Task<Result<void>> acquire_from(ServerGroup& group, bool fresh);
  Task<Result<void>> acquire_via(bool fresh);
  Task<Result<void>> acquire_through(Peer& peer, bool fresh);
  Task<Result<void>> acquire_target(bool fresh);
  Result<bool> take_pinned(std::string_view name);
  [[nodiscard]] bool may_go_on_to_next(const Error& error) const;
  static bool is_targets_tls(const Choice& choice, const Error& error);
  bool find_way_of_lease();
  [[nodiscard]] Peer* peer() const;
  void note(const Choice& choice, Lease* lease, const Result<void>& outcome, int status);
  static bool is_fault_of_server(const Choice& choice, Lease* lease, const Error& error);
  [[nodiscard]] bool may_retry(const Error& error);
  [[nodiscard]] bool may_retry_status();
  [[nodiscard]] bool may_send_again() const;
  [[nodiscard]] bool allowed_to_retry();
  Task<Result<void>> prepare_retry(bool broken);
  [[nodiscard]] const RetrySettings& policy() const;

  // In delivery_race.cc.
  struct Rival;
  struct Race;
  [[nodiscard]] std::optional<Duration> hedge_delay() const;
  Task<Result<void>> attempt_with_hedge(Duration delay);
  static Task<void> run_rival(Delivery& delivery, Rival& rival, Event& news);
  Task<void> end_rival(Rival& rival);

  // In delivery_login.cc.
  void add_logins(const Lease& lease, const Choice& choice);
  [[nodiscard]] OriginView origin(const Choice& choice) const;
  Task<Result<bool>> log_in_again();

  Task<Result<void>> on_informational(ResponseHead& head) override;

  ServerSide* side_;
  DeliveryOwner* owner_;
  PinStore* pins_;
  const Destination* destination_ = nullptr;
  const ServerRequest* request_ = nullptr;
  ReplayBody* body_ = nullptr;
  std::size_t via_ = 0;  // of the destination's, the one that is used
  std::unique_ptr<TunnelThrough> tunnel_;
  bool tunnelled_ = false;  // the connection as such is wanted
  Choice choice_;
  // After a hedged attempt: what the lease's exchange runs in, so it goes after the lease.
  std::unique_ptr<Race> race_;
  std::optional<Lease> lease_;
  ResponseHead response_;
  DeliveryStep step_ = DeliveryStep::resolve;
  int attempts_ = 0;
  std::uint32_t retries_ = 0;   // of those that the policy bounds
  bool retry_counted_ = false;  // among the group's retries under way
  std::uint64_t bytes_sent_ = 0;
  bool informed_ = false;  // the client has seen something of an answer
  // Our login at the origin, unless the client has one of its own; and what was sent for it.
  std::shared_ptr<Authenticator> authenticator_;
  bool looked_for_login_ = false;
  bool client_logs_in_ = false;
  std::string_view sent_login_;
  std::string_view sent_peer_login_;
  int logins_ = 0;             // challenges that were met
  bool pinned_ = false;        // on the client's own connection
  std::string_view pin_name_;  // what it is kept for
  bool carries_login_ = false;
};

}  // namespace penstock
