#include "app/tls_files.h"

#include <memory>

#include <fmt/format.h>

#include "app/icap_host.h"
#include "server/entrance.h"
#include "upstream/server_side.h"

namespace penstock {

std::string label_of(const ListenerSettings& listener) {
  return listener.name.empty() ? fmt::format("listener {}", listener.addresses.front())
                               : fmt::format("listener \"{}\"", listener.name);
}

std::vector<std::string> problems_of_files(const Snapshot& snapshot) {
  std::vector<std::string> problems;
  for (const ListenerSettings& listener : snapshot.listeners) {
    const auto entrance = Entrance::create(listener);
    if (!entrance) problems.push_back(fmt::format("{}: {}", label_of(listener), entrance.error()));
  }
  const auto all = with_service_groups(std::make_shared<const Snapshot>(snapshot));
  const UpstreamShare upstream(all->upstream);
  if (!upstream.problem().empty()) problems.push_back(upstream.problem());
  return problems;
}

}  // namespace penstock
