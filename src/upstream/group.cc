#include "upstream/group.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "async/wait.h"
#include "upstream/choice_key.h"
#include "upstream/slow_start.h"
#include "upstream/sticky.h"
#include "upstream/unavailable.h"

namespace penstock {
namespace {

// Retries a second that a worker may make whatever the budget.
constexpr std::uint32_t kLeastRetries = 5;
// A percentile of response times is not worked out for each request.
constexpr Duration kDelayHolds = std::chrono::milliseconds(200);
// Who waits looks again now and then, called or not: servers also come back by the clock alone,
// when their ejection ends, and go without making room.
constexpr Duration kLookAgain = std::chrono::milliseconds(500);
// So often a request waits for a connection that is opened for several; if others were given all of
// it each time, or it ended at once, one is opened for the request alone.
constexpr int kMaxSharedOpenings = 8;

}  // namespace

// Also closes an idle connection where somebody else has more use for its place.
class ServerGroup::Room final : public WaitingRoom {
 public:
  explicit Room(ServerGroup& group) : WaitingRoom(group.share()), group_(&group) {}
  void on_room_wanted() override {
    for (const auto& hop : group_->hops_) {
      if (hop->share->full() || group_->share_->full()) group_->pool_->close_oldest(*hop->share);
    }
  }

 private:
  ServerGroup* group_;
};

ServerGroup::ServerGroup(GroupShare& share, ServerPool& pool, std::uint64_t seed)
    : share_(&share),
      pool_(&pool),
      settings_(&share.settings()),
      balancer_(settings_->balance, seed),
      random_(seed),
      budget_(settings_->retry.budget / 100.0, kLeastRetries),
      room_(std::make_shared<Room>(*this)) {
  if (settings_->hedge.percentile > 0) latency_ = std::make_unique<LatencyHistogram>();
  share.join(pool.network(), room_);
  for (const ServerEntry& entry : settings_->servers) {
    hops_.push_back(std::make_shared<NextHop>(entry, share));
  }
  members_changed();
}

ServerGroup::~ServerGroup() {
  share_->leave(pool_->network());
  for (const auto& hop : hops_) pool_->retire(*hop->endpoint);
}

void ServerGroup::members_changed() {
  members_.resize(hops_.size());
  std::vector<MemberIdentity> identities;
  needs_resolving_ = !settings_->service.empty();
  for (const auto& hop : hops_) {
    identities.push_back({.text = hop->share->identity(), .weight = hop->entry.weight});
    if (!hop->endpoint->linked()) pool_->adopt(*hop->endpoint, *room_);
    hop->sticky_id = make_sticky_id(make_hash_key(settings_->name), hop->share->identity());
    needs_resolving_ = needs_resolving_ || !hop->host.empty();
  }
  balancer_.set_members(identities);
  const bool any = std::ranges::any_of(hops_, [](const auto& hop) { return hop->has_addresses(); });
  if (any || !needs_resolving_) {
    resolved_.set();
  } else {
    resolved_.reset();
  }
}

std::shared_ptr<NextHop> ServerGroup::hop_of(const HopShare* server) const {
  const auto at =
      std::ranges::find_if(hops_, [&](const auto& hop) { return hop->share.get() == server; });
  return at != hops_.end() ? *at : nullptr;
}

bool ServerGroup::in_service(const NextHop& hop, TimePoint now) const {
  return hop.has_addresses() && hop.share->available(now);
}

// Its connections begin with a header that names the request's client.
bool ServerGroup::names_client(const Choice& choice) const {
  return settings_->proxy_header != ProxyHeader::none && choice.client != nullptr;
}

bool ServerGroup::has_room(const Choice& choice, const NextHop& hop) const {
  if (!hop.share->full() && !share_->full()) return true;
  const Endpoint* endpoint = hop.endpoint.get();
  std::shared_ptr<Endpoint> own;
  if (names_client(choice)) {
    own = choice.own != nullptr ? choice.own->find(*hop.share) : nullptr;
    endpoint = own.get();
  }
  if (endpoint == nullptr) return false;
  if (endpoint->idle_count() > 0) return true;
  return endpoint->session_count() > 0 && !choice.http1 &&
         endpoint->session_with_room(pool_->executor().now()) != nullptr;
}

// The servers or the backups, as the balancer is to see them; how many of them are in service.
std::size_t ServerGroup::fill_members(const Choice& choice, TimePoint now, bool backups) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < hops_.size(); ++i) {
    const NextHop& hop = *hops_[i];
    Member& member = members_[i];
    const bool serves = hop.entry.backup == backups && !hop.entry.drain && in_service(hop, now);
    member.available = serves && has_room(choice, hop);
    member.weight = slow_start_weight(hop.entry.weight, hop.share->available_since(), now,
                                      settings_->slow_start);
    member.load = hop.share->requests();
    count += serves ? 1 : 0;
  }
  return count;
}

