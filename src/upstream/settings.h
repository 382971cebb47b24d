// What configuration sets in this room: server groups, and the limits of server connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/time.h"
#include "http1/chunk_decoder.h"
#include "http1/head_parser.h"

namespace penstock {

// An [upstream.NAME] group.
struct UpstreamGroupSettings {
  std::string name;
  std::vector<std::string> servers;  // "host:port", "[::1]:80", "unix:/path"; port 80 when left out
};

struct UpstreamSettings {
  http1::HeadLimits response_head;
  http1::ChunkLimits response_chunks;
  Duration connect = std::chrono::seconds(5);
  Duration stall = std::chrono::seconds(60);        // without a byte from or to the server
  Duration server_idle = std::chrono::seconds(60);  // how long an idle connection is kept
  std::size_t max_idle = 4096;  // idle connections kept by a worker, all servers
};

}  // namespace penstock
