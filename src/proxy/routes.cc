#include "proxy/routes.h"

#include "message/fields.h"

namespace penstock {

RouteTable::RouteTable(const std::vector<RouteSettings>& routes, ServerSide& servers) {
  for (const RouteSettings& route : routes) {
    ServerGroup* const group = servers.group(route.to);
    if (group == nullptr) continue;  // refused when the configuration was read
    Entry entry{.host = route.host, .route = {&route, group}};
    if (entry.host == "*") entry.host.clear();
    if (entry.host.starts_with("*.")) {
      entry.wildcard = true;
      entry.host.erase(0, 1);
    }
    entries_.push_back(std::move(entry));
  }
}

const Route* RouteTable::match(std::string_view host, std::string_view path_and_query) const {
  for (const Entry& entry : entries_) {
    if (host_matches(entry, host) && path_matches(entry.route.settings->path, path_and_query)) {
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
