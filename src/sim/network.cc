#include "sim/network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "async/event.h"
#include "async/wait.h"
#include "base/text.h"
#include "net/address_order.h"

namespace penstock {
namespace {

Error connect_error(Error error) {
  error.side = Side::server;
  error.retryable = true;
  return error;
}

}  // namespace

// ---- Listening.

SimListener::SimListener(SimWorld& world, const Address& address, AcceptHandler& handler)
    : world_(&world), local_(address), handler_(&handler) {
  if (!local_.is_unix() && local_.port() == 0) local_.set_port(world.next_port());
  PENSTOCK_CHECK(world.listeners_.emplace(local_.to_string(), this).second);
}

SimListener::~SimListener() {
  for (const Waiting& waiting : waiting_) waiting.stream->set_abortive();
  world_->listeners_.erase(local_.to_string());
}

void SimListener::resume() {
  paused_ = false;
  schedule(world_->now());
}

void SimListener::arrive(std::shared_ptr<SimConnection> connection, const Address& peer,
                         const Address& local) {
  const TimePoint when = connection->after_latency();
  auto stream = std::make_unique<SimStream>(std::move(connection), SimConnection::kAccepting);
  waiting_.push_back({std::move(stream), peer, local});
  schedule(when);
}

// The delivery finds the listener by its address, as it may be gone by then.
void SimListener::schedule(TimePoint when) {
  world_->call_at(when, [world = world_, name = local_.to_string()] {
    const auto found = world->listeners_.find(name);
    if (found != world->listeners_.end()) found->second->accept_waiting();
  });
}

void SimListener::accept_waiting() {
  while (!paused_ && !waiting_.empty()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    world_->trace("accept", 0, next.peer.port());
    handler_->on_accept(std::move(next.stream), next.peer, next.local);
  }
}

// ---- Connecting.

SimNetwork::SimNetwork(SimWorld& world, std::string_view host)
    : world_(&world), host_(Address::from_ip(host, 0).value()) {}

std::unique_ptr<Listener> SimNetwork::listen(const Address& address, AcceptHandler& handler) {
  return std::make_unique<SimListener>(*world_, address, handler);
}

// One connect(), shared between the task that waits and what is on its way.
struct SimNetwork::Attempt {
  Address to;
  Address from;
  Fate fate;
  Result<std::unique_ptr<ByteStream>> outcome;
  Event answered;
  bool abandoned = false;

  void answer(Result<std::unique_ptr<ByteStream>> result) {
    outcome = std::move(result);
    answered.set();
  }
};

// The connect arrives at the other host; the answer takes as long again.
void SimNetwork::knock(SimWorld& world, const Faults& faults,
                       const std::shared_ptr<Attempt>& attempt) {
  if (attempt->abandoned) return;
  const DelayRange& latency = faults.latency;
  const TimePoint back = world.now() + world.random().between(latency.min, latency.max);
  SimListener* listener = world.find_listener(attempt->to);
  if (listener == nullptr || attempt->fate.connect == Fate::Connect::refuse) {
    world.trace("refuse", 0, attempt->from.port());
    world.call_at(back, [attempt] { attempt->answer(fail(ErrorKind::refused, ECONNREFUSED)); });
    return;
  }
  auto connection = SimConnection::create(world, faults, attempt->fate);
  world.trace("connect", world.connections_made(), attempt->from.port());
  // The stream exists from now on: if nobody waits any more, it is closed when the attempt is.
  attempt->outcome = std::make_unique<SimStream>(connection, SimConnection::kConnecting);
  world.call_at(back, [attempt] { attempt->answered.set(); });
  listener->arrive(std::move(connection), attempt->from, attempt->to);
}

Task<Result<std::unique_ptr<ByteStream>>> SimNetwork::connect(const Address& to,
                                                              TimePoint deadline) {
  const auto attempt = std::make_shared<Attempt>();
  const Faults faults = faults_.value_or(world_->faults());
  attempt->to = to;
  attempt->from = to.is_unix() ? Address::unix_socket("") : host_;
  attempt->from.set_port(world_->next_port());
  attempt->fate = world_->next_fate(to, faults);
  if (attempt->fate.connect != Fate::Connect::vanish) {
    const DelayRange& latency = faults.latency;
    const TimePoint there = world_->now() + world_->random().between(latency.min, latency.max);
    SimWorld* world = world_;
    world->call_at(there, [world, faults, attempt] { knock(*world, faults, attempt); });
  }
  const Result<void> waited = co_await wait_until(attempt->answered, deadline);
  if (!waited) {
    attempt->abandoned = true;
    attempt->outcome = fail(waited.error());
  }
  if (!attempt->outcome) co_return fail(connect_error(attempt->outcome.error()));
  co_return std::move(*attempt->outcome);
}

// ---- Resolving.

Task<Result<void>> SimNetwork::wait_for_answer(bool answered, Duration delay, TimePoint deadline) {
  const auto event = std::make_shared<Event>();
  if (answered) {
    world_->call_at(world_->now() + delay, [event] { event->set(); });
  }
  co_return co_await wait_until(*event, deadline);
}

Task<Result<Resolution>> SimNetwork::resolve(std::string_view host, std::uint16_t port,
                                             TimePoint deadline) {
  if (auto literal = Address::from_ip(host, port)) {
    co_return Resolution{.addresses = {std::move(*literal)}, .expires = kNever};
  }
  const std::string name = to_lower(host);
  const auto found = world_->names_.find(name);
  const SimName answer = found == world_->names_.end() ? SimName{} : found->second;
  const Result<void> waited = co_await wait_for_answer(answer.answered, answer.delay, deadline);
  if (!waited) co_return fail(waited.error());
  if (answer.ips.empty()) co_return fail(ErrorKind::resolve_failed);
  AddressList addresses;
  for (const std::string& ip : answer.ips) {
    addresses.push_back(Address::from_ip(ip, port).value());
  }
  co_return Resolution{.addresses = interleave(addresses), .expires = world_->now() + answer.ttl};
}

Task<Result<ServiceResolution>> SimNetwork::resolve_service(std::string_view name,
                                                            TimePoint deadline) {
  const auto found = world_->services_.find(to_lower(name));
  const SimService answer = found == world_->services_.end() ? SimService{} : found->second;
  const Result<void> waited = co_await wait_for_answer(answer.answered, answer.delay, deadline);
  if (!waited) co_return fail(waited.error());
  const auto& targets = answer.targets;
  if (targets.empty() || (targets.size() == 1 && targets.front().host == ".")) {
    co_return fail(ErrorKind::resolve_failed);
  }
  ServiceResolution resolution{.targets = targets, .expires = world_->now() + answer.ttl};
  std::ranges::sort(resolution.targets, {}, &ServiceTarget::priority);
  co_return resolution;
}

}  // namespace penstock
