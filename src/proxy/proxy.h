// What the transactions of one worker work with.
#pragma once

#include <memory>
#include <string>

#include "adapt/adaptation.h"
#include "proxy/access_log.h"
#include "proxy/cache_part.h"
#include "proxy/routes.h"
#include "proxy/settings.h"
#include "proxy/targets.h"
#include "server/exchange.h"
#include "upstream/server_side.h"

namespace penstock {

// The filters that new transactions get; those under way keep what they have. Belongs to one
// thread.
struct FilterSlot {
  std::shared_ptr<FilterSet> current;  // null: none
};

// All must outlive the proxy. `pseudonym` is how Via and Proxy-Status name it.
struct ProxyParts {
  ServerSide& servers;
  RouteTable& routes;
  AccessLog& access_log;
  const ProxySettings& settings;
  const OwnAddresses& own_addresses;
  std::string pseudonym;
  FilterSlot* filters = nullptr;  // null: there are none, and never will be
  CachePart* cache = nullptr;     // null: there is none
};

// The Handler of forward and reverse listeners: each exchange becomes a transaction.
class Proxy final : public Handler {
 public:
  explicit Proxy(ProxyParts parts) : parts_(std::move(parts)) {}
  [[nodiscard]] const ProxyParts& parts() const { return parts_; }
  Task<void> handle(Exchange& exchange) override;
  [[nodiscard]] bool wants_connections() const override;
  Task<bool> on_connection(const ClientInfo& client, ClientControl& connection) override;

 private:
  ProxyParts parts_;
};

}  // namespace penstock
