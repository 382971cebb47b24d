// What configuration sets in this room: how much of an HTTP/2 connection one peer may use.
#pragma once

#include <cstdint>

namespace penstock::http2 {

struct Settings {
  // Streams that a client may have open at a time (SETTINGS_MAX_CONCURRENT_STREAMS).
  std::uint32_t max_streams = 100;
  // Bytes of one message's content that may be on their way to us, or wait here to be taken
  // (SETTINGS_INITIAL_WINDOW_SIZE), and of all messages of a connection.
  std::uint32_t stream_window = 256 * 1024;
  std::uint32_t connection_window = 1024 * 1024;
};

}  // namespace penstock::http2
