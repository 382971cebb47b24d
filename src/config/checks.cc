#include "config/checks.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/wording.h"
#include "config/address.h"
#include "config/filter_checks.h"
#include "config/listener_checks.h"
#include "message/fields.h"

namespace penstock::config {
namespace {

std::vector<std::string_view> group_names(const Snapshot& snapshot) {
  std::vector<std::string_view> out;
  out.reserve(snapshot.upstream.groups.size());
  for (const UpstreamGroupSettings& group : snapshot.upstream.groups) out.push_back(group.name);
  return out;
}

// Listeners whose requests or connections go to upstream groups; those of others go to the servers
// that they name, or were on their way to, unless a route says otherwise.
bool needs_group(const ListenerSettings& listener) {
  return listener.mode != ListenerMode::forward && listener.interception == Interception::none;
}

bool takes(const ListenerSettings& listener, const RouteSettings& route) {
  return route.via.empty() == (listener.mode != ListenerMode::forward);
}

bool leads_to_group(const RouteSettings& route) { return route.via.empty(); }

void check_listener_addresses(const Draft& draft, Report& report) {
  std::map<std::string, Place> seen;
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    if (!draft.listeners[i].sound) continue;
    const auto& addresses = draft.snapshot.listeners[i].addresses;
    for (std::size_t j = 0; j < addresses.size(); ++j) {
      const std::string address = canonical_listen_address(addresses[j]);
      if (!address.starts_with("unix:") && address.ends_with(":0")) continue;  // each gets its own
      const Place place = draft.listeners[i].addresses[j];
      const auto [first, is_new] = seen.emplace(address, place);
      if (is_new) continue;
      report.error(place,
                   fmt::format("two listeners cannot have one address: {} is taken in line {}",
                               quoted(address), first->second.line));
    }
  }
}

void check_listener_names(const Draft& draft, Report& report) {
  std::map<std::string_view, Place> seen;
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    const std::string& name = draft.snapshot.listeners[i].name;
    if (name.empty()) continue;
    names.emplace_back(name);
    const auto [first, is_new] = seen.emplace(name, draft.listeners[i].name);
    if (is_new) continue;
    report.error(draft.listeners[i].name,
                 fmt::format("two listeners cannot have one name: {} is taken in line {}",
                             quoted(name), first->second.line));
  }
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    const auto& wanted = draft.snapshot.proxy.routes[i].listeners;
    if (!draft.routes[i].sound) continue;
    for (std::size_t j = 0; j < wanted.size(); ++j) {
      if (seen.contains(wanted[j])) continue;
      report.error(draft.routes[i].listeners[j],
                   fmt::format("there is no listener {}: {}", quoted(wanted[j]),
                               names.empty() ? "give one this name" : hint(wanted[j], names)));
    }
  }
}

void check_route_targets(const Draft& draft, Report& report) {
  const auto names = group_names(draft.snapshot);
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    const std::string& to = draft.snapshot.proxy.routes[i].to;
    if (to.empty() || std::ranges::find(names, to) != names.end()) continue;  // empty: reported
    report.error(
        draft.routes[i].to,
        fmt::format("there is no upstream group {}: {}", quoted(to),
                    names.empty() ? fmt::format("add [upstream.{}]", to) : hint(to, names)));
  }
}

void check_peer_names(const Draft& draft, Report& report) {
  std::map<std::string_view, Place> seen;
  for (std::size_t i = 0; i < draft.peers.size(); ++i) {
    const std::string& name = draft.snapshot.upstream.peers[i].name;
    const auto [first, is_new] = seen.emplace(name, draft.peers[i].name);
    if (is_new || name.empty()) continue;  // empty: reported
    report.error(draft.peers[i].name,
                 fmt::format("two peers cannot have one name: {} is taken in line {}", quoted(name),
                             first->second.line));
  }
}

void check_via(const std::vector<std::string>& via, const std::vector<Place>& places,
               std::span<const std::string_view> known, Report& report) {
  for (std::size_t i = 0; i < via.size(); ++i) {
    if (std::ranges::find(known, via[i]) == known.end()) {
      report.error(places[i], fmt::format("there is no peer {}: {}", quoted(via[i]),
                                          known.size() == 1 ? "add a [[peer]] of that name"
                                                            : hint(via[i], known)));
    } else if (std::find(via.begin(), via.begin() + static_cast<std::ptrdiff_t>(i), via[i]) !=
               via.begin() + static_cast<std::ptrdiff_t>(i)) {
      report.error(places[i], fmt::format("{} stands in this list twice", quoted(via[i])));
    }
  }
}