std::optional<std::size_t> ServerGroup::pick(const Choice& choice) {
  const TimePoint now = pool_->executor().now();
  if (hops_.size() == 1) {
    const NextHop& only = *hops_.front();
    serving_ = !only.entry.drain && in_service(only, now) ? 1 : 0;
    return serving_ == 1 && has_room(choice, only) ? std::optional<std::size_t>(0) : std::nullopt;
  }
  serving_ = fill_members(choice, now, false);
  if (serving_ == 0) serving_ = fill_members(choice, now, true);
  if (serving_ == 0) return std::nullopt;
  std::array<std::uint32_t, Choice::kMaxTried> tried;
  std::size_t count = 0;
  for (const auto& hop : choice.tried) {
    const auto at = std::ranges::find(hops_, hop);
    if (at != hops_.end()) tried[count++] = static_cast<std::uint32_t>(at - hops_.begin());
  }
  return balancer_.pick(members_, choice.key, random_, std::span(tried).first(count));
}

std::uint64_t ServerGroup::key_of(const RequestHead& request, const Address* client) const {
  if (settings_->balance.algorithm != Balance::hash) return 0;
  return choice_key(settings_->balance, request, client);
}

std::uint64_t ServerGroup::key_of(std::string_view host, const Address& client) const {
  if (settings_->balance.algorithm != Balance::hash) return 0;
  return choice_key(settings_->balance, host, client);
}

// A client that has a server's cookie gets that server, though it takes no others any more.
bool ServerGroup::choose_bound(Choice& choice) {
  if (choice.cookie.empty()) return false;
  const auto at = std::ranges::find_if(
      hops_, [&](const auto& hop) { return text_of(hop->sticky_id) == choice.cookie; });
  if (at == hops_.end() || !in_service(**at, pool_->executor().now())) return false;
  if (std::ranges::find(choice.tried, *at) != choice.tried.end()) return false;
  choice.hop = *at;
  choice.by_cookie = true;
  return true;
}

// Unlike one that the client is bound to, it is not waited for.
bool ServerGroup::choose_preferred(Choice& choice) {
  const auto at = std::ranges::find_if(
      hops_, [&](const auto& hop) { return hop->entry.address == choice.server; });
  if (at == hops_.end() || !in_service(**at, pool_->executor().now())) return false;
  if (std::ranges::find(choice.tried, *at) != choice.tried.end()) return false;
  if (!has_room(choice, **at)) return false;
  choice.hop = *at;
  return true;
}

bool ServerGroup::choose(Choice& choice) {
  choice.hop = nullptr;
  choice.by_cookie = false;
  if (!choice.server.empty() && choose_preferred(choice)) return true;
  if (!settings_->sticky_cookie.empty() && choose_bound(choice))
    return has_room(choice, *choice.hop);
  const auto index = pick(choice);
  if (index) choice.hop = hops_[*index];
  return index.has_value();
}

std::optional<Lease> ServerGroup::take_idle(Choice& choice) {
  if (!choose(choice)) return std::nullopt;
  const bool common = choice.tunnel == nullptr && !names_client(choice);
  auto lease = take_from(common ? *choice.hop->endpoint : *endpoint_of(choice), choice, false);
  if (lease) count_load(*lease);
  return lease;
}

