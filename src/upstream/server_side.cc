#include "upstream/server_side.h"

#include <fmt/format.h>

namespace penstock {

UpstreamShare::UpstreamShare(const UpstreamSettings& settings) {
  for (const UpstreamGroupSettings& group : settings.groups) {
    auto tls = make_tls(group.tls, group.name, group.http);
    // For what only HTTP/1.1 can do.
    auto tls_http1 =
        group.http == HttpChoice::negotiate ? make_tls(group.tls, group.name) : nullptr;
    groups_.emplace_back(group, std::move(tls), false, std::move(tls_http1));
  }
  target_tls_ = make_tls(settings.target_tls, "targets", settings.target_http);
  for (const PeerSettings& peer : settings.peers) {
    peer_settings_.push_back(group_settings_of(peer));
    peers_.emplace_back(peer_settings_.back(), make_tls(peer.tls, peer.name),
                        peer.kind == PeerKind::http);
  }
}

std::shared_ptr<const TlsClientContext> UpstreamShare::make_tls(
    const std::optional<TlsClientSettings>& settings, std::string_view where, HttpChoice http) {
  if (!settings) return nullptr;
  TlsClientSettings with_protocols = *settings;
  if (http == HttpChoice::http2) with_protocols.alpn = {"h2"};
  if (http == HttpChoice::negotiate) with_protocols.alpn = {"h2", "http/1.1"};
  auto context = TlsClientContext::create(std::move(with_protocols));
  if (context) return *context;
  if (problem_.empty()) problem_ = fmt::format("TLS of {}: {}", where, context.error());
  return nullptr;
}

ServerSide::ServerSide(Network& network, const UpstreamSettings& settings, UpstreamShare& share,
                       std::uint64_t seed, Log* log)
    : pool_(network, settings, log),
      target_tls_(share.target_tls()),
      random_(seed),
      credentials_(settings.credentials),
      upkeep_(network.executor()) {
  for (GroupShare& group : share.groups()) groups_.emplace_back(group, pool_, random_.next());
  auto peer = share.peers().begin();
  for (const PeerSettings& peer_settings : settings.peers) {
    peers_.emplace_back(peer_settings, *peer++, pool_, random_.next());
  }
}

ServerSide::~ServerSide() = default;

void ServerSide::start(bool checks) {
  for (ServerGroup& group : groups_) group.start(upkeep_, checks);
  for (Peer& peer : peers_) peer.group().start(upkeep_, checks);
}

Task<void> ServerSide::stop() {
  upkeep_.cancel();
  pool_.close_idle();
  co_await upkeep_.join();
  co_await pool_.stop();
}

ServerGroup* ServerSide::group(std::string_view name) {
  for (ServerGroup& group : groups_) {
    if (group.name() == name) return &group;
  }
  return nullptr;
}

Peer* ServerSide::peer(std::string_view name) {
  for (Peer& peer : peers_) {
    if (peer.name() == name) return &peer;
  }
  return nullptr;
}

}  // namespace penstock
