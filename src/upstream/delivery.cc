#include "upstream/delivery.h"

#include <algorithm>
#include <utility>

#include "async/sleep.h"
#include "message/challenge.h"
#include "message/status.h"
#include "upstream/back_off.h"
#include "upstream/unavailable.h"

namespace penstock {
namespace {

// Nobody is helped by more, whatever the configuration says.
constexpr int kMaxAttempts = 20;

}  // namespace

bool carries_login(const RequestHead& request) {
  if (!request.fields.has(FieldId::authorization)) return false;
  return std::ranges::any_of(request.fields, [](const Field& field) {
    return field.id == FieldId::authorization && is_connection_bound(scheme_of(field.value));
  });
}

Task<Result<void>> Delivery::run(const Destination& destination, const ServerRequest& request,
                                 ReplayBody& body, const Address* client) {
  destination_ = &destination;
  request_ = &request;
  body_ = &body;
  choice_ = {.request = request.head, .client = client, .cookie = destination.cookie};
  carries_login_ = carries_login(*request.head);
  if (destination.group != nullptr) destination.group->count_request();
  bool fresh = false;
  while (true) {
    ++attempts_;
    const auto answered = co_await attempt(fresh);
    note(answered);
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

Task<Result<void>> Delivery::attempt(bool fresh) {
  const auto acquired = co_await acquire(fresh);
  if (!acquired) co_return acquired;
  step_ = DeliveryStep::exchange;
  owner_->on_acquired(*lease_, choice_.hop.get());
  response_ = ResponseHead{};
  co_return co_await lease_->exchange(*request_, response_, *this);
}

Task<Result<void>> Delivery::connect(const Destination& destination, const RequestHead& request,
                                     const Address* client) {
  destination_ = &destination;
  choice_ = {.request = &request, .client = client};
  ++attempts_;
  const auto acquired = co_await acquire(true);
  if (acquired) owner_->on_acquired(*lease_, choice_.hop.get());
  co_return acquired;
}

Task<Result<void>> Delivery::acquire(bool fresh) {
  step_ = DeliveryStep::acquire;
  // A new connection is asked for by who knows that there is no login, or has no use for it.
  if (!fresh && pins_ != nullptr && !pins_->empty()) {
    const auto pinned = take_pinned();
    if (!pinned) co_return fail(pinned.error());
    if (*pinned) co_return Result<void>{};
  }
  ServerGroup* const group = destination_->group;
  if (group == nullptr) co_return co_await acquire_target(fresh);
  if (auto idle = fresh ? std::nullopt : group->take_idle(choice_)) {
    lease_.emplace(std::move(*idle));
    co_return Result<void>{};
  }
  auto lease = co_await group->acquire(choice_, fresh);
  if (!lease) {
    if (!choice_.hop) step_ = DeliveryStep::resolve;
    co_return fail(lease.error());
  }
  lease_.emplace(std::move(*lease));
  co_return Result<void>{};
}

// True when there is one: it alone will do. Where there was one, the client has to log in again.
Result<bool> Delivery::take_pinned() {
  auto taken = pins_->take(destination_->name);
  pinned_ = taken.connection != nullptr || taken.lost;
  if (taken.lost) {
    return fail({.kind = ErrorKind::unavailable,
                 .side = Side::server,
                 .cause = static_cast<int>(Unavailable::login_lost)});
  }
  if (!pinned_) return false;
  lease_.emplace(side_->pool(), std::move(taken.connection), true);
  choice_.hop = std::move(taken.hop);
  choice_.bound = true;
  if (choice_.hop) destination_->group->count_load(*lease_);
  return true;
}

Task<Result<void>> Delivery::acquire_target(bool fresh) {
  step_ = DeliveryStep::resolve;
  const auto addresses = co_await owner_->target_addresses();
  if (!addresses) co_return fail(addresses.error());
  step_ = DeliveryStep::acquire;
  auto lease = co_await side_->pool().acquire_target(*addresses, fresh);
  if (!lease) co_return fail(lease.error());
  lease_.emplace(std::move(*lease));
  co_return Result<void>{};
}

// What it says of the server's health.
void Delivery::note(const Result<void>& outcome) {
  if (!choice_.hop) return;
  const bool failed = !outcome && outcome.error().side == Side::server &&
                      outcome.error().kind != ErrorKind::cancelled &&
                      outcome.error().kind != ErrorKind::unavailable;
  if (!outcome && !failed) return;
  // A server may close an idle connection whenever it likes.
  if (failed && lease_ && lease_->reused() && !lease_->response_started()) return;
  const bool bad_response = outcome && response_.status >= 500;
  choice_.hop->share->noted(failed, bad_response, side_->pool().executor().now());
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
    // All addresses of a target have been tried; a group may have other servers.
    const bool others = destination_->group != nullptr && destination_->group->hops().size() > 1;
    return step_ == DeliveryStep::acquire && error.kind != ErrorKind::cancelled && others &&
           policy().on_connect && allowed_to_retry();
  }
  if (lease_->response_started() || !may_send_again()) return false;
  if (!error.retryable && !is_idempotent(request_->head->method)) return false;
  const bool ended = error.kind == ErrorKind::closed || error.kind == ErrorKind::reset;
  // An idle connection that had died, or was about to, is no fault of the request or the server.
  if (ended && lease_->reused()) return true;
  if (ended) return policy().on_closed && allowed_to_retry();
  return error.kind == ErrorKind::timed_out && policy().on_timeout && allowed_to_retry();
}

bool Delivery::may_retry_status() {
  const auto& statuses = policy().on_status;
  return !statuses.empty() && std::ranges::find(statuses, response_.status) != statuses.end() &&
         may_send_again() && is_idempotent(request_->head->method) && allowed_to_retry();
}

bool Delivery::may_send_again() const {
  return !pinned_ && !informed_ && body_->can_rewind() && attempts_ < kMaxAttempts;
}

// By number, and by the group's budget and breaker.
bool Delivery::allowed_to_retry() {
  if (retries_ >= policy().count) return false;
  ServerGroup* const group = destination_->group;
  if (group != nullptr && !retry_counted_) {
    if (!group->may_retry()) return false;
    retry_counted_ = true;
  }
  ++retries_;
  return true;
}

Task<Result<void>> Delivery::prepare_retry(bool broken) {
  const bool stale = broken && lease_ && lease_->reused();
  if (choice_.hop && !stale) choice_.avoid_hop();
  if (lease_) {
    bytes_sent_ += lease_->bytes_sent();
    co_await lease_->settle(Settlement::close);
    lease_.reset();
  }
  if (body_ != nullptr) body_->rewind();
  if (retries_ < 2) co_return Result<void>{};
  const Duration wait = back_off(policy().back_off, policy().max_back_off, retries_ - 2,
                                 side_->random());
  if (co_await sleep_until(side_->pool().executor().now() + wait)) co_return Result<void>{};
  co_return fail({.kind = ErrorKind::cancelled, .side = Side::client});
}

bool Delivery::login_ended() const {
  if (!pinned_ && !carries_login_) return false;
  return !lease_ || !lease_->persists();
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
    pins_->keep(destination_->name, std::move(kept), choice_.hop);
  } else {
    pins_->lose(destination_->name);
  }
  co_return reason;
}

Task<Result<void>> Delivery::on_informational(ResponseHead& head) {
  informed_ = true;
  return owner_->on_informational(head);
}

}  // namespace penstock
