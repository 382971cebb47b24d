// The configuration while it is read: what becomes the snapshot, and where in the file it stood.
#pragma once

#include <cstddef>
#include <vector>

#include "config/diagnostic.h"
#include "config/snapshot.h"

namespace penstock::config {

// Where the parts of a list's entry stand. `sound`: all of the entry was understood, so that
// checks of it say something.
struct ListenerPlace {
  Place self, name, mode;
  std::vector<Place> addresses;  // of each
  bool sound = false;
};
struct RoutePlace {
  Place self, name, to;
  std::vector<Place> via;        // of each name
  std::vector<Place> listeners;  // of each name
  bool sound = false;
};
struct FilterPlace {
  Place self, name, module;
  std::vector<Place> services, listeners, routes;          // of each name
  std::vector<Place> excepted_listeners, excepted_routes;  // of each name in `unless`
  bool sound = false;
};
struct CacheRulePlace {
  Place self;
  std::vector<Place> listeners, routes;  // of each name
  bool sound = false;
};
struct PeerPlace {
  Place self, name;
};

struct Draft {
  Snapshot snapshot;
  std::size_t connections = ListenerSettings{}.max_connections;  // for listeners that say nothing
  Duration server_idle = PoolSettings{}.idle;                    // for pools that do
  // Of the entries of the snapshot's lists, in the same order.
  std::vector<ListenerPlace> listeners;
  std::vector<RoutePlace> routes;
  std::vector<Place> groups;
  std::vector<PeerPlace> peers;
  std::vector<Place> credentials;
  std::vector<FilterPlace> filters;
  std::vector<Place> services;
  std::vector<CacheRulePlace> cache_rules;
};

}  // namespace penstock::config
