// How connections begin, before any HTTP: headers of the PROXY protocol, TLS, the choice of the
// version. Of the simulated clients, and of the simulated origins.
#pragma once

#include <memory>
#include <string>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "base/random.h"
#include "net/network.h"
#include "tests/simulation_ledger.h"
#include "tls/client_context.h"
#include "tls/server_context.h"
#include "upstream/settings.h"

namespace penstock::simulation {

// The address that clients connect from, and another that connections to origins come from.
inline constexpr const char* kClientHost = "198.51.100.1";
// What the certificates of all sides are for.
inline constexpr const char* kTlsName = "server.example";

// Files with a certificate for kTlsName, made once; and the same as settings.
[[nodiscard]] TlsServerSettings tls_server_settings();
[[nodiscard]] TlsClientSettings tls_client_settings();

// What clients do first.
struct Beginning {
  ProxyHeader header = ProxyHeader::none;
  // By ALPN they say what they will speak. Null: no TLS.
  std::shared_ptr<const TlsClientContext> tls_http1;
  std::shared_ptr<const TlsClientContext> tls_http2;
  Duration patience = std::chrono::minutes(5);
};

struct Begun {
  std::unique_ptr<ByteStream> stream;
  std::string client;  // the address that it has by its PROXY header, or without a port
};
Task<Result<Begun>> begin_connection(Network& network, Address to, Random& random,
                                     const Beginning& beginning, bool http2);

// What origins expect first.
struct Expected {
  ProxyHeader header = ProxyHeader::none;
  std::shared_ptr<const TlsServerContext> tls;
  bool http2 = false;  // connections may begin with its preface
  Duration patience = std::chrono::minutes(10);
};

struct Taken {
  std::unique_ptr<ByteStream> stream;
  InputBuffer input;   // what came already
  std::string client;  // "address:port" of the PROXY header; empty: none, or it names nobody
  bool http2 = false;
};
// A header that is not as it should be is told to the ledger.
Task<Result<Taken>> take_connection(std::unique_ptr<ByteStream> stream, const Expected& expected,
                                    Ledger& ledger);

}  // namespace penstock::simulation
