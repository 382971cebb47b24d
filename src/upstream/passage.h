// The way to a server beyond the first socket: through a peer, and inside TLS.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "http1/head_parser.h"
#include "message/head.h"
#include "net/address.h"
#include "net/network.h"
#include "tls/client_context.h"
#include "upstream/settings.h"

namespace penstock {

class Peer;

// All that makes connections over the same socket address differ.
struct Passage {
  // TLS over the socket: to the server, or to the peer where there is one.
  std::shared_ptr<const TlsClientContext> tls;
  std::string tls_name;  // whom the certificate has to name
  // Which HTTP is spoken; `tls` offers that (ALPN). `negotiate` is only for where there is TLS.
  HttpChoice http = HttpChoice::http1;
  // The same as `tls` without offering HTTP/2; null: that is `tls` itself.
  std::shared_ptr<const TlsClientContext> tls_http1;
  // Sent before all else, TLS included: a header of the PROXY protocol; may be empty.
  std::string preamble;
  // The other end is a proxy that takes requests in absolute form.
  bool to_proxy = false;
  // The peer at the other end is asked for a tunnel to that host. Null: there is none.
  Peer* tunnel_peer = nullptr;
  std::string tunnel_host;
  std::uint16_t tunnel_port = 0;
  // TLS inside the tunnel, to the host.
  std::shared_ptr<const TlsClientContext> tunnel_tls;
  // Where the client itself logs in at the peer: its login, in place of ours, and where to put the
  // peer's answer if it refuses. Such tunnels are not for others.
  std::string_view client_login = {};
  ResponseHead* refusal = nullptr;
};

struct OpenedPassage {
  std::unique_ptr<ByteStream> stream;
  InputBuffer input;      // bytes that came behind the peer's answer
  std::size_t index = 0;  // of the address
  bool http2 = false;     // what is to be spoken on it
};

struct PassageLimits {
  TimePoint deadline = kNever;  // of all steps together
  http1::HeadLimits head;       // of a peer's answer
  bool http1 = false;           // HTTP/2 will not do, whatever the passage says
};

// Opens a connection to one of the addresses (not empty) and goes all the way. Errors are of side
// `server` and retryable: those of connecting, of TLS, and what a peer had against a tunnel
// (upstream/peer_failure.h). A server that does not agree to HTTP/2 where that is a must is an
// error of TLS. The arguments must stay valid until done.
Task<Result<OpenedPassage>> open_passage(Network& network, std::span<const Address> addresses,
                                         const Passage& passage, const PassageLimits& limits);

}  // namespace penstock
