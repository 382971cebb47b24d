#include "proxy/routes.h"

#include <algorithm>

#include "base/hash.h"

namespace penstock {

RouteTable::RouteTable(const std::vector<RouteSettings>& routes, ServerSide& servers) {
  for (const RouteSettings& route : routes) {
    Entry entry{.host = HostPattern(route.host), .route = {.settings = &route}};
    for (const std::string& name : route.via) {
      Peer* const peer = servers.peer(name);  // null for "direct": others were checked
      const std::uint32_t weight = peer != nullptr ? peer->settings().weight : 1;
      entry.route.via.push_back(peer);
      entry.route.nodes.push_back({.id = hash_key(name), .weight = weight});
    }
    entry.route.group = servers.group(route.to);
    entry.for_some = !route.listeners.empty() || route.client != ClientProof::any;
    entry.for_bytes =
        route.path == "/" && entry.route.request.empty() && entry.route.response.empty();
    if (!route.via.empty()) {
      via_entries_.push_back(std::move(entry));
    } else if (entry.route.group != nullptr) {  // refused when the configuration was read
      entries_.push_back(std::move(entry));
    }
  }
}

const Route* RouteTable::match(const ClientInfo& client, std::string_view host,
                               std::string_view path_and_query) const {
  return find(entries_, client, host, path_and_query, false);
}

const Route* RouteTable::match_via(const ClientInfo& client, std::string_view host,
                                   std::string_view path_and_query) const {
  return find(via_entries_, client, host, path_and_query, false);
}

const Route* RouteTable::match_tcp(const ClientInfo& client, std::string_view server_name) const {
  return find(entries_, client, server_name, "/", true);
}

const Route* RouteTable::find(const std::vector<Entry>& entries, const ClientInfo& client,
                              std::string_view host, std::string_view path, bool bytes) {
  for (const Entry& entry : entries) {
    const RouteSettings& settings = *entry.route.settings;
    if (entry.host.matches(host) && path_begins_with(path, settings.path) &&
        (!entry.for_some || is_for(settings, client)) && (!bytes || entry.for_bytes)) {
      return &entry.route;
    }
  }
  return nullptr;
}

bool RouteTable::is_for(const RouteSettings& route, const ClientInfo& client) {
  const auto& listeners = route.listeners;
  const bool there =
      listeners.empty() || (client.listener != nullptr &&
                            std::ranges::find(listeners, client.listener->name) != listeners.end());
  if (!there || route.client == ClientProof::any) return there;
  const bool shown = client.tls() != nullptr && client.tls()->has_certificate();
  return shown == (route.client == ClientProof::certificate);
}

}  // namespace penstock
