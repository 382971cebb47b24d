// What configuration sets in this room: logging.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class AccessLogFormat : std::uint8_t { json, common, combined, squid };

struct LogSettings {
  LogLevel level = LogLevel::info;
  std::string file = "stderr";  // "stderr", "stdout" or a path
  std::string access = "off";   // "off", "stderr", "stdout" or a path
  AccessLogFormat access_format = AccessLogFormat::json;
};

}  // namespace penstock
