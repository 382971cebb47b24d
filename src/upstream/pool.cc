#include "upstream/pool.h"

#include <algorithm>
#include <utility>

#include "upstream/http2_call.h"
#include "upstream/http2_session.h"

namespace penstock {
namespace {
constexpr Duration kSweepEvery = std::chrono::seconds(1);
// Targets without connections are forgotten beyond so many.
constexpr std::size_t kTargetsKept = 64;

TargetKey target_key(const Address& address, const TargetTls* tls) {
  if (tls == nullptr) return {.address = address};
  return {.address = address, .name = std::string(tls->name), .tls = tls->context.get()};
}

}  // namespace

ServerPool::ServerPool(Network& network, const UpstreamSettings& settings, Log* log)
    : network_(&network), settings_(&settings), log_(log), sessions_(network.executor()) {}

// An endpoint and its idle connections hold each other.
ServerPool::~ServerPool() { close_idle(); }

std::size_t TargetKeyHash::operator()(const TargetKey& key) const {
  std::size_t hash = key.address.hash();
  if (!key.name.empty()) hash ^= std::hash<std::string>{}(key.name) * 31;
  return hash ^ std::hash<const void*>{}(key.through) ^ std::hash<const void*>{}(key.tls);
}

Passage ServerPool::passage_of(const TargetTls* tls) const {
  const HttpChoice http = settings_->target_http;
  if (tls == nullptr) {
    return {.http = http == HttpChoice::http2 ? HttpChoice::http2 : HttpChoice::http1};
  }
  return {.tls = tls->context, .tls_name = std::string(tls->name), .http = http};
}

std::shared_ptr<Endpoint> ServerPool::find_target(const TargetKey& key) const {
  const auto found = targets_.find(key);
  return found != targets_.end() ? found->second : nullptr;
}

void ServerPool::add_target(const TargetKey& key, const std::shared_ptr<Endpoint>& endpoint) {
  targets_[key] = endpoint;
  endpoints_.push_back(*endpoint);
  if (!armed()) executor().timers().arm(*this, executor().now() + kSweepEvery);
}

std::shared_ptr<Endpoint> ServerPool::target(const Address& address, const TargetTls* tls) {
  const TargetKey key = target_key(address, tls);
  auto endpoint = find_target(key);
  if (endpoint) return endpoint;
  endpoint = std::make_shared<Endpoint>(settings_->targets, nullptr, passage_of(tls));
  endpoint->set_addresses({address});
  add_target(key, endpoint);
  return endpoint;
}

std::optional<Lease> ServerPool::take_idle(Endpoint& endpoint) {
  if (endpoint.session_count() > 0) {
    if (auto lease = take_stream(endpoint)) return lease;
  }
  return take_idle_http1(endpoint);
}

std::optional<Lease> ServerPool::take_stream(Endpoint& endpoint) {
  auto session = endpoint.session_with_room(executor().now());
  if (!session) return std::nullopt;
  return Lease(*this, std::make_unique<Http2Call>(std::move(session), *settings_));
}

std::optional<Lease> ServerPool::take_idle_http1(Endpoint& endpoint) {
  const std::size_t before = endpoint.idle_count();
  auto connection = endpoint.take_idle(executor().now());
  idle_count_ -= before - endpoint.idle_count();
  if (!connection) return std::nullopt;
  return Lease(*this, std::move(connection), true);
}

Task<Result<Lease>> ServerPool::open(std::shared_ptr<Endpoint> endpoint, ConnectionPlace place,
                                     bool http1) {
  // A copy: names may be resolved anew meanwhile.
  const AddressList addresses = endpoint->addresses();
  auto opened = co_await go(addresses, endpoint->passage(), http1);
  if (!opened) co_return fail(opened.error());
  const Address& address = addresses[opened->index];
  if (opened->http2) {
    co_return co_await open_session(std::move(*opened), address, std::move(endpoint),
                                    std::move(place));
  }
  co_return lease_new(std::move(*opened), address, std::move(endpoint), std::move(place));
}

// Until it is known that HTTP/2 is spoken at the other end, too.
Task<Result<Lease>> ServerPool::open_session(OpenedPassage opened, Address address,
                                             std::shared_ptr<Endpoint> endpoint,
                                             ConnectionPlace place) {
  auto session =
      std::make_shared<Http2Session>(std::move(opened.stream), std::move(opened.input), address,
                                     std::move(endpoint), std::move(place), executor(), *settings_);
  sessions_.spawn(Http2Session::run(session));
  Lease lease(*this, std::make_unique<Http2Call>(session, *settings_));
  const TimePoint deadline = deadline_after(executor().now(), settings_->connect);
  const auto ready = co_await session->ready(deadline);
  if (!ready) co_return fail(ready.error());
  co_return std::move(lease);
}

Task<Result<Lease>> ServerPool::acquire_target(std::span<const Address> addresses, bool fresh,
                                               const TargetTls* tls) {
  for (const Address& address : fresh ? std::span<const Address>() : addresses) {
    const auto found = targets_.find(target_key(address, tls));
    if (found == targets_.end()) continue;
    if (auto idle = take_idle(*found->second)) co_return std::move(*idle);
  }
  const Passage passage = passage_of(tls);
  auto opened = co_await go(addresses, passage, false);
  if (!opened) co_return fail(opened.error());
  const Address& address = addresses[opened->index];
  if (!opened->http2) {
    co_return lease_new(std::move(*opened), address, target(address, tls), ConnectionPlace());
  }
  auto lease =
      co_await open_session(std::move(*opened), address, target(address, tls), ConnectionPlace());
  if (lease) lease->share();
  co_return std::move(lease);
}

Task<Result<OpenedPassage>> ServerPool::go(std::span<const Address> addresses,
                                           const Passage& passage, bool http1) {
  const PassageLimits limits{.deadline = deadline_after(executor().now(), settings_->connect),
                             .head = settings_->response_head,
                             .http1 = http1};
  co_return co_await open_passage(*network_, addresses, passage, limits);
}

Lease ServerPool::lease_new(OpenedPassage opened, const Address& address,
                            std::shared_ptr<Endpoint> endpoint, ConnectionPlace place) {
  auto connection =
      std::make_unique<ServerConnection>(std::move(opened.stream), std::move(opened.input), address,
                                         std::move(endpoint), std::move(place), executor().now());
  return Lease(*this, std::move(connection), false);
}

// Not by the requests themselves, which may be given up while others wait for the same.
void ServerPool::begin_opening(const std::shared_ptr<Endpoint>& endpoint, ConnectionPlace place) {
  endpoint->begin_opening();
  sessions_.spawn(open_for_all(*this, endpoint, std::move(place)));
}

Task<void> ServerPool::open_for_all(ServerPool& pool, std::shared_ptr<Endpoint> endpoint,
                                    ConnectionPlace place) {
  auto opened = co_await pool.open(endpoint, std::move(place));
  if (opened) {
    endpoint->note_version(opened->http2());
    if (opened->http2()) endpoint->note_room(opened->room());
    opened->keep_unused();
  }
  endpoint->end_opening(opened ? Result<void>{} : fail(opened.error()));
}

bool ServerPool::keep(std::unique_ptr<ServerConnection> connection) {
  if (closing_ || idle_count_ >= settings_->max_idle) return false;
  Endpoint& endpoint = connection->endpoint();
  if (!endpoint.may_stay(executor().now())) return false;
  if (!endpoint.keep(std::move(connection), executor().now(), *this)) return false;
  ++idle_count_;
  if (!armed()) executor().timers().arm(*this, executor().now() + kSweepEvery);
  return true;
}

// Its descriptor is given back soon: a server waits for our half of the close.
void ServerPool::on_idle_connection_dead() { executor().timers().arm(*this, executor().now()); }

void ServerPool::on_timer() {
  sweep();
  if (idle_count_ > 0) executor().timers().arm(*this, executor().now() + kSweepEvery);
}

void ServerPool::sweep() {
  const TimePoint now = executor().now();
  endpoints_.for_each([&](Endpoint& endpoint) {
    idle_count_ -= closing_ ? endpoint.close_all() : endpoint.sweep(now);
  });
  // Targets in use are worth keeping; those of many one-time requests are not.
  if (targets_.size() <= kTargetsKept + idle_count_ && !closing_) return;
  std::erase_if(targets_, [](const auto& entry) {
    return entry.second->idle_count() == 0 && entry.second.use_count() == 1;
  });
}

void ServerPool::adopt(Endpoint& endpoint, WaitingRoom& room) {
  endpoint.set_room(room);
  endpoints_.push_back(endpoint);
}

void ServerPool::retire(Endpoint& endpoint) {
  endpoint.retire();
  idle_count_ -= endpoint.close_all();
}

void ServerPool::close_oldest(const HopShare& server) {
  std::size_t closed = 0;
  bool ended = false;
  endpoints_.for_each([&](Endpoint& endpoint) {
    if (closed > 0 || ended || endpoint.share().get() != &server) return;
    closed = endpoint.close_oldest();
    if (closed == 0) ended = endpoint.end_unused_session();
  });
  idle_count_ -= closed;
}

void ServerPool::close_idle() {
  closing_ = true;
  endpoints_.for_each([](Endpoint& endpoint) { endpoint.end_sessions(); });
  sweep();
}

Task<void> ServerPool::stop() {
  close_idle();
  sessions_.cancel();
  co_await sessions_.join();
}

}  // namespace penstock
