// The whole configuration, read and checked: immutable, shared by all workers.
#pragma once

#include <vector>

#include "adapt/settings.h"
#include "base/settings.h"
#include "cache/settings.h"
#include "icap/settings.h"
#include "module/settings.h"
#include "net/settings.h"
#include "proxy/settings.h"
#include "server/settings.h"
#include "upstream/settings.h"

namespace penstock {

struct WorkerSettings {
  unsigned count = 0;                         // 0: one a core
  Duration drain = std::chrono::seconds(30);  // how long transactions may finish at the end
};

struct Snapshot {
  std::vector<ListenerSettings> listeners;  // never empty: the default one where none is given
  ServerSettings server;
  DnsSettings dns;
  UpstreamSettings upstream;
  ProxySettings proxy;
  CacheSettings cache;
  AdaptSettings adapt;
  ModulesSettings modules;
  icap::IcapSettings icap;
  LogSettings log;
  WorkerSettings workers;
};

}  // namespace penstock