// `fresh`: no idle one of HTTP/1, which may have died unnoticed.
std::optional<Lease> ServerGroup::take_from(Endpoint& endpoint, const Choice& choice, bool fresh) {
  if (choice.only_new) return std::nullopt;
  if (fresh) return choice.http1 ? std::nullopt : pool_->take_stream(endpoint);
  return choice.http1 ? pool_->take_idle_http1(endpoint) : pool_->take_idle(endpoint);
}

// Whether it may be given a connection that others are given as well.
bool ServerGroup::shares(const Endpoint& endpoint, const Choice& choice) const {
  if (choice.only_new || choice.http1 || pool_->closing()) return false;
  return endpoint.shares() && (!names_client(choice) || choice.own != nullptr);
}

// A connection is being opened that is likely to have room for one request more; the first one
// begins that. False: there is no place for a connection.
bool ServerGroup::is_opening(const std::shared_ptr<Endpoint>& endpoint) {
  if (endpoint->worth_waiting()) return true;
  if (!endpoint->share()->open_connection()) return false;
  pool_->begin_opening(endpoint, ConnectionPlace(endpoint->share()));
  return true;
}

// One of the client's own.
std::shared_ptr<Endpoint> ServerGroup::own_endpoint(const Choice& choice) {
  const std::shared_ptr<NextHop>& hop = choice.hop;
  auto endpoint = choice.own != nullptr ? choice.own->find(*hop->share) : nullptr;
  if (!endpoint) {
    Passage passage = hop->endpoint->passage();
    passage.preamble = proxy_preamble(settings_->proxy_header, *choice.client);
    endpoint = std::make_shared<Endpoint>(settings_->pool, hop->share, std::move(passage));
    if (choice.own != nullptr) {
      choice.own->add(endpoint);
    } else {
      endpoint->retire();  // its one connection is not kept
    }
  }
  endpoint->set_addresses(hop->endpoint->addresses());
  return endpoint;
}

// Of a tunnel through the server, there is an endpoint for each target.
std::shared_ptr<Endpoint> ServerGroup::endpoint_of(const Choice& choice) {
  const std::shared_ptr<NextHop>& hop = choice.hop;
  if (choice.tunnel == nullptr) return names_client(choice) ? own_endpoint(choice) : hop->endpoint;
  const TunnelThrough& tunnel = *choice.tunnel;
  const TargetKey key{.through = hop->share.get(),
                      .name = fmt::format("{}:{}", tunnel.host, tunnel.port),
                      .tls = tunnel.tls.get()};
  const bool own = tunnel.refusal != nullptr;
  auto endpoint = own ? nullptr : pool_->find_target(key);
  if (!endpoint) {
    Passage passage = hop->endpoint->passage();
    passage.to_proxy = false;
    passage.tunnel_peer = tunnel.peer;
    passage.tunnel_host = tunnel.host;
    passage.tunnel_port = tunnel.port;
    passage.tunnel_tls = tunnel.tls;
    passage.client_login = tunnel.client_login;
    passage.refusal = tunnel.refusal;
    endpoint = std::make_shared<Endpoint>(settings_->pool, hop->share, std::move(passage));
    if (!own) pool_->add_target(key, endpoint);
  }
  endpoint->set_addresses(hop->endpoint->addresses());
  return endpoint;
}

void ServerGroup::count_load(Lease& lease) const {
  const Balance algorithm = settings_->balance.algorithm;
  if (algorithm == Balance::least_connections || algorithm == Balance::two_choices) {
    lease.count_load();
  }
}

