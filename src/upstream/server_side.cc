#include "upstream/server_side.h"

namespace penstock {

UpstreamShare::UpstreamShare(const UpstreamSettings& settings) {
  for (const UpstreamGroupSettings& group : settings.groups) groups_.emplace_back(group);
}

ServerSide::ServerSide(Network& network, const UpstreamSettings& settings, UpstreamShare& share,
                       std::uint64_t seed)
    : pool_(network, settings), random_(seed), upkeep_(network.executor()) {
  for (GroupShare& group : share.groups()) groups_.emplace_back(group, pool_, random_.next());
}

ServerSide::~ServerSide() = default;

void ServerSide::start(bool checks) {
  for (ServerGroup& group : groups_) group.start(upkeep_, checks);
}

Task<void> ServerSide::stop() {
  upkeep_.cancel();
  pool_.close_idle();
  co_await upkeep_.join();
  pool_.close_idle();
}

ServerGroup* ServerSide::group(std::string_view name) {
  for (ServerGroup& group : groups_) {
    if (group.name() == name) return &group;
  }
  return nullptr;
}

}  // namespace penstock
