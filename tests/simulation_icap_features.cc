#include "tests/simulation_icap_features.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace penstock::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 1344;

// Whatever happens to it, a message of that kind does not go on without the service.
bool is_strict(const IcapService& service) {
  const icap::ServiceSettings& settings = service.settings;
  return settings.on_overload != icap::OverloadPolicy::bypass &&
         (settings.size_limit == 0 || settings.over_size == icap::SizePolicy::block);
}

}  // namespace

IcapFeatures::IcapFeatures(SimNetwork& network, Ledger& ledger, Random random, bool reliable)
    : reliable_(reliable), ledger_(&ledger), restarting_(network.executor()) {
  const std::uint64_t filters = random.between(1, 3);
  for (std::uint64_t i = 0; i < filters; ++i) draw_filter(random);
  for (IcapService& service : services_) {
    for (const Address& address : service.servers) {
      servers_.emplace_back(network, address, service, ledger, random.fork(), counts_);
      if (reliable || random.chance(0.5)) continue;
      restarting_.spawn(IcapServer::keep_restarting(servers_.back(), random.fork()));
    }
  }
}

void IcapFeatures::draw_filter(Random& random) {
  IcapFilterSettings work;
  std::vector<std::size_t> numbers;
  do {
    numbers.push_back(services_.size());
    draw_service(random, work.services);
  } while (random.chance(0.3));
  FilterSettings settings;
  settings.name = "filter " + std::to_string(filters_.size() + 1);
  settings.at = random.chance(0.5) ? FilterSide::client : FilterSide::server;
  settings.work = std::move(work);
  if (!reliable_) {
    constexpr std::array<FailurePolicy, 4> kPolicies = {
        FailurePolicy::closed, FailurePolicy::closed, FailurePolicy::open, FailurePolicy::skip};
    settings.on_failure = random.pick(kPolicies);
  }
  if (settings.on_failure == FailurePolicy::closed) guard(numbers);
  filters_.push_back(std::move(settings));
}

void IcapFeatures::guard(const std::vector<std::size_t>& numbers) {
  for (const Body which : {Body::request, Body::response}) {
    const bool request = which == Body::request;
    std::vector<std::size_t> guards;
    bool strict = true;
    for (const std::size_t number : numbers) {
      const IcapService& service = services_[number];
      if (!(request ? service.settings.reqmod : service.settings.respmod)) continue;
      guards.push_back(number);
      // Of one that has named both methods, what there is is taken.
      strict = strict && is_strict(service) && (request ? service.reqmod : service.respmod);
    }
    if (strict && !guards.empty()) ledger_->guards.push_back({which, std::move(guards)});
  }
}

void IcapFeatures::draw_service(Random& random, std::vector<std::string>& names) {
  IcapService& service = services_.emplace_back();
  service.number = services_.size() - 1;
  service.reliable = reliable_;
  service.tls = random.chance(0.15);
  icap::ServiceSettings& settings = service.settings;
  settings.name = fmt::format("s{}", service.number);
  settings.url = fmt::format("{}://{}/{}", service.tls ? "icaps" : "icap", kTlsName, settings.name);
  if (service.tls) settings.tls = tls_client_settings();
  const std::uint64_t servers = random.between(1, 2);
  for (std::uint64_t i = 0; i < servers; ++i) {
    const std::string address = fmt::format("192.0.2.{}:{}", 30 + 2 * service.number + i, kPort);
    settings.servers.push_back(address);
    service.servers.push_back(Address::parse(address).value());
  }
  settings.fields.set = {{"X-Policy", settings.name}};
  if (random.chance(0.5)) settings.share = {"X-Share"};
  draw_limits(service, random);
  draw_offer(service, random);
  names.push_back(settings.name);
}

// Requests that hold a connection to a service may wait for one to an origin, which responses hold
// that wait for one to the service: only who does not wait for ever gets out of that.
bool IcapFeatures::may_be_bounded(const IcapService& service) const {
  return !reliable_ || !service.settings.reqmod || !service.settings.respmod;
}

