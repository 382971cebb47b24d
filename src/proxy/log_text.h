// How lines of the access log are written, whatever they are about. All append to `out`.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "base/time.h"
#include "net/address.h"
#include "server/client_info.h"

namespace penstock {

void append_number(std::string& out, std::uint64_t number);
// For the text formats: what could break a line or a quoted part is shown as \xXX.
void append_escaped(std::string& out, std::string_view text);
// `,"key":"value"` and `,"key":value`.
void append_string(std::string& out, std::string_view key, std::string_view value);
void append_count(std::string& out, std::string_view key, std::uint64_t value);
// `,"client":"192.0.2.9:1234"` and what there is to tell of its connection: listener, interception,
// the proxy in front, TLS.
void append_client(std::string& out, const ClientInfo& client);

// Zero where there is no such time.
[[nodiscard]] std::uint64_t microseconds(TimePoint from, TimePoint to);
void append_iso_time(std::string& out, std::chrono::system_clock::time_point wall);
// "[29/Feb/2024:12:00:00 +0000]".
void append_common_time(std::string& out, std::chrono::system_clock::time_point wall);
// The first two columns of Squid's format: time, and milliseconds since `started`.
void append_squid_times(std::string& out, std::chrono::system_clock::time_point wall,
                        TimePoint started, TimePoint now);
// The last two columns of it, and the end of the line. `server`: null if there was none; `place`:
// the group or peer that it is of.
void append_squid_server(std::string& out, const ClientInfo& client, std::string_view place,
                         const Address* server);

}  // namespace penstock
