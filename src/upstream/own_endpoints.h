// Connections that stand for one client connection: those that begin by naming it (the PROXY
// protocol).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/proxy_header.h"
#include "upstream/endpoint.h"
#include "upstream/settings.h"

namespace penstock {

class ServerPool;

// The header for a connection, as bytes; empty for `none`.
[[nodiscard]] std::string proxy_preamble(ProxyHeader version, const ProxyHeaderFields& fields);

// Endpoints of servers whose connections serve no other client. Lives as long as the client
// connection; what of theirs is idle is closed at its end. Belongs to one thread.
class OwnEndpoints {
 public:
  // `pool` must outlive it.
  explicit OwnEndpoints(ServerPool& pool) : pool_(&pool) {}
  ~OwnEndpoints();
  OwnEndpoints(const OwnEndpoints&) = delete;
  OwnEndpoints& operator=(const OwnEndpoints&) = delete;

  // Of that server; null: there is none yet.
  [[nodiscard]] std::shared_ptr<Endpoint> find(const HopShare& server) const;
  void add(const std::shared_ptr<Endpoint>& endpoint);

 private:
  ServerPool* pool_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
};

}  // namespace penstock
