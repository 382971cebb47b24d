// What a proxy keeps for a client connection beyond one transaction.
#pragma once

#include "adapt/connection.h"
#include "server/client_info.h"
#include "server/exchange.h"
#include "upstream/own_endpoints.h"
#include "upstream/pin_store.h"
#include "upstream/pool.h"

namespace penstock {

// What a header of the PROXY protocol says of the client, its TLS included.
[[nodiscard]] ProxyHeaderFields proxy_header_fields(const ClientInfo& client);

// Made when a transaction first needs it.
class ClientState final : public ConnectionState {
 public:
  // Of that connection; made if need be. `pool` must outlive the connection.
  static ClientState& of(ClientControl& connection, const ClientInfo& client, ServerPool& pool);
  // Null where there is none yet.
  static ClientState* find(ClientControl& connection) {
    return static_cast<ClientState*>(connection.state.get());
  }

  ClientState(ClientControl& connection, const ClientInfo& client, ServerPool& pool)
      : pins(pool.executor(), [&connection] { connection.end_if_idle(); }),
        header(proxy_header_fields(client)),
        own(pool) {}

  PinStore pins;             // the server connections that it is logged in on
  ProxyHeaderFields header;  // for servers that are to be told whom connections are for,
  OwnEndpoints own;          // and these connections
  std::unique_ptr<AdaptedConnection> filters;  // null where none cares for connections
};

}  // namespace penstock
