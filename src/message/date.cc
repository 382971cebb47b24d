#include "message/date.h"

#include <array>
#include <ctime>

#include "base/check.h"

namespace penstock {

std::string_view http_date(std::chrono::system_clock::time_point time) {
  static constexpr std::size_t kSize = 29;
  thread_local std::array<char, kSize + 1> text{};
  thread_local std::time_t shown = -1;
  const std::time_t second = std::chrono::system_clock::to_time_t(time);
  if (second != shown) {
    static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                         "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm parts{};
    PENSTOCK_CHECK(gmtime_r(&second, &parts) != nullptr);
    // Names are put in by hand: strftime's would follow the locale.
    std::strftime(text.data(), text.size(), "xxx, %d xxx %Y %H:%M:%S GMT", &parts);
    const std::string_view day = kDays[static_cast<std::size_t>(parts.tm_wday)];
    const std::string_view month = kMonths[static_cast<std::size_t>(parts.tm_mon)];
    day.copy(text.data(), 3);
    month.copy(text.data() + 8, 3);
    shown = second;
  }
  return {text.data(), kSize};
}

}  // namespace penstock