void check_route_peers(const Draft& draft, Report& report) {
  std::vector<std::string_view> known{"direct"};
  for (const PeerSettings& peer : draft.snapshot.upstream.peers) known.emplace_back(peer.name);
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    if (!draft.routes[i].sound) continue;
    check_via(draft.snapshot.proxy.routes[i].via, draft.routes[i].via, known, report);
  }
}

// A reverse listener needs somewhere to send requests; with one group there is no doubt.
void complete_routes(Draft& draft, Report& report) {
  Snapshot& snapshot = draft.snapshot;
  const auto& routes = snapshot.proxy.routes;
  if (std::ranges::none_of(snapshot.listeners, needs_group) ||
      std::ranges::any_of(routes, leads_to_group)) {
    return;
  }
  // Intercepted connections are not for it, unless it is said.
  const bool others = std::ranges::any_of(snapshot.listeners, [](const ListenerSettings& listener) {
    return listener.mode == ListenerMode::tcp && !needs_group(listener);
  });
  if (snapshot.upstream.groups.size() == 1 && !others) {
    RouteSettings route;
    route.to = snapshot.upstream.groups.front().name;
    snapshot.proxy.routes.push_back(std::move(route));
    draft.routes.push_back(
        {.self = draft.groups.front(), .to = draft.groups.front(), .sound = true});
    return;
  }
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    if (!needs_group(snapshot.listeners[i])) continue;
    const std::string_view mode = to_string(snapshot.listeners[i].mode);
    report.error(
        draft.listeners[i].mode,
        snapshot.upstream.groups.empty()
            ? fmt::format("a {} listener needs servers: add [upstream.NAME] with servers = [...]",
                          mode)
        : others ? fmt::format(
                       "a {} listener needs a [[route]] for it (listener = ...): others intercept, "
                       "and their connections are not for the group",
                       mode)
                 : fmt::format("a {} listener needs a [[route]]: with {} upstream groups it is not "
                               "clear where requests go",
                               mode, snapshot.upstream.groups.size()));
  }
}

// A path is a prefix of whole segments: "/api" takes "/api" and "/api/x", but not "/apix".
bool path_covers(std::string_view wide, std::string_view narrow) {
  if (!narrow.starts_with(wide)) return false;
  return wide.ends_with('/') || narrow.size() == wide.size() || narrow[wide.size()] == '/';
}

bool covers(const RouteSettings& wide, const RouteSettings& narrow) {
  const auto listens = [&wide](const std::string& name) {
    return std::ranges::find(wide.listeners, name) != wide.listeners.end();
  };
  const bool all_listeners =
      wide.listeners.empty() ||
      (!narrow.listeners.empty() && std::ranges::all_of(narrow.listeners, listens));
  const bool all_clients = wide.client == ClientProof::any || wide.client == narrow.client;
  return leads_to_group(wide) == leads_to_group(narrow) && all_listeners && all_clients &&
         path_covers(wide.path, narrow.path) && host_pattern_covers(wide.host, narrow.host);
}

void warn_of_idle_routes(const Draft& draft, Report& report) {
  const auto& routes = draft.snapshot.proxy.routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto end = routes.begin() + static_cast<std::ptrdiff_t>(i);
    const auto before = std::find_if(
        routes.begin(), end, [&](const RouteSettings& other) { return covers(other, routes[i]); });
    if (before != end) {
      const auto line = draft.routes[static_cast<std::size_t>(before - routes.begin())].self.line;
      report.warning(draft.routes[i].self,
                     fmt::format("this route can never be taken: the one in line {} takes all its "
                                 "requests; put it before that one",
                                 line));
    } else if (const auto why = why_out_of_reach(draft.snapshot, routes[i]); !why.empty()) {
      report.warning(draft.routes[i].self, fmt::format("this route can never be taken: {}", why));
    }
  }
}

