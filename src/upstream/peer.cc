#include "upstream/peer.h"

namespace penstock {

Peer::Peer(const PeerSettings& settings, GroupShare& share, ServerPool& pool, std::uint64_t seed)
    : settings_(&settings), pin_name_("peer " + settings.name), group_(share, pool, seed) {
  if (!settings.login) return;
  credential_ = std::make_shared<Credential>(*settings.login);
  authenticator_ = std::make_unique<Authenticator>(credential_);
}

UpstreamGroupSettings group_settings_of(const PeerSettings& peer) {
  UpstreamGroupSettings group{.name = peer.name,
                              .servers = {{.address = peer.address}},
                              .max_connections = peer.max_connections,
                              .pool = peer.pool,
                              .queue = peer.queue,
                              .check = peer.check,
                              .ejection = peer.ejection,
                              .tls = peer.tls};
  // Where it fails, there are other peers to turn to; or there is an error that says why.
  group.ejection.max_share = 100;
  return group;
}

}  // namespace penstock
