// What the access log says of one session of TCP mode.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/settings.h"
#include "message/close_reason.h"
#include "proxy/tunnel.h"
#include "server/stream_handler.h"

namespace penstock {

// Filled in as the session goes along; views must be valid when it is formatted.
struct SessionRecord {
  const Address* server = nullptr;
  std::string_view group;  // of servers; empty: where it was on its way to
  // Of a tunnel's response, as CONNECT would have had it; 0: the client was gone before.
  int status = 0;
  CloseReason client_fate = CloseReason::cancelled;
  CloseReason server_fate = CloseReason::not_opened;
  std::string_view error;  // as in AccessRecord
  std::string_view detail;
  TimePoint connected{};  // both ends were up
  int attempts = 0;
  TunnelTraffic traffic;
};

// One line in the format, with its newline, appended to `out`. The text formats show a session as
// the CONNECT request it could have been: to the name asked for, or the address connected to.
void format_session_line(std::string& out, AccessLogFormat format, const StreamSession& session,
                         const SessionRecord& record, TimePoint now,
                         std::chrono::system_clock::time_point wall_now);

}  // namespace penstock
