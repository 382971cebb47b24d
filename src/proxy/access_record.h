// What the access log says of one transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/settings.h"
#include "message/close_reason.h"
#include "server/exchange.h"

namespace penstock {

// Filled in as the transaction goes along; views must be valid when it is formatted.
struct AccessRecord {
  int status = 0;  // of the final response, 0: none was sent
  const Address* server = nullptr;
  std::string_view group;  // of servers, or the peer on the way; empty for neither
  bool server_reused = false;
  CloseReason server_fate = CloseReason::not_opened;
  std::string_view error;          // the Proxy-Status error type, empty when all went well
  std::string_view detail;         // more on that
  std::uint64_t request_sent = 0;  // bytes to the server
  std::uint64_t tunnel_up = 0;     // bytes of a tunnel, from the client
  std::uint64_t tunnel_down = 0;
  TimePoint acquired{};         // a server connection was there
  TimePoint server_answered{};  // the response's head was
  int attempts = 0;
  std::string_view cache;  // what the cache did, as CacheVisit::result() says; empty: nothing
  std::string_view cache_detail;  // and why
  std::string_view filter;        // that answered, or failed; empty for none
  // Fields that filters have added: names and values.
  std::span<const std::pair<std::string, std::string>> added;
  // Lists that they have added: names, and elements in JSON.
  std::span<const std::pair<std::string, std::string>> lists;
  // The host named is not known to be the server that the connection was on its way to.
  bool host_unverified = false;
};

// One line in the format, with its newline, appended to `out`.
void format_access_line(std::string& out, AccessLogFormat format, Exchange& exchange,
                        const AccessRecord& record, TimePoint now,
                        std::chrono::system_clock::time_point wall_now);

}  // namespace penstock
