#include "proxy/routes.h"

#include "base/hash.h"
#include "message/fields.h"

namespace penstock {

RouteTable::RouteTable(const std::vector<RouteSettings>& routes, ServerSide& servers) {
  for (const RouteSettings& route : routes) {
    Entry entry{.host = route.host, .route = {.settings = &route}};
    if (entry.host == "*") entry.host.clear();
    if (entry.host.starts_with("*.")) {
      entry.wildcard = true;
      entry.host.erase(0, 1);
    }
    for (const std::string& name : route.via) {
      Peer* const peer = servers.peer(name);  // null for "direct": others were checked
      const std::uint32_t weight = peer != nullptr ? peer->settings().weight : 1;
      entry.route.via.push_back(peer);
      entry.route.nodes.push_back({.id = hash_key(name), .weight = weight});
    }
    entry.route.group = servers.group(route.to);
    if (!route.via.empty()) {
      via_entries_.push_back(std::move(entry));
    } else if (entry.route.group != nullptr) {  // refused when the configuration was read
      entries_.push_back(std::move(entry));
    }
  }
}

const Route* RouteTable::match(std::string_view host, std::string_view path_and_query) const {
  return find(entries_, host, path_and_query);
}

const Route* RouteTable::match_via(std::string_view host, std::string_view path_and_query) const {
  return find(via_entries_, host, path_and_query);
}

const Route* RouteTable::find(const std::vector<Entry>& entries, std::string_view host,
                              std::string_view path) {
  for (const Entry& entry : entries) {
    if (host_matches(entry, host) && path_matches(entry.route.settings->path, path)) {
      return &entry.route;
    }
  }
  return nullptr;
}

bool RouteTable::host_matches(const Entry& entry, std::string_view host) {
  if (entry.host.empty()) return true;
  if (!entry.wildcard) return equals_ignoring_case(entry.host, host);
  return host.size() > entry.host.size() &&
         equals_ignoring_case(entry.host, host.substr(host.size() - entry.host.size()));
}

bool RouteTable::path_matches(std::string_view prefix, std::string_view path) {
  if (!path.starts_with(prefix)) return prefix == "/" && path == "*";
  if (prefix.ends_with('/') || path.size() == prefix.size()) return true;
  const char next = path[prefix.size()];
  return next == '/' || next == '?';
}

}  // namespace penstock
