#include "upstream/delivery.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "async/sleep.h"
#include "base/back_off.h"
#include "message/challenge.h"
#include "message/status.h"
#include "upstream/peer_failure.h"
#include "upstream/unavailable.h"

namespace penstock {
namespace {

// Nobody is helped by more, whatever the configuration says.
constexpr int kMaxAttempts = 20;

// A peer that works, whatever it had against the request.
bool is_answer_of_peer(const Error& error) {
  const PeerFailure answer = peer_failure_of(error);
  return answer != PeerFailure::none && answer != PeerFailure::malformed_answer;
}

}  // namespace

bool carries_login(const RequestHead& request) {
  if (!request.fields.has(FieldId::authorization)) return false;
  return std::ranges::any_of(request.fields, [](const Field& field) {
    return field.id == FieldId::authorization && is_connection_bound(scheme_of(field.value));
  });
}

Task<Result<void>> Delivery::run(const Destination& destination, const ServerRequest& request,
                                 ReplayBody& body) {
  destination_ = &destination;
  request_ = &request;
  body_ = &body;
  choice_ = {.cookie = destination.cookie,
             .key = destination.key,
             .server = destination.server,
             .client = destination.client,
             .own = destination.own};
  pin_name_ = destination.name;
  carries_login_ = carries_login(*request.head);
  choice_.http1 = may_fall_back() && needs_http1();
  body.keep_up_to(policy().body);
  if (destination.group != nullptr) destination.group->count_request();
  bool fresh = false;
  while (true) {
    ++attempts_;
    Result<void> answered{};
    if (const auto hedge = hedge_delay()) {
      answered = co_await attempt_with_hedge(*hedge);
    } else {
      if (!take_idle(fresh)) answered = co_await acquire(fresh);
      if (answered && lease_->http2() && !can_serve(*lease_)) answered = co_await fall_back();
      if (answered) {
        const TimePoint begun = begin_exchange();
        answered = co_await lease_->exchange(*request_, response_, *this);
        if (answered && destination.group != nullptr) destination.group->note_latency(begun);
      }
    }
    note(choice_, lease_ ? &*lease_ : nullptr, answered, response_.status);
    if (answered && (response_.status == 401 || response_.status == 407)) {
      const auto again = co_await log_in_again();
      if (!again) co_return fail(again.error());
      if (*again) continue;
    }
    const bool again = answered ? may_retry_status() : may_retry(answered.error());
    if (!again) {
      body.forget();
      co_return answered;
    }
    const auto ready = co_await prepare_retry(!answered);
    if (!ready) co_return ready;
    // An idle connection that had died may have others like it.
    fresh = true;
  }
}

// The last things to be done with the request. When that is.
TimePoint Delivery::begin_exchange() {
  step_ = DeliveryStep::exchange;
  owner_->on_acquired(*lease_, choice_.hop.get());
  add_logins(*lease_, choice_);
  response_ = ResponseHead{};
  return side_->pool().executor().now();
}

// HTTP/2 has no logins of connections (RFC 9113 section 8.6: its requests are mixed), and of
// upgrades only that to a WebSocket (RFC 8441).
bool Delivery::needs_http1() const {
  const bool upgrade = request_->head->fields.has(FieldId::upgrade);
  return carries_login_ || (upgrade && !asks_for_websocket(*request_->head));
}

// The servers of the group can be asked for HTTP/1.1 as well.
bool Delivery::may_fall_back() const {
  ServerGroup* const group = destination_->group;
  return group != nullptr && group->share().http() == HttpChoice::negotiate;
}

// `lease`: of HTTP/2.
bool Delivery::can_serve(const Lease& lease) const {
  if (needs_http1()) return false;
  return !request_->head->fields.has(FieldId::upgrade) || lease.takes_websockets();
}

// A connection of HTTP/1.1 takes the place of the one of HTTP/2.
Task<Result<void>> Delivery::fall_back() {
  lease_.reset();
  if (!may_fall_back()) co_return fail(unavailable_error(Unavailable::needs_http1));
  choice_.http1 = true;
  co_return co_await acquire(false);
}

// The usual way, without having to wait for anything.
bool Delivery::take_idle(bool fresh) {
  ServerGroup* const group = destination_->group;
  if (fresh || group == nullptr || (pins_ != nullptr && !pins_->empty())) return false;
  if (choice_.hop) return false;  // a challenge is answered to whom it came from
  auto idle = group->take_idle(choice_);
  if (idle) lease_.emplace(std::move(*idle));
  return idle.has_value();
}

Task<Result<void>> Delivery::connect(const Destination& destination) {
  destination_ = &destination;
  choice_ = {.cookie = destination.cookie,
             .key = destination.key,
             .server = destination.server,
             .only_new = true,
             .client = destination.client,
             .own = nullptr};
  tunnelled_ = true;
  while (true) {
    ++attempts_;
    const auto acquired = co_await acquire(true);
    note(choice_, nullptr, acquired, 0);
    if (acquired) owner_->on_acquired(*lease_, choice_.hop.get());
    if (acquired || !may_retry(acquired.error())) co_return acquired;
    const auto ready = co_await prepare_retry(true);
    if (!ready) co_return ready;
  }
}

Task<Result<void>> Delivery::acquire(bool fresh) {
  step_ = DeliveryStep::acquire;
  if (!tunnelled_ && pins_ != nullptr && !pins_->empty()) {
    const auto pinned = take_pinned(destination_->name);
    if (!pinned) co_return fail(pinned.error());
    if (*pinned) co_return Result<void>{};
  }
  if (destination_->group != nullptr) co_return co_await acquire_from(*destination_->group, fresh);
  if (destination_->via.empty()) co_return co_await acquire_target(fresh);
  co_return co_await acquire_via(fresh);
}

Task<Result<void>> Delivery::acquire_from(ServerGroup& group, bool fresh) {
  if (!choice_.hop && !fresh) {
    if (auto idle = group.take_idle(choice_)) {
      lease_.emplace(std::move(*idle));
      co_return Result<void>{};
    }
  }
  auto lease = co_await group.acquire(choice_, fresh);
  if (!lease) {
    if (!choice_.hop) step_ = DeliveryStep::resolve;
    co_return fail(lease.error());
  }
  lease_.emplace(std::move(*lease));
  co_return Result<void>{};
}

// True when there is one: it alone will do. Where there was one, the client has to log in again.
Result<bool> Delivery::take_pinned(std::string_view name) {
  bool lost = false;
  auto connection = pins_->take(name, lost);
  pinned_ = connection != nullptr || lost;
  if (pinned_) pin_name_ = name;
  if (lost) return fail(unavailable_error(Unavailable::login_lost));
  if (!connection) return false;
  lease_.emplace(side_->pool(), std::move(connection), true);
  if (!destination_->via.empty() && !find_way_of_lease()) {
    lease_.reset();
    return fail(unavailable_error(Unavailable::login_lost));
  }
  if (destination_->group != nullptr) {
    choice_.hop = destination_->group->hop_of(lease_->server());
    choice_.by_cookie = true;  // or as good as that: the client needs none to get there
    destination_->group->count_load(*lease_);
  }
  return true;
}

// Which of the ways a pinned connection goes: a login is only for the peer it is meant for.
bool Delivery::find_way_of_lease() {
  const HopShare* const server = lease_->server();
  for (std::size_t i = 0; i < destination_->via.size(); ++i) {
    Peer* const peer = destination_->via[i];
    const bool leads_there =
        peer != nullptr ? peer->group().hop_of(server) != nullptr : server == nullptr;
    if (!leads_there) continue;
    via_ = i;
    return true;
  }
  return false;
}

Task<Result<void>> Delivery::acquire_target(bool fresh) {
  step_ = DeliveryStep::resolve;
  choice_.hop = nullptr;
  const auto addresses = co_await owner_->target_addresses();
  if (!addresses) co_return fail(addresses.error());
  step_ = DeliveryStep::acquire;
  const TargetTls tls{.context = side_->target_tls(), .name = destination_->host};
  const bool secure = destination_->secure && !tunnelled_;
  auto lease = co_await side_->pool().acquire_target(*addresses, fresh, secure ? &tls : nullptr);
  if (!lease) co_return fail(lease.error());
  lease_.emplace(std::move(*lease));
  co_return Result<void>{};
}

Peer* Delivery::peer() const {
  return via_ < destination_->via.size() ? destination_->via[via_] : nullptr;
}

Task<Result<void>> Delivery::acquire_via(bool fresh) {
  while (true) {
    step_ = DeliveryStep::acquire;
    // What the peer before would have been sent, or kept for, is not for this one.
    carries_login_ = request_ != nullptr && carries_login(*request_->head);
    pin_name_ = destination_->name;
    Peer* const through = peer();
    const Result<void> acquired = through != nullptr ? co_await acquire_through(*through, fresh)
                                                     : co_await acquire_target(fresh);
    if (acquired || !may_go_on_to_next(acquired.error())) co_return acquired;
    note(choice_, nullptr, acquired, 0);
    ++via_;
  }
}

// TLS inside a tunnel failed: the target's, not the peer's.
bool Delivery::is_targets_tls(const Choice& choice, const Error& error) {
  const bool tls = error.kind == ErrorKind::tls_protocol ||
                   error.kind == ErrorKind::tls_certificate || error.kind == ErrorKind::tls_alert;
  return tls && choice.tunnel != nullptr && choice.tunnel->tls != nullptr;
}

// Not where a peer has an answer: what it forbids is not to be had by another way, and what the
// target did, it would do again.
bool Delivery::may_go_on_to_next(const Error& error) const {
  if (via_ + 1 >= destination_->via.size() || error.side != Side::server) return false;
  if (error.kind == ErrorKind::cancelled || error.kind == ErrorKind::denied) return false;
  if (is_targets_tls(choice_, error)) return false;
  return !is_answer_of_peer(error);
}

Task<Result<void>> Delivery::acquire_through(Peer& peer, bool fresh) {
  choice_.hop = nullptr;
  choice_.tunnel = nullptr;
  const bool pass_login = peer.settings().pass_login;
  const bool by_tunnel = tunnelled_ || destination_->secure || destination_->only_tunnel;
  if (by_tunnel || !peer.takes_requests()) {
    tunnel_ = std::make_unique<TunnelThrough>();
    tunnel_->peer = &peer;
    tunnel_->host = destination_->host;
    tunnel_->port = destination_->port;
    if (destination_->secure && !tunnelled_) tunnel_->tls = side_->target_tls();
    if (tunnelled_ && pass_login) {
      tunnel_->client_login = destination_->peer_login;
      tunnel_->refusal = &response_;
    }
    choice_.tunnel = tunnel_.get();
  } else if (pass_login) {
    if (pins_ != nullptr) {
      const auto pinned = take_pinned(peer.pin_name());
      if (!pinned) co_return fail(pinned.error());
      if (*pinned) co_return Result<void>{};
    }
    // Without pins such a connection is closed afterwards.
    if (is_connection_bound(scheme_of(destination_->peer_login))) {
      carries_login_ = true;
      pin_name_ = peer.pin_name();
    }
  }
  co_return co_await acquire_from(peer.group(), fresh);
}

// What it says of the server's health. `lease`: what it was tried on; null: there was none.
void Delivery::note(const Choice& choice, Lease* lease, const Result<void>& outcome, int status) {
  if (!choice.hop) return;
  const bool failed = !outcome && is_fault_of_server(choice, lease, outcome.error());
  if (!outcome && !failed) return;
  HopShare& server = *choice.hop->share;
  const TimePoint now = side_->pool().executor().now();
  const bool bad_response = outcome && status >= 500;
  if (!server.noted(failed, bad_response, now) || side_->pool().log() == nullptr) return;
  const auto time =
      std::chrono::duration_cast<std::chrono::milliseconds>(server.ejected_until() - now);
  side_->pool().log()->warning("{}: {} is left alone for {} ms: {}", server.group().settings().name,
                               server.identity(), time.count(),
                               failed ? to_string(outcome.error().kind) : "error responses");
}

bool Delivery::is_fault_of_server(const Choice& choice, Lease* lease, const Error& error) {
  if (error.side != Side::server || is_answer_of_peer(error)) return false;
  if (error.kind == ErrorKind::cancelled || error.kind == ErrorKind::unavailable) return false;
  // Through a peer it may be the target that did not answer in time, or has no proper TLS.
  if (choice.tunnel != nullptr && error.kind == ErrorKind::timed_out) return false;
  if (is_targets_tls(choice, error)) return false;
  return lease == nullptr || lease->blames_server();
}

const RetrySettings& Delivery::policy() const {
  return destination_->group != nullptr ? destination_->group->settings().retry
                                        : side_->settings().target_retry;
}

// RFC 9110 section 9.2.2: again only where the server can't have acted on the request, or acting
// twice is the same as once; and only while the client has seen nothing and the body is at hand.
bool Delivery::may_retry(const Error& error) {
  if (error.side != Side::server || error.kind == ErrorKind::unavailable) return false;
  if (!lease_) {
    // All addresses of a target, and all peers, have been tried; a group may have other servers.
    const bool others = destination_->group != nullptr && destination_->group->hops().size() > 1;
    // Turning to another server puts no load on this one: the budget is not asked.
    return step_ == DeliveryStep::acquire && error.kind != ErrorKind::cancelled && others &&
           policy().on_connect && retries_++ < policy().count;
  }
  if (lease_->response_started() || !may_send_again()) return false;
  if (!error.retryable && !is_idempotent(request_->head->method)) return false;
  const bool ended = error.kind == ErrorKind::closed || error.kind == ErrorKind::reset;
  if (ended && lease_->wants_http1()) {
    choice_.http1 = may_fall_back();
    return choice_.http1;
  }
  // An idle connection that had died, or was about to, is no fault of the request or the server.
  if (ended && lease_->was_stale()) return true;
  if (ended) return policy().on_closed && allowed_to_retry();
  return error.kind == ErrorKind::timed_out && policy().on_timeout && allowed_to_retry();
}

bool Delivery::may_retry_status() {
  const auto& statuses = policy().on_status;
  return !statuses.empty() && std::ranges::find(statuses, response_.status) != statuses.end() &&
         may_send_again() && is_idempotent(request_->head->method) && allowed_to_retry();
}

// While the body is still being sent, more of it may be taken than can be kept.
bool Delivery::may_send_again() const {
  if (lease_ && lease_->uploading()) return false;
  return !pinned_ && !informed_ && body_->can_rewind() && attempts_ < kMaxAttempts;
}

// By number, and by the group's budget and breaker.
bool Delivery::allowed_to_retry() {
  if (retries_ >= policy().count) return false;
  ServerGroup* const group = destination_->group;
  if (group != nullptr) {
    if (!group->may_retry(!retry_counted_)) return false;
    retry_counted_ = true;
  }
  ++retries_;
  return true;
}

Task<Result<void>> Delivery::prepare_retry(bool broken) {
  const bool stale = broken && lease_ && lease_->was_stale();
  if (choice_.hop && !stale) choice_.avoid_hop();
  if (!stale && via_ + 1 < destination_->via.size()) ++via_;
  if (lease_) {
    bytes_sent_ += lease_->bytes_sent();
    co_await lease_->settle(Settlement::close);
    lease_.reset();
  }
  if (body_ != nullptr) body_->rewind();
  if (retries_ < 2) co_return Result<void>{};
  const Duration wait =
      back_off(policy().back_off, policy().max_back_off, retries_ - 2, side_->random());
  if (co_await sleep_until(side_->pool().executor().now() + wait)) co_return Result<void>{};
  co_return fail({.kind = ErrorKind::cancelled, .side = Side::client});
}

std::string_view Delivery::place() const {
  if (destination_ == nullptr) return {};
  if (destination_->group != nullptr) return destination_->group->name();
  return peer() != nullptr ? std::string_view(peer()->name()) : std::string_view();
}

bool Delivery::login_ended() const {
  if (!pinned_ && !carries_login_) return false;
  return !lease_ || !lease_->persists();
}

Lease Delivery::take_lease() {
  Lease lease = std::move(*lease_);
  lease_.reset();
  return lease;
}

Task<CloseReason> Delivery::settle(bool reusable) {
  if (retry_counted_) destination_->group->end_retry();
  retry_counted_ = false;
  if (!lease_) co_return CloseReason::not_opened;
  bytes_sent_ += lease_->bytes_sent();
  const bool bound = pinned_ || carries_login_;
  if (!bound || pins_ == nullptr) {
    const Settlement how = reusable && !bound ? Settlement::reuse : Settlement::close;
    co_return co_await lease_->settle(how);
  }
  std::unique_ptr<ServerConnection> kept;
  const CloseReason reason =
      co_await lease_->settle(reusable ? Settlement::pin : Settlement::close, &kept);
  if (kept) {
    pins_->keep(pin_name_, std::move(kept));
  } else {
    pins_->lose(pin_name_);
  }
  co_return reason;
}

Task<Result<void>> Delivery::on_informational(ResponseHead& head) {
  informed_ = true;
  return owner_->on_informational(head);
}

}  // namespace penstock
