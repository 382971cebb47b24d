#include "config/checks.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "config/address.h"
#include "config/wording.h"

namespace penstock::config {
namespace {

std::vector<std::string_view> group_names(const Snapshot& snapshot) {
  std::vector<std::string_view> out;
  out.reserve(snapshot.upstream.groups.size());
  for (const UpstreamGroupSettings& group : snapshot.upstream.groups) out.push_back(group.name);
  return out;
}

bool has_reverse_listener(const Snapshot& snapshot) {
  return std::ranges::any_of(snapshot.listeners, [](const ListenerSettings& listener) {
    return listener.mode == ListenerMode::reverse;
  });
}

void check_listener_addresses(const Draft& draft, Report& report) {
  std::map<std::string, Place> seen;
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    if (!draft.listeners[i].sound) continue;
    const std::string address = canonical_listen_address(draft.snapshot.listeners[i].address);
    if (!address.starts_with("unix:") && address.ends_with(":0")) continue;  // each gets its own
    const Place place = draft.listeners[i].address;
    const auto [first, is_new] = seen.emplace(address, place);
    if (is_new) continue;
    report.error(place, fmt::format("two listeners cannot have one address: {} is taken in line {}",
                                    quoted(address), first->second.line));
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

// A reverse listener needs somewhere to send requests; with one group there is no doubt.
void complete_routes(Draft& draft, Report& report) {
  Snapshot& snapshot = draft.snapshot;
  if (!has_reverse_listener(snapshot) || !snapshot.proxy.routes.empty()) return;
  if (snapshot.upstream.groups.size() == 1) {
    RouteSettings route;
    route.to = snapshot.upstream.groups.front().name;
    snapshot.proxy.routes.push_back(std::move(route));
    draft.routes.push_back(
        {.self = draft.groups.front(), .to = draft.groups.front(), .sound = true});
    return;
  }
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    if (snapshot.listeners[i].mode != ListenerMode::reverse) continue;
    report.error(
        draft.listeners[i].mode,
        snapshot.upstream.groups.empty()
            ? "a reverse listener needs servers: add [upstream.NAME] with servers = [...]"
            : fmt::format("a reverse listener needs a [[route]]: with {} upstream groups it "
                          "is not clear where requests go",
                          snapshot.upstream.groups.size()));
  }
}

// A path is a prefix of whole segments: "/api" takes "/api" and "/api/x", but not "/apix".
bool path_covers(std::string_view wide, std::string_view narrow) {
  if (!narrow.starts_with(wide)) return false;
  return wide.ends_with('/') || narrow.size() == wide.size() || narrow[wide.size()] == '/';
}

bool covers(const RouteSettings& wide, const RouteSettings& narrow) {
  return path_covers(wide.path, narrow.path) && host_pattern_covers(wide.host, narrow.host);
}

void warn_of_covered_routes(const Draft& draft, Report& report) {
  const auto& routes = draft.snapshot.proxy.routes;
  for (std::size_t i = 1; i < routes.size(); ++i) {
    for (std::size_t before = 0; before < i; ++before) {
      if (!covers(routes[before], routes[i])) continue;
      report.warning(draft.routes[i].self,
                     fmt::format("this route can never be taken: the one in line {} takes all its "
                                 "requests; put it before that one",
                                 draft.routes[before].self.line));
      break;
    }
  }
}

void warn_of_unused(const Draft& draft, Report& report) {
  const Snapshot& snapshot = draft.snapshot;
  if (!has_reverse_listener(snapshot) && !draft.routes.empty()) {
    report.warning(draft.routes.front().self,
                   "routes are never taken: no listener has mode = \"reverse\"");
  }
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
  check_route_targets(draft, report);
  complete_routes(draft, report);
  if (draft.snapshot.listeners.empty()) {
    draft.snapshot.listeners.push_back({.max_connections = draft.connections});
  }
  if (report.errors() > 0) return;  // what follows could be their consequence
  warn_of_covered_routes(draft, report);
  warn_of_unused(draft, report);
}

}  // namespace penstock::config
