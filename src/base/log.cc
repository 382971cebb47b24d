#include "base/log.h"

#include <chrono>

#include <fmt/chrono.h>

namespace penstock {

void Log::write(std::string_view level, std::string_view text) {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  file_->write(fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}\n", fmt::gmtime(seconds),
                           ms.count() % 1000, level, text));
}

}  // namespace penstock