Task<Result<Lease>> ServerGroup::acquire(Choice& choice, bool fresh) {
  Executor& executor = pool_->executor();
  if (!resolved_.is_set()) {
    const TimePoint limit = deadline_after(executor.now(), pool_->settings().connect);
    const auto waited = co_await wait_until(resolved_, limit);
    if (!waited) co_return fail(waited.error().at(Side::server));
  }
  const TimePoint deadline = deadline_after(executor.now(), settings_->queue.timeout);
  std::optional<WaitingRoom::Seat> seat;
  std::shared_ptr<Endpoint> endpoint;
  int shared_openings = 0;
  while (true) {
    const bool chosen = (choice.hop != nullptr && !choice.by_cookie) || choose(choice);
    if (chosen) endpoint = endpoint_of(choice);
    auto idle = chosen ? take_from(*endpoint, choice, fresh) : std::nullopt;
    if (idle) {
      count_load(*idle);
      co_return std::move(*idle);
    }
    if (chosen && shares(*endpoint, choice) && shared_openings < kMaxSharedOpenings) {
      if (is_opening(endpoint)) {
        ++shared_openings;
        seat.reset();
        const auto opened = co_await endpoint->wait_for_opening();
        if (!opened) co_return fail(opened.error());
        fresh = false;  // what it has left idle is new
        continue;
      }
    } else if (chosen && choice.hop->share->open_connection()) {
      break;
    }
    if (!chosen && !choice.by_cookie && serving_ == 0) co_return fail(why_none());
    if (seat) {
      const HopShare* const wanted = choice.by_cookie ? choice.hop->share.get() : nullptr;
      const TimePoint limit = std::min(deadline, executor.now() + kLookAgain);
      const auto called = co_await seat->wait(wanted, limit);
      const bool late = !called && called.error().kind == ErrorKind::timed_out;
      if (!called && !late) co_return fail(called.error());
      if (late && executor.now() >= deadline) {
        co_return fail(unavailable_error(Unavailable::queue_timeout));
      }
      // What became idle meanwhile has just been in use.
      if (called && !choice.only_new) fresh = false;
    } else {
      // After this, places that become free are told of: so it is looked once more.
      seat.emplace(*room_);
      if (!seat->taken()) co_return fail(unavailable_error(Unavailable::queue_full));
      share_->tell_room_wanted();
    }
    choice.hop = nullptr;
  }
  seat.reset();
  const bool http1 = choice.http1 || choice.only_new;
  auto opened =
      co_await pool_->open(std::move(endpoint), ConnectionPlace(choice.hop->share), http1);
  if (opened) count_load(*opened);
  co_return opened;
}

// No server is in service: for want of an address, or because none works.
Error ServerGroup::why_none() const {
  for (const auto& hop : hops_) {
    if (hop->has_addresses()) return unavailable_error(Unavailable::no_server);
  }
  return hops_.empty() ? resolve_error_ : hops_.front()->resolve_error;
}

void ServerGroup::note_latency(TimePoint sent) {
  const TimePoint now = pool_->executor().now();
  if (latency_) latency_->add(now - sent, now);
}

std::optional<Duration> ServerGroup::hedge_delay() {
  if (!latency_ || hops_.size() < 2) return std::nullopt;
  const TimePoint now = pool_->executor().now();
  if (now >= hedge_delay_until_) {
    hedge_delay_ = latency_->percentile(settings_->hedge.percentile / 100.0, now);
    if (hedge_delay_) hedge_delay_ = std::max(*hedge_delay_, settings_->hedge.least);
    hedge_delay_until_ = now + kDelayHolds;
  }
  return hedge_delay_;
}

bool ServerGroup::may_retry(bool first) {
  if (first && !share_->begin_retry()) return false;
  if (budget_.withdraw(pool_->executor().now())) return true;
  if (first) share_->end_retry();
  return false;
}

std::string_view ServerGroup::affinity_cookie(const Choice& choice, bool secure,
                                              Arena& arena) const {
  if (settings_->sticky_cookie.empty() || choice.by_cookie || !choice.hop) return {};
  return set_cookie_value(
      arena,
      {.name = settings_->sticky_cookie, .id = text_of(choice.hop->sticky_id), .secure = secure});
}

std::string_view ServerGroup::take_cookie(RequestHead& request) const {
  if (settings_->sticky_cookie.empty()) return {};
  const std::string_view value =
      find_cookie(request.fields, settings_->sticky_cookie).value_or(std::string_view());
  remove_cookie(request.fields, settings_->sticky_cookie);
  return value;
}

}  // namespace penstock
