#include "upstream/pool.h"

#include "upstream/happy_eyeballs.h"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {
constexpr Duration kSweepEvery = std::chrono::seconds(1);
// Targets without connections are forgotten beyond so many.
constexpr std::size_t kTargetsKept = 64;
}  // namespace

ServerPool::ServerPool(Network& network, const UpstreamSettings& settings)
    : network_(&network), settings_(&settings) {}

ServerPool::~ServerPool() = default;

std::shared_ptr<Endpoint> ServerPool::target(const Address& address) {
  std::shared_ptr<Endpoint>& endpoint = targets_[address];
  if (!endpoint) {
    endpoint = std::make_shared<Endpoint>(settings_->targets, nullptr);
    endpoint->set_addresses({address});
    endpoints_.push_back(*endpoint);
    if (!armed()) executor().timers().arm(*this, executor().now() + kSweepEvery);
  }
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
  co_return co_await connect(addresses, std::move(endpoint), std::move(place));
}

Task<Result<Lease>> ServerPool::acquire_target(std::span<const Address> addresses, bool fresh) {
  for (const Address& address : fresh ? std::span<const Address>() : addresses) {
    const auto found = targets_.find(address);
    if (found == targets_.end()) continue;
    if (auto idle = take_idle(*found->second)) co_return std::move(*idle);
  }
  co_return co_await connect(addresses, nullptr, ConnectionPlace());
}

Task<Result<Lease>> ServerPool::connect(std::span<const Address> addresses,
                                        std::shared_ptr<Endpoint> endpoint, ConnectionPlace place) {
  const ConnectLimits limits{.deadline = deadline_after(executor().now(), settings_->connect)};
  auto connected = co_await connect_first(*network_, addresses, limits);
  if (!connected) co_return fail(connected.error());
  const Address& address = addresses[connected->index];
  if (!endpoint) endpoint = target(address);
  auto connection = std::make_unique<ServerConnection>(std::move(connected->stream), address,
                                                       std::move(endpoint), std::move(place),
                                                       executor().now());
  co_return Lease(*this, std::move(connection), false);
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

void ServerPool::close_idle() {
  closing_ = true;
  sweep();
}

}  // namespace penstock
