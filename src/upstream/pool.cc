#include "upstream/pool.h"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {
constexpr Duration kSweepEvery = std::chrono::seconds(1);
// Targets without connections are forgotten beyond so many.
constexpr std::size_t kTargetsKept = 64;

TargetKey target_key(const Address& address, const TargetTls* tls) {
  if (tls == nullptr) return {.address = address};
  return {.address = address, .name = std::string(tls->name), .tls = tls->context.get()};
}

Passage passage_of(const TargetTls* tls) {
  if (tls == nullptr) return {};
  return {.tls = tls->context, .tls_name = std::string(tls->name)};
}

}  // namespace

ServerPool::ServerPool(Network& network, const UpstreamSettings& settings, Log* log)
    : network_(&network), settings_(&settings), log_(log) {}

// An endpoint and its idle connections hold each other.
ServerPool::~ServerPool() { close_idle(); }

std::size_t TargetKeyHash::operator()(const TargetKey& key) const {
  std::size_t hash = key.address.hash();
  if (!key.name.empty()) hash ^= std::hash<std::string>{}(key.name) * 31;
  return hash ^ std::hash<const void*>{}(key.through) ^ std::hash<const void*>{}(key.tls);
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
  const std::size_t before = endpoint.idle_count();
  auto connection = endpoint.take_idle(executor().now());
  idle_count_ -= before - endpoint.idle_count();
  if (!connection) return std::nullopt;
  return Lease(*this, std::move(connection), true);
}

Task<Result<Lease>> ServerPool::open(std::shared_ptr<Endpoint> endpoint, ConnectionPlace place) {
  // A copy: names may be resolved anew meanwhile.
  const AddressList addresses = endpoint->addresses();
  auto opened = co_await go(addresses, endpoint->passage());
  if (!opened) co_return fail(opened.error());
  const Address& address = addresses[opened->index];
  co_return lease_new(std::move(*opened), address, std::move(endpoint), std::move(place));
}

Task<Result<Lease>> ServerPool::acquire_target(std::span<const Address> addresses, bool fresh,
                                               const TargetTls* tls) {
  for (const Address& address : fresh ? std::span<const Address>() : addresses) {
    const auto found = targets_.find(target_key(address, tls));
    if (found == targets_.end()) continue;
    if (auto idle = take_idle(*found->second)) co_return std::move(*idle);
  }
  const Passage passage = passage_of(tls);
  auto opened = co_await go(addresses, passage);
  if (!opened) co_return fail(opened.error());
  const Address& address = addresses[opened->index];
  co_return lease_new(std::move(*opened), address, target(address, tls), ConnectionPlace());
}

Task<Result<OpenedPassage>> ServerPool::go(std::span<const Address> addresses,
                                           const Passage& passage) {
  const PassageLimits limits{.deadline = deadline_after(executor().now(), settings_->connect),
                             .head = settings_->response_head};
  co_return co_await open_passage(*network_, addresses, passage, limits);
}

Lease ServerPool::lease_new(OpenedPassage opened, const Address& address,
                            std::shared_ptr<Endpoint> endpoint, ConnectionPlace place) {
  auto connection =
      std::make_unique<ServerConnection>(std::move(opened.stream), std::move(opened.input), address,
                                         std::move(endpoint), std::move(place), executor().now());
  return Lease(*this, std::move(connection), false);
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
  endpoints_.for_each([&](Endpoint& endpoint) {
    if (closed == 0 && endpoint.share().get() == &server) closed = endpoint.close_oldest();
  });
  idle_count_ -= closed;
}

void ServerPool::close_idle() {
  closing_ = true;
  sweep();
}

}  // namespace penstock
