// A parent proxy that requests are sent through, as one worker sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "upstream/authenticator.h"
#include "upstream/group.h"
#include "upstream/settings.h"
#include "upstream/socks5.h"

namespace penstock {

// Its connections, bounds, health and name are those of a group of one server. Belongs to one
// thread.
class Peer {
 public:
  // All must outlive it.
  Peer(const PeerSettings& settings, GroupShare& share, ServerPool& pool, std::uint64_t seed);

  [[nodiscard]] const PeerSettings& settings() const { return *settings_; }
  [[nodiscard]] const std::string& name() const { return settings_->name; }
  [[nodiscard]] ServerGroup& group() { return group_; }
  // It is sent requests in absolute form; else everything goes through tunnels.
  [[nodiscard]] bool takes_requests() const { return settings_->kind == PeerKind::http; }
  // What a client's login at it is kept for (PinStore).
  [[nodiscard]] const std::string& pin_name() const { return pin_name_; }
  // How we log in at it; null: we do not.
  [[nodiscard]] Authenticator* authenticator() { return authenticator_.get(); }
  [[nodiscard]] Credential* credential() { return credential_.get(); }

 private:
  const PeerSettings* settings_;
  std::string pin_name_;
  std::shared_ptr<Credential> credential_;
  std::unique_ptr<Authenticator> authenticator_;
  ServerGroup group_;
};

// The settings of the group that a peer is.
[[nodiscard]] UpstreamGroupSettings group_settings_of(const PeerSettings& peer);

}  // namespace penstock