// Only where a route asks for it: a client may say nothing until its server does.
void look_for_names(Snapshot& snapshot) {
  for (ListenerSettings& listener : snapshot.listeners) {
    const auto asks = [&listener](const RouteSettings& route) {
      const bool here = route.listeners.empty() ||
                        std::ranges::find(route.listeners, listener.name) != route.listeners.end();
      return here && leads_to_group(route) && route.host != "*";
    };
    listener.look_for_name = listener.mode == ListenerMode::tcp && !listener.tls &&
                             std::ranges::any_of(snapshot.proxy.routes, asks);
  }
}

void warn_of_routes_without_listener(const Draft& draft, bool to_group, std::string_view message,
                                     Report& report) {
  const auto& routes = draft.snapshot.proxy.routes;
  const auto first = std::ranges::find(routes, to_group, &leads_to_group);
  if (first == routes.end()) return;
  const auto takes_it = [&first](const ListenerSettings& listener) {
    return takes(listener, *first);
  };
  if (std::ranges::any_of(draft.snapshot.listeners, takes_it)) return;
  report.warning(draft.routes[static_cast<std::size_t>(first - routes.begin())].self,
                 std::string(message));
}

void warn_of_unused_peers(const Draft& draft, Report& report) {
  const auto& peers = draft.snapshot.upstream.peers;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const auto leads_here = [&](const RouteSettings& route) {
      return std::ranges::find(route.via, peers[i].name) != route.via.end();
    };
    if (std::ranges::any_of(draft.snapshot.proxy.routes, leads_here)) continue;
    report.warning(draft.peers[i].self, fmt::format("no route leads to {}", quoted(peers[i].name)));
  }
}

void warn_of_unused_credentials(const Draft& draft, Report& report) {
  const auto& credentials = draft.snapshot.upstream.credentials;
  for (std::size_t i = 1; i < credentials.size(); ++i) {
    const auto end = credentials.begin() + static_cast<std::ptrdiff_t>(i);
    const auto first = std::find_if(credentials.begin(), end, [&](const auto& other) {
      return equals_ignoring_case(other.host, credentials[i].host);
    });
    if (first == end) continue;
    report.warning(
        draft.credentials[i],
        fmt::format("these are never used: there are others for {} in line {}",
                    quoted(credentials[i].host),
                    draft.credentials[static_cast<std::size_t>(first - credentials.begin())].line));
  }
}

void warn_of_unused(const Draft& draft, Report& report) {
  const Snapshot& snapshot = draft.snapshot;
  warn_of_routes_without_listener(
      draft, true, "routes are never taken: no listener has mode = \"reverse\" or mode = \"tcp\"",
      report);
  warn_of_routes_without_listener(
      draft, false, "routes with via are never taken: no listener has mode = \"forward\"", report);
  warn_of_unused_peers(draft, report);
  warn_of_unused_credentials(draft, report);
  // A module may choose any group.
  const auto is_module = [](const FilterSettings& filter) {
    return std::holds_alternative<ModuleFilterSettings>(filter.work);
  };
  if (std::ranges::any_of(snapshot.adapt.filters, is_module)) return;
  for (std::size_t i = 0; i < snapshot.upstream.groups.size(); ++i) {
    const auto leads_here = [&](const RouteSettings& route) {
      return route.to == snapshot.upstream.groups[i].name;
    };
    if (std::ranges::any_of(snapshot.proxy.routes, leads_here)) continue;
    report.warning(draft.groups[i],
                   fmt::format("no route leads to {}", quoted(snapshot.upstream.groups[i].name)));
  }
}

}  // namespace

void complete_and_check(Draft& draft, Report& report) {
  check_listener_addresses(draft, report);
  check_wildcard_addresses(draft, report);
  check_listener_names(draft, report);
  check_route_targets(draft, report);
  check_peer_names(draft, report);
  check_route_peers(draft, report);
  check_route_names(draft, report);
  check_filters(draft, report);
  check_cache_rules(draft, report);
  name_filters(draft);
  give_modules_tls(draft.snapshot);
  complete_routes(draft, report);
  look_for_names(draft.snapshot);
  if (draft.snapshot.listeners.empty()) {
    draft.snapshot.listeners.push_back({.max_connections = draft.connections});
  }
  if (report.errors() > 0) return;  // what follows could be their consequence
  warn_of_idle_routes(draft, report);
  warn_of_unused(draft, report);
  warn_of_idle_filters(draft, report);
}

}  // namespace penstock::config