void IcapFeatures::draw_limits(IcapService& service, Random& random) const {
  icap::ServiceSettings& settings = service.settings;
  const std::uint64_t methods = random.below(4);
  settings.reqmod = methods != 0;
  settings.respmod = methods != 1;
  settings.timeout = reliable_ ? hours(1) : random.between(seconds(1), seconds(20));
  settings.previews = random.chance(0.8);
  if (random.chance(0.3)) settings.preview = random.skewed(1, 4096);
  settings.allow_204 = random.chance(0.7);
  settings.allow_206 = random.chance(0.7);
  if (random.chance(0.5)) settings.keep.memory = random.skewed(1, 64 * 1024);
  // Of content whose length is not known, no more than is kept can be promised to be.
  if (!reliable_ && random.chance(0.5)) settings.keep.total = random.skewed(1, 300 * 1024);
  if (random.chance(0.2)) settings.size_limit = random.skewed(1, 100 * 1024);
  if (!reliable_ && random.chance(0.5)) settings.over_size = icap::SizePolicy::block;
  if (may_be_bounded(service) && random.chance(0.3)) {
    settings.max_connections = static_cast<std::uint32_t>(random.between(1, 6));
  }
  constexpr std::array<icap::OverloadPolicy, 4> kPolicies = {
      icap::OverloadPolicy::wait, icap::OverloadPolicy::bypass, icap::OverloadPolicy::force,
      icap::OverloadPolicy::refuse};
  settings.on_overload = kPolicies[random.below(reliable_ ? 3 : 4)];
  settings.pool.idle = random.between(seconds(1), seconds(60));
  if (random.chance(0.5)) settings.pool.max_idle = random.between(0, 8);
  if (random.chance(0.2)) settings.pool.max_age = random.between(seconds(1), seconds(60));
  if (random.chance(0.2)) settings.pool.max_requests = random.between(1, 10);
  settings.queue.timeout = reliable_ ? hours(2) : random.between(seconds(1), seconds(20));
  settings.queue.length = reliable_ ? 10'000 : random.between(1, 50);
  settings.options_ttl = random.between(seconds(1), seconds(60));
  if (reliable_) return;
  settings.repeat = static_cast<std::uint32_t>(random.between(0, 2));
  settings.breaker.failures = static_cast<std::uint32_t>(random.between(0, 20));
  settings.breaker.retry_after = random.between(milliseconds(100), seconds(2));
  settings.breaker.max_retry_after = seconds(10);
}

void IcapFeatures::draw_offer(IcapService& service, Random& random) const {
  const icap::ServiceSettings& settings = service.settings;
  service.reqmod = settings.reqmod;
  service.respmod = settings.respmod;
  if (settings.reqmod && settings.respmod && random.chance(0.2)) {
    (random.chance(0.5) ? service.reqmod : service.respmod) = false;
  }
  constexpr std::array<std::uint64_t, 6> kPreviews = {0, 0, 1, 100, 1024, 4096};
  if (random.chance(0.7)) service.preview = random.pick(kPreviews);
  service.allow_204 = random.chance(0.7);
  service.allow_206 = random.chance(0.7);
  if (may_be_bounded(service) && random.chance(0.3)) {
    service.max_connections = random.between(1, 8);
  }
  if (random.chance(0.7)) service.ttl = random.between(1, 100);
}

void IcapFeatures::apply(ProxyOptions& options) const {
  for (const IcapService& service : services_) options.icap.push_back(service.settings);
  options.icap_filters = filters_;
}

void IcapFeatures::stop() {
  restarting_.cancel();
  for (IcapServer& server : servers_) server.close();
}

std::size_t IcapFeatures::connections() const {
  std::size_t sum = restarting_.running();
  for (const IcapServer& server : servers_) sum += server.connections();
  return sum;
}

std::size_t IcapFeatures::verdicts() const {
  std::size_t sum = 0;
  for (const auto& [what, count] : counts_) {
    if (what != "OPTIONS" && what != "restart") sum += count;
  }
  return sum;
}

std::string IcapFeatures::text() const {
  std::string text =
      fmt::format("icap: {} filters, {} services:", filters_.size(), services_.size());
  for (const auto& [what, count] : counts_) text += fmt::format(" {} {}", what, count);
  return text;
}

}  // namespace penstock::simulation
