#include "config/summary.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "config/hosts_table.h"
#include "config/sections.h"

namespace penstock::config {
namespace {

constexpr std::size_t kWidth = 96;
constexpr std::size_t kIndent = 11;

// "name   first, second, ...", broken into lines that begin under the first.
std::string wrapped(std::string_view name, const std::vector<std::string>& items) {
  std::string out = fmt::format("{:<{}}", name, kIndent);
  std::size_t column = kIndent;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string text = items[i] + (i + 1 < items.size() ? "," : "");
    if (i > 0 && column + 1 + text.size() > kWidth) {
      out += fmt::format("\n{:<{}}", "", kIndent);
      column = kIndent;
    } else if (i > 0) {
      out += ' ';
      ++column;
    }
    out += text;
    column += text.size();
  }
  return out + '\n';
}

// The changes without those of some keys.
template <class Owner>
std::vector<std::string> changes_without(const Section<Owner>& section, const Owner& owner,
                                         std::span<const std::string_view> shown) {
  std::vector<std::string> out = changes(section, owner);
  std::erase_if(out, [shown](std::string_view item) {
    return std::ranges::find(shown, item.substr(0, item.find(' '))) != shown.end();
  });
  return out;
}

std::string listener_line(const ListenerSettings& listener) {
  constexpr std::string_view kShown[] = {"address", "mode"};
  auto items = changes_without(kListener, listener, kShown);
  items.insert(items.begin(), fmt::format("{} ({})", fmt::join(listener.addresses, ", "),
                                          to_string(listener.mode)));
  return wrapped("listener", items);
}

std::string route_line(const RouteSettings& route) {
  constexpr std::string_view kShown[] = {"host", "path", "to", "via"};
  auto items = changes_without(kRoute, route, kShown);
  const std::string to =
      route.via.empty() ? route.to : fmt::format("via {}", fmt::join(route.via, ", "));
  items.insert(items.begin(), fmt::format("{}{} -> {}", route.host, route.path, to));
  return wrapped("route", items);
}

std::string server_text(const ServerEntry& server) {
  constexpr std::string_view kShown[] = {"address"};
  const auto more = changes_without(kServer, server, kShown);
  if (more.empty()) return server.address;
  return fmt::format("{} ({})", server.address, fmt::join(more, ", "));
}

std::string group_line(const UpstreamGroupSettings& group) {
  constexpr std::string_view kShown[] = {"servers", "service"};
  std::vector<std::string> items;
  for (const ServerEntry& server : group.servers) items.push_back(server_text(server));
  if (!group.service.empty()) items.push_back(group.service + " (SRV)");
  if (!items.empty()) items.front() = fmt::format("{}: {}", group.name, items.front());
  std::ranges::move(changes_without(kUpstream, group, kShown), std::back_inserter(items));
  return wrapped("upstream", items);
}

std::string peer_line(const PeerSettings& peer) {
  constexpr std::string_view kShown[] = {"name", "address", "type"};
  auto items = changes_without(kPeer, peer, kShown);
  items.insert(items.begin(), fmt::format("{}: {} ({})", peer.name, peer.address,
                                          peer.kind == PeerKind::http ? "http" : "socks5"));
  return wrapped("peer", items);
}

// Who logs in with what is nobody's business but the servers'.
std::string credentials_line(const OriginCredentialSettings& entry) {
  const std::string scheme = kCredentials.find("scheme")->show(entry);  // in quotes
  return wrapped(
      "credential",
      {fmt::format("{} ({})", entry.host, std::string_view(scheme).substr(1, scheme.size() - 2))});
}

// Name and work first.
std::string filter_line(const FilterSettings& filter) {
  const std::string_view work = filter_works()[filter.work.index()];
  const std::string_view shown[] = {"name", work};
  auto items = changes_without(kFilter, filter, shown);
  items.insert(items.begin(),
               fmt::format("{}: {} = {}", filter.name, work, kFilter.find(work)->show(filter)));
  return wrapped("filter", items);
}

std::string module_line(const ModuleSettings& module) {
  constexpr std::string_view kShown[] = {"file"};
  auto items = changes_without(kModule, module, kShown);
  items.insert(items.begin(), fmt::format("{}: {}", module.name, module.file));
  return wrapped("module", items);
}

std::string service_line(const icap::ServiceSettings& service) {
  constexpr std::string_view kShown[] = {"url"};
  auto items = changes_without(kIcap, service, kShown);
  items.insert(items.begin(), fmt::format("{}: {}", service.name, service.url));
  return wrapped("icap", items);
}

// Every value, defaults included.
std::string single_line(const Section<Draft>& section, const Draft& draft) {
  // These stand with each listener and each pool.
  constexpr std::string_view kDefaults[] = {"connections", "server_idle"};
  std::vector<std::string> items;
  for (const Key<Draft>& key : section.keys) {
    if (std::ranges::find(kDefaults, key.name) != std::end(kDefaults)) continue;
    items.push_back(fmt::format("{} = {}", key.name, key.show(draft)));
  }
  return wrapped(section.name, items);
}

}  // namespace

std::string summary(const Snapshot& snapshot) {
  std::string out;
  const UpstreamSettings& upstream = snapshot.upstream;
  for (const ListenerSettings& listener : snapshot.listeners) out += listener_line(listener);
  for (const RouteSettings& route : snapshot.proxy.routes) out += route_line(route);
  for (const FilterSettings& filter : snapshot.adapt.filters) out += filter_line(filter);
  for (const CacheRuleSettings& rule : snapshot.proxy.cache_rules) {
    out += wrapped(kCacheRule.name, changes(kCacheRule, rule));
  }
  for (const icap::ServiceSettings& service : snapshot.icap.services) out += service_line(service);
  for (const ModuleSettings& module : snapshot.modules.modules) out += module_line(module);
  for (const UpstreamGroupSettings& group : upstream.groups) out += group_line(group);
  for (const PeerSettings& peer : upstream.peers) out += peer_line(peer);
  for (const OriginCredentialSettings& entry : upstream.credentials) out += credentials_line(entry);
  if (!snapshot.dns.hosts.empty()) out += wrapped(kHostsTable, show_hosts(snapshot.dns.hosts));
  Draft draft;
  draft.snapshot = snapshot;
  for (const Section<Draft>* section : single_sections()) out += single_line(*section, draft);
  return out;
}

}  // namespace penstock::config
