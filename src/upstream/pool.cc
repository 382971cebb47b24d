#include "upstream/pool.h"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {
constexpr Duration kSweepEvery = std::chrono::seconds(1);
}  // namespace

ServerPool::ServerPool(Network& network, const UpstreamSettings& settings)
    : network_(&network), settings_(&settings) {}

ServerPool::~ServerPool() = default;

Task<Result<Lease>> ServerPool::acquire(std::span<const Address> addresses, AcquireOrder order,
                                        bool fresh) {
  if (!fresh && order == AcquireOrder::any_idle_first) {
    for (const Address& address : addresses) {
      if (auto idle = take_idle(address)) co_return Lease(*this, std::move(idle), true);
    }
  }
  Error error{.kind = ErrorKind::unreachable, .side = Side::server, .retryable = true};
  for (const Address& address : addresses) {
    if (!fresh && order == AcquireOrder::in_order) {
      if (auto idle = take_idle(address)) co_return Lease(*this, std::move(idle), true);
    }
    auto opened = co_await open(address);
    if (opened) co_return opened;
    error = opened.error();
    if (error.kind == ErrorKind::cancelled || error.kind == ErrorKind::overloaded) break;
  }
  co_return fail(error);
}

std::unique_ptr<ServerConnection> ServerPool::take_idle(const Address& address) {
  const auto found = idle_.find(address);
  if (found == idle_.end()) return nullptr;
  Stack& stack = found->second;
  const TimePoint oldest = executor().now() - settings_->server_idle;
  while (!stack.empty()) {
    std::unique_ptr<ServerConnection> connection = std::move(stack.back());
    stack.pop_back();
    --idle_count_;
    connection->become_busy();
    if (!connection->dead() && connection->idle_since() >= oldest) return connection;
  }
  return nullptr;
}

Task<Result<Lease>> ServerPool::open(const Address& address) {
  auto stream =
      co_await network_->connect(address, deadline_after(executor().now(), settings_->connect));
  if (!stream) co_return fail(stream.error());
  co_return Lease(*this, std::make_unique<ServerConnection>(std::move(*stream), address), false);
}

bool ServerPool::keep(std::unique_ptr<ServerConnection> connection) {
  if (closing_ || idle_count_ >= settings_->max_idle) return false;
  ServerConnection& kept = *connection;
  idle_[kept.address()].push_back(std::move(connection));
  ++idle_count_;
  kept.become_idle(executor().now(), *this);
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
  const TimePoint oldest = executor().now() - settings_->server_idle;
  for (auto& [address, stack] : idle_) {
    idle_count_ -= std::erase_if(stack, [oldest, this](const auto& connection) {
      return closing_ || connection->dead() || connection->idle_since() < oldest;
    });
  }
  // Empty stacks of groups in use are worth keeping; those of many one-time targets are not.
  if (idle_.size() > 64 + idle_count_) {
    std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  }
}

void ServerPool::close_idle() {
  closing_ = true;
  sweep();
}

}  // namespace penstock
