// Where requests and connections go, by the routes of the configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapt/field_edits.h"
#include "message/match.h"
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
  // has shown of itself, host (without port) and path, as message/match.h says.
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
    HostPattern host;
    bool for_some = false;   // clients or listeners, not for all
    bool for_bytes = false;  // also takes connections of tcp listeners
    Route route;
  };
  static const Route* find(const std::vector<Entry>& entries, const ClientInfo& client,
                           std::string_view host, std::string_view path, bool bytes);
  static bool is_for(const RouteSettings& route, const ClientInfo& client);

  std::vector<Entry> entries_;
  std::vector<Entry> via_entries_;
};

}  // namespace penstock
