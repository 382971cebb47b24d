// Who is at the other end of a client connection, and how it came here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/address.h"
#include "server/settings.h"
#include "tls/client_facts.h"

namespace penstock {

// What only some client connections have to tell. Does not change once the protocol has begun.
struct ConnectionFacts {
  std::optional<TlsClientFacts> tls;
  // The proxy in front that sent a header of the PROXY protocol; `peer` and `local` are then what
  // that header says.
  std::optional<Address> sender;
  // TLS of the client that ended there, as the header says.
  bool tls_at_sender = false;
};

// What is known of a client connection. Lives as long as the connection.
struct ClientInfo {
  std::uint64_t connection_id = 0;  // unique in the process
  Address peer;
  // The address the client connected to. Of an intercepted connection: the one it was on its way
  // to.
  Address local;
  const ListenerSettings* listener = nullptr;
  bool listener_is_local = false;  // bound to loopback or a unix socket: only this machine gets in
  bool intercepted = false;
  std::shared_ptr<const ConnectionFacts> facts;  // null: there is nothing to tell

  // It came by TLS, which ended here or at the sender of a PROXY header.
  [[nodiscard]] bool secure() const {
    return facts && (facts->tls.has_value() || facts->tls_at_sender);
  }
  // Of a connection inside TLS, else null.
  [[nodiscard]] const TlsClientFacts* tls() const {
    return facts && facts->tls ? &*facts->tls : nullptr;
  }
};

}  // namespace penstock
