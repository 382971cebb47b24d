// What configuration sets in this room: listeners, and the limits of client connections.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "http1/chunk_decoder.h"
#include "http1/head_parser.h"
#include "http2/settings.h"
#include "tls/settings.h"

namespace penstock {

enum class ListenerMode : std::uint8_t {
  forward,  // clients name the server they want
  reverse,  // routes say which server
  tcp,      // bytes are passed on as they are; routes say where, by the name in a ClientHello
};

// As configuration and logs name it.
[[nodiscard]] constexpr std::string_view to_string(ListenerMode mode) {
  constexpr std::array<std::string_view, 3> kNames{"forward", "reverse", "tcp"};
  return kNames[static_cast<std::size_t>(mode)];
}

// Connections that were on their way to others, and that the system brings here.
enum class Interception : std::uint8_t {
  none,
  redirect,  // netfilter's REDIRECT or DNAT: the system knows where to (SO_ORIGINAL_DST)
  tproxy,    // netfilter's TPROXY: the accepted socket has the address they were on their way to
};

struct ListenerSettings {
  std::string name;  // for routes and logs; may be empty
  // "127.0.0.1:3128", "[::1]:3128", "*:80" (all IPv6 and IPv4 addresses),
  // "unix:/run/penstock.sock"; "systemd:NAME" for sockets that systemd hands over.
  std::vector<std::string> addresses = {"127.0.0.1:3128"};
  ListenerMode mode = ListenerMode::forward;
  Interception interception = Interception::none;
  // Connections from these networks ("192.0.2.0/24", "2001:db8::/32", "unix") begin with a header
  // of the PROXY protocol; those from others do not.
  std::vector<std::string> proxy_protocol_from;
  std::optional<TlsServerSettings> tls;
  // Of a tcp listener: routes go by the name in a ClientHello, so it has to be waited for.
  bool look_for_name = false;
  bool http2 = true;  // by ALPN where there is TLS, else by prior knowledge (RFC 9113 section 3)
  std::size_t max_connections = 10'000;
  int backlog = 4096;
  std::uint32_t unix_mode = 0660;  // permissions of a unix socket's file
};

struct ServerSettings {
  http1::HeadLimits request_head;
  http1::ChunkLimits request_chunks;
  http2::Settings http2;
  // From accepting to where the protocol begins: a PROXY header, a TLS handshake.
  Duration client_handshake = std::chrono::seconds(10);
  Duration client_head = std::chrono::seconds(30);   // from its first byte to the end of a head
  Duration client_idle = std::chrono::seconds(120);  // between two requests
  Duration stall = std::chrono::seconds(60);         // without a byte of a body moving
  // Bytes of buffers in use at which a worker stops taking up new requests (503 for them).
  std::size_t buffer_bytes = 512 * 1024 * 1024;
};

}  // namespace penstock
