#include "config/listener_checks.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/wording.h"
#include "config/address.h"

namespace penstock::config {
namespace {

// ---- Addresses.

struct Listened {
  std::string_view text;  // as it is written
  std::string host;       // without brackets
  std::string port;
  Place place;
};

Listened listened_on(std::string_view text, Place place) {
  const std::string address = canonical_listen_address(text);
  const std::size_t colon = address.rfind(':');
  return {.text = text,
          .host = address.substr(0, colon),
          .port = address.substr(colon + 1),
          .place = place};
}

bool is_v4(std::string_view host) { return host != "*" && !host.contains(':'); }

// Every address that is one of the other's is taken up by it too. "[::]" is the same as "*".
bool takes_up(const Listened& wide, const Listened& narrow) {
  if (wide.port != narrow.port) return false;
  if (wide.host == "*" || wide.host == "::") return true;
  return wide.host == "0.0.0.0" && is_v4(narrow.host);
}

// ---- Routes.

// What keeps a route from all that comes to a listener; the later, the less is in the way.
enum class Obstacle : std::uint8_t { mode, passed_over, asks_nobody, asks_everybody, none };

Obstacle obstacle_between(const ListenerSettings& listener, const RouteSettings& route) {
  const bool tcp = listener.mode == ListenerMode::tcp;
  if (route.via.empty() == (listener.mode == ListenerMode::forward)) return Obstacle::mode;
  const auto edits = [](const FieldEdits& e) {
    return !e.remove.empty() || !e.set.empty() || !e.add.empty();
  };
  if (tcp && (route.path != "/" || edits(route.request) || edits(route.response))) {
    return Obstacle::passed_over;
  }
  const ClientCertificates asked =
      listener.tls ? listener.tls->client_certificates : ClientCertificates::off;
  if (route.client == ClientProof::certificate && asked == ClientCertificates::off) {
    return Obstacle::asks_nobody;
  }
  if (route.client == ClientProof::none && asked == ClientCertificates::required) {
    return Obstacle::asks_everybody;
  }
  return Obstacle::none;
}

constexpr std::array<std::string_view, 4> kWhy{
    "no listener that it is for has a mode it goes with: to goes with \"reverse\" and \"tcp\", via "
    "with \"forward\"",
    "tcp listeners pass over routes with path, request or response, and it is for no other ones",
    "no listener that it is for asks clients for certificates: add client_certificates to its tls",
    "listeners that it is for take no clients without a certificate",
};

}  // namespace

void check_wildcard_addresses(const Draft& draft, Report& report) {
  std::vector<Listened> seen;
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    if (!draft.listeners[i].sound) continue;
    const auto& addresses = draft.snapshot.listeners[i].addresses;
    for (std::size_t j = 0; j < addresses.size(); ++j) {
      if (addresses[j].starts_with("unix:") || addresses[j].starts_with("systemd:")) continue;
      Listened one = listened_on(addresses[j], draft.listeners[i].addresses[j]);
      if (one.port == "0") continue;  // each gets its own
      const auto clash = std::ranges::find_if(seen, [&one](const Listened& other) {
        const bool same = one.host == other.host;  // told elsewhere
        return !same && (takes_up(one, other) || takes_up(other, one));
      });
      if (clash != seen.end()) {
        const bool wide = takes_up(one, *clash);
        report.error(one.place,
                     fmt::format("{} stands for all addresses, {} of line {} too: leave out one",
                                 quoted(wide ? one.text : clash->text),
                                 quoted(wide ? clash->text : one.text), clash->place.line));
      }
      seen.push_back(std::move(one));
    }
  }
}

std::string_view why_out_of_reach(const Snapshot& snapshot, const RouteSettings& route) {
  const auto& listeners = snapshot.listeners;
  const bool no_mode = std::ranges::all_of(listeners, [&route](const ListenerSettings& listener) {
    return obstacle_between(listener, route) == Obstacle::mode;
  });
  if (no_mode) return {};
  Obstacle least = Obstacle::mode;
  for (const ListenerSettings& listener : listeners) {
    const bool for_it = route.listeners.empty() ||
                        std::ranges::find(route.listeners, listener.name) != route.listeners.end();
    if (for_it) least = std::max(least, obstacle_between(listener, route));
  }
  return least == Obstacle::none ? std::string_view() : kWhy[static_cast<std::size_t>(least)];
}

}  // namespace penstock::config
