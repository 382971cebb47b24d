// What configuration sets in this room: listeners, and the limits of client connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.h"
#include "http1/chunk_decoder.h"
#include "http1/head_parser.h"

namespace penstock {

enum class ListenerMode : std::uint8_t { forward, reverse };

struct ListenerSettings {
  // "127.0.0.1:3128", "[::1]:3128", "*:80" (all IPv6 and IPv4 addresses),
  // "unix:/run/penstock.sock".
  std::string address = "127.0.0.1:3128";
  ListenerMode mode = ListenerMode::forward;
  std::size_t max_connections = 10'000;
  int backlog = 4096;
  std::uint32_t unix_mode = 0660;  // permissions of a unix socket's file
};

struct ServerSettings {
  http1::HeadLimits request_head;
  http1::ChunkLimits request_chunks;
  Duration client_head = std::chrono::seconds(30);   // from its first byte to the end of a head
  Duration client_idle = std::chrono::seconds(120);  // between two requests
  Duration stall = std::chrono::seconds(60);         // without a byte of a body moving
  // Bytes of buffers in use at which a worker stops taking up new requests (503 for them).
  std::size_t buffer_bytes = 512 * 1024 * 1024;
};

}  // namespace penstock
