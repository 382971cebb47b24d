// The ICAP services of a configuration, for all workers and for each.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/scope.h"
#include "base/log.h"
#include "config/snapshot.h"
#include "icap/service.h"
#include "icap/service_directory.h"
#include "icap/service_share.h"
#include "upstream/server_side.h"

namespace penstock {

// The same with a group of servers for each service; the snapshot itself where there are none.
[[nodiscard]] std::shared_ptr<const Snapshot> with_service_groups(
    std::shared_ptr<const Snapshot> snapshot);

// What all workers know of the services; outlives them.
using IcapShares = std::list<icap::ServiceShare>;
[[nodiscard]] std::unique_ptr<IcapShares> make_icap_shares(const icap::IcapSettings& settings);
// Their counters, for Prometheus.
[[nodiscard]] std::string metrics_text(const IcapShares& shares);

// The services as one worker sees them. Belongs to its thread.
class IcapServices final : public icap::ServiceDirectory {
 public:
  // All must outlive it; `side` has the groups of with_service_groups().
  IcapServices(IcapShares& shares, ServerSide& side, Log* log);

  // Begins what goes on beside the messages.
  void start();
  // Ends that. To be awaited before the server side stops, if it was started.
  Task<void> stop();

  [[nodiscard]] icap::Service* find(std::string_view name) override;

 private:
  Scope upkeep_;
  std::list<icap::Service> services_;
};

}  // namespace penstock
