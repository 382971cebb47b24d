// The opening handshake of a WebSocket in HTTP/1.1 (RFC 6455 section 4), as far as a proxy has to
// play a side of it.
#pragma once

#include <array>
#include <string_view>

namespace penstock {

inline constexpr std::string_view kWebSocketKeyField = "Sec-WebSocket-Key";
inline constexpr std::string_view kWebSocketAcceptField = "Sec-WebSocket-Accept";

using WebSocketKey = std::array<char, 24>;     // base64 of 16 bytes
using WebSocketAccept = std::array<char, 28>;  // base64 of a SHA-1

// A value for Sec-WebSocket-Key, at random.
[[nodiscard]] WebSocketKey make_websocket_key();
// What a server that agrees answers a key with in Sec-WebSocket-Accept.
[[nodiscard]] WebSocketAccept websocket_accept(std::string_view key);

}  // namespace penstock
