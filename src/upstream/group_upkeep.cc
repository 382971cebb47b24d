// What a group does beside serving: keeps its names resolved, and connections in reserve.
#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "async/scope.h"
#include "async/sleep.h"
#include "upstream/group.h"
#include "upstream/health_check.h"

namespace penstock {
namespace {

constexpr Duration kQuestionLimit = std::chrono::seconds(10);
// After a failure, doubled with each one more.
constexpr Duration kAskAgain = std::chrono::seconds(1);
constexpr Duration kAskAgainAtMost = std::chrono::seconds(30);
// However short an answer's life is.
constexpr Duration kShortestLife = std::chrono::seconds(1);
constexpr Duration kSpareEvery = std::chrono::milliseconds(500);

TimePoint after_failures(TimePoint now, std::uint32_t failures) {
  const Duration wait = kAskAgain * (1U << std::min(failures, 5U));
  return now + std::min(wait, kAskAgainAtMost);
}

}  // namespace

void ServerGroup::start(Scope& scope, bool checks) {
  if (needs_resolving_) scope.spawn(keep_resolved(*this));
  // A connection that names its client can't be opened before there is one.
  const bool spare = settings_->pool.spare > 0 && settings_->proxy_header == ProxyHeader::none;
  if (spare) scope.spawn(keep_spare(*this));
  if (checks && settings_->check.kind != CheckKind::none) scope.spawn(keep_checking(*this));
}

TimePoint ServerGroup::next_resolution() const {
  TimePoint next = settings_->service.empty() ? kNever : service_at_;
  for (const auto& hop : hops_) {
    if (!hop->host.empty()) next = std::min(next, hop->resolve_at);
  }
  return next;
}

Task<void> ServerGroup::keep_resolved(ServerGroup& group) {
  TaskContext& context = co_await this_context();
  Executor& executor = context.executor();
  while (!context.cancelled()) {
    const bool service_due =
        !group.settings_->service.empty() && group.service_at_ <= executor.now();
    if (service_due) co_await group.resolve_service();
    Scope questions(context);
    const auto hops = group.hops_;  // a copy: an answer may come while servers change
    for (const auto& hop : hops) {
      if (hop->host.empty() || hop->resolve_at > executor.now()) continue;
      questions.spawn(resolve_name(group, hop));
    }
    co_await questions.join();
    group.resolved_.set();
    const TimePoint next = group.next_resolution();
    if (!co_await sleep_until(next)) co_return;
  }
}

// An answer replaces the addresses; connections to those that stay are kept. Without an answer the
// old addresses go on being used.
Task<void> ServerGroup::resolve_name(ServerGroup& group, std::shared_ptr<NextHop> hop) {
  Network& network = group.pool_->network();
  Executor& executor = network.executor();
  const TimePoint deadline = executor.now() + kQuestionLimit;
  auto resolution = co_await network.resolve(hop->host, hop->port, deadline);
  if (!resolution) {
    Log* const log = group.pool_->log();
    if (log != nullptr && hop->resolve_failures == 0) {
      log->warning("{}: {} can't be resolved ({}); {}", group.name(), hop->host,
                   to_string(resolution.error().kind),
                   hop->has_addresses() ? "its last addresses stay in use" : "it is asked again");
    }
    hop->resolve_error = resolution.error().at(Side::server);
    hop->resolve_error.retryable = true;
    hop->resolve_at = after_failures(executor.now(), hop->resolve_failures++);
    co_return;
  }
  hop->resolve_failures = 0;
  hop->resolve_at = std::max(resolution->expires, executor.now() + kShortestLife);
  const bool first = !hop->has_addresses();
  hop->endpoint->set_addresses(std::move(resolution->addresses));
  group.resolved_.set();
  if (first) group.share_->tell_room(hop->share.get());
}

// RFC 2782: the targets of the lowest priority serve, the others are their backups.
Task<void> ServerGroup::resolve_service() {
  Network& network = pool_->network();
  Executor& executor = network.executor();
  const TimePoint deadline = executor.now() + kQuestionLimit;
  auto resolution = co_await network.resolve_service(settings_->service, deadline);
  if (!resolution) {
    Log* const log = pool_->log();
    if (log != nullptr && service_failures_ == 0) {
      log->warning("{}: the service {} can't be resolved ({})", name(), settings_->service,
                   to_string(resolution.error().kind));
    }
    resolve_error_ = resolution.error().at(Side::server);
    resolve_error_.retryable = true;
    service_at_ = after_failures(executor.now(), service_failures_++);
    co_return;
  }
  service_failures_ = 0;
  service_at_ = std::max(resolution->expires, executor.now() + kShortestLife);
  co_await set_targets(std::move(resolution->targets));
}

// The new ones replace the old ones when it is known where they are; at once where no old one could
// serve.
Task<void> ServerGroup::set_targets(std::vector<ServiceTarget> targets) {
  std::uint16_t first = UINT16_MAX;
  for (const ServiceTarget& target : targets) first = std::min(first, target.priority);
  std::vector<std::shared_ptr<NextHop>> hops;
  bool changed = false;
  for (const ServiceTarget& target : targets) {
    ServerEntry entry{.address = target.host + ':' + std::to_string(target.port),
                      .weight = std::max<std::uint32_t>(target.weight, 1),
                      .backup = target.priority != first};
    const auto known = std::ranges::find_if(hops_, [&](const auto& hop) {
      return hop->entry.address == entry.address && hop->entry.weight == entry.weight &&
             hop->entry.backup == entry.backup;
    });
    changed = changed || known == hops_.end();
    hops.push_back(known != hops_.end() ? *known : std::make_shared<NextHop>(entry, *share_));
  }
  if (!changed && hops.size() == hops_.size()) co_return;
  Scope questions(co_await this_context());
  const bool serving =
      std::ranges::any_of(hops_, [](const auto& hop) { return hop->has_addresses(); });
  for (const auto& hop : hops) {
    if (!serving || hop->host.empty() || hop->has_addresses()) continue;
    questions.spawn(resolve_name(*this, hop));
  }
  co_await questions.join();
  const bool known =
      std::ranges::any_of(hops, [](const auto& hop) { return hop->has_addresses(); });
  if (serving && !known) {
    service_at_ = after_failures(pool_->executor().now(), service_failures_++);
    co_return;
  }
  for (const auto& hop : hops_) {
    if (std::ranges::find(hops, hop) == hops.end()) pool_->retire(*hop->endpoint);
  }
  hops_ = std::move(hops);
  members_changed();
}

// Connections that wait for requests, rather than the other way round.
Task<void> ServerGroup::keep_spare(ServerGroup& group) {
  TaskContext& context = co_await this_context();
  Executor& executor = context.executor();
  Scope opening(context);
  while (!context.cancelled()) {
    for (const auto& hop : group.hops_) {
      if (!hop->opening_spare) opening.spawn(open_spare(group, hop));
    }
    if (!co_await sleep_until(executor.now() + kSpareEvery)) break;
  }
  co_await opening.join();
}

Task<void> ServerGroup::open_spare(ServerGroup& group, std::shared_ptr<NextHop> hop) {
  ServerPool& pool = *group.pool_;
  const Endpoint& endpoint = *hop->endpoint;
  hop->opening_spare = true;
  std::size_t before = 0;
  do {
    before = endpoint.idle_count();
    const PoolSettings& settings = endpoint.settings();
    if (before >= std::min(settings.spare, settings.max_idle)) break;
    // One of HTTP/2 is enough.
    if (endpoint.session_with_room(pool.executor().now()) != nullptr) break;
    if (pool.closing() || !group.in_service(*hop, pool.executor().now())) break;
    if (!hop->share->open_connection()) break;
    auto opened = co_await pool.open(hop->endpoint, ConnectionPlace(hop->share));
    if (opened) {
      hop->endpoint->note_version(opened->http2());
      opened->keep_unused();
    }
    // One that could be made says nothing of how the server serves requests.
    const bool failed = !opened && opened.error().kind != ErrorKind::cancelled;
    if (failed) hop->share->noted(true, false, pool.executor().now());
  } while (endpoint.idle_count() > before);
  hop->opening_spare = false;
}

// The checks of a round are spread over the interval, so that they come one after the other.
Task<void> ServerGroup::keep_checking(ServerGroup& group) {
  TaskContext& context = co_await this_context();
  Executor& executor = context.executor();
  const Duration interval = group.settings_->check.interval;
  while (!context.cancelled()) {
    const TimePoint begin = executor.now();
    Scope round(context);
    const auto hops = group.hops_;
    for (std::size_t i = 0; i < hops.size(); ++i) {
      const auto part = interval / static_cast<int>(hops.size()) * static_cast<int>(i);
      round.spawn(check(group, hops[i], begin + part));
    }
    co_await round.join();
    if (!co_await sleep_until(begin + interval)) co_return;
  }
}

Task<void> ServerGroup::check(ServerGroup& group, std::shared_ptr<NextHop> hop, TimePoint when) {
  TaskContext& context = co_await this_context();
  Executor& executor = context.executor();
  if (when > executor.now() && !co_await sleep_until(when)) co_return;
  if (!hop->has_addresses()) co_return;
  const CheckSettings& settings = group.settings_->check;
  const bool good = co_await check_health(*group.pool_, *hop, settings);
  if (context.cancelled() || !hop->share->checked(good, settings, executor.now())) co_return;
  Log* const log = group.pool_->log();
  if (log == nullptr) co_return;
  if (good) {
    log->info("{}: {} is back in service: {} checks passed", group.name(), hop->entry.address,
              settings.rise);
  } else {
    log->warning("{}: {} is out of service: {} checks failed", group.name(), hop->entry.address,
                 settings.fall);
  }
}

}  // namespace penstock
