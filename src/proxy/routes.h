// Where requests and connections go, by the routes of the configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/field_edits.h"
#include "proxy/settings.h"
#include "server/client_info.h"
#include "upstream/rendezvous.h"
#include "upstream/server_side.h"

namespace penstock {

struct Route {
  const RouteSettings* settings;
  ServerGroup* group = nullptr;  // of a route of reverse listeners
  // Of a route of forward listeners: peers, null for none of them; and who they are, to be ordered
  // by host.
  std::vector<Peer*> via = {};
  std::vector<NodeIdentity> nodes = {};
  FieldEditor request{settings->request, NameMatch::alike};
  FieldEditor response{settings->response};
};

// The routes of a configuration, to the server groups of one worker. Belongs to one thread; both
// must outlive it.
class RouteTable {
 public:
  RouteTable(const std::vector<RouteSettings>& routes, ServerSide& servers);

  // The first route of reverse listeners that matches, or null: by the client's listener, what it
  // has shown of itself, host and path. `host` is compared without regard
  // to case, and without port; `path` by prefix, where "/app" covers "/app", "/app/..." and
  // "/app?..." but not
  // "/application".
  [[nodiscard]] const Route* match(const ClientInfo& client, std::string_view host,
                                   std::string_view path_and_query) const;
  // The same of forward listeners.
  [[nodiscard]] const Route* match_via(const ClientInfo& client, std::string_view host,
                                       std::string_view path_and_query) const;
  // The same of tcp listeners: routes that say something of paths or fields are none of theirs.
  [[nodiscard]] const Route* match_tcp(const ClientInfo& client,
                                       std::string_view server_name) const;

 private:
  struct Entry {
    std::string host;  // lower case; empty for all
    bool wildcard = false;
    bool for_some = false;   // clients or listeners, not for all
    bool for_bytes = false;  // also takes connections of tcp listeners
    Route route;
  };
  static const Route* find(const std::vector<Entry>& entries, const ClientInfo& client,
                           std::string_view host, std::string_view path, bool bytes);
  static bool is_for(const RouteSettings& route, const ClientInfo& client);
  static bool host_matches(const Entry& entry, std::string_view host);
  static bool path_matches(std::string_view prefix, std::string_view path);

  std::vector<Entry> entries_;
  std::vector<Entry> via_entries_;
};

}  // namespace penstock
