#include "app/icap_host.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "icap/metrics.h"

namespace penstock {

std::shared_ptr<const Snapshot> with_service_groups(std::shared_ptr<const Snapshot> snapshot) {
  if (snapshot->icap.services.empty()) return snapshot;
  auto with = std::make_shared<Snapshot>(*snapshot);
  for (const icap::ServiceSettings& service : with->icap.services) {
    with->upstream.groups.push_back(icap::group_settings_of(service));
  }
  return with;
}

std::unique_ptr<IcapShares> make_icap_shares(const icap::IcapSettings& settings) {
  auto shares = std::make_unique<IcapShares>();
  std::random_device random;
  for (const icap::ServiceSettings& service : settings.services) {
    shares->emplace_back(service, std::uint64_t{random()} << 32 | random());
  }
  return shares;
}

std::string metrics_text(const IcapShares& shares) {
  std::vector<const icap::ServiceShare*> services;
  for (const icap::ServiceShare& share : shares) services.push_back(&share);
  return icap::metrics_text(services, monotonic_now());
}

IcapServices::IcapServices(IcapShares& shares, ServerSide& side, Log* log)
    : upkeep_(side.network().executor()) {
  for (icap::ServiceShare& share : shares) {
    ServerGroup* const group = side.group(icap::group_settings_of(share.settings()).name);
    PENSTOCK_CHECK(group != nullptr);
    services_.emplace_back(share, *group, side.pool(), log);
  }
}

void IcapServices::start() {
  for (icap::Service& service : services_) service.start(upkeep_);
}

Task<void> IcapServices::stop() {
  upkeep_.cancel();
  co_await upkeep_.join();
}

icap::Service* IcapServices::find(std::string_view name) {
  const auto found = std::ranges::find_if(
      services_, [name](const icap::Service& one) { return one.settings().name == name; });
  return found != services_.end() ? &*found : nullptr;
}

}  // namespace penstock
