#include "message/date.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <span>

#include "base/check.h"
#include "base/text.h"
#include "message/fields.h"

namespace penstock {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Reads a date from front to back. What is missing makes it bad, and it stays so.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool at_digit() const { return !rest_.empty() && is_digit(rest_.front()); }

  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void require(bool condition) { good_ = good_ && condition; }

  // A number of that many digits.
  int number(std::size_t digits) {
    int value = 0;
    for (; digits > 0 && at_digit(); --digits) {
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    require(digits == 0 && !at_digit());
    return value;
  }

  std::string_view word() {
    const auto is_letter = [](char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; };
    const auto end = std::ranges::find_if_not(rest_, is_letter);
    const auto size = static_cast<std::size_t>(end - rest_.begin());
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

bool is_one_of(std::span<const std::string_view> names, std::string_view word) {
  return std::ranges::any_of(
      names, [&](std::string_view name) { return equals_ignoring_case(name, word); });
}

struct DateParts {
  int year = 0;
  bool short_year = false;
  unsigned month = 0;
  int day = 0;
  seconds time{0};
};

unsigned read_month(DateReader& reader) {
  const std::string_view word = reader.word();
  const auto* const found = std::ranges::find_if(
      kMonths, [&](std::string_view name) { return equals_ignoring_case(name, word); });
  reader.require(found != kMonths.end());
  return static_cast<unsigned>(found - kMonths.begin()) + 1;
}

seconds read_time(DateReader& reader) {
  const int hour = reader.number(2);
  reader.require(reader.skip(':'));
  const int minute = reader.number(2);
  reader.require(reader.skip(':'));
  const int second = reader.number(2);
  reader.require(hour < 24 && minute < 60 && second <= 60);
  return hours(hour) + minutes(minute) + seconds(second);
}

// Nothing but the three formats: what is neither might mean another time than it seems to.
std::optional<DateParts> read_date(std::string_view text) {
  DateReader reader(text);
  DateParts parts;
  const std::string_view weekday = reader.word();
  const bool is_long = is_one_of(kLongDays, weekday);
  reader.require(is_long || is_one_of(kDays, weekday));
  if (reader.skip(',')) {  // IMF-fixdate, RFC 850
    const char between = is_long ? '-' : ' ';
    reader.require(reader.skip(' '));
    parts.day = reader.number(2);
    reader.require(reader.skip(between));
    parts.month = read_month(reader);
    reader.require(reader.skip(between));
    parts.short_year = is_long;
    parts.year = is_long ? reader.number(2) : reader.number(4);
    reader.require(reader.skip(' '));
    parts.time = read_time(reader);
    reader.require(reader.skip(' ') && equals_ignoring_case(reader.word(), "GMT"));
  } else {  // asctime
    reader.require(!is_long && reader.skip(' '));
    parts.month = read_month(reader);
    reader.require(reader.skip(' '));
    parts.day = reader.skip(' ') ? reader.number(1) : reader.number(2);
    reader.require(reader.skip(' '));
    parts.time = read_time(reader);
    reader.require(reader.skip(' '));
    parts.year = reader.number(4);
  }
  if (!reader.good() || !reader.at_end()) return std::nullopt;
  return parts;
}

std::optional<sys_seconds> moment_of(const DateParts& parts) {
  const year_month_day date{year(parts.year), month(parts.month),
                            day(static_cast<unsigned>(parts.day))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + parts.time;
}

// 50 years later, to the second.
sys_seconds fifty_years_after(sys_seconds now) {
  const sys_days today = floor<days>(now);
  // 29 February may become 1 March.
  return sys_days(year_month_day(today) + years(50)) + (now - today);
}

std::optional<sys_seconds> moment_of_short_year(DateParts parts, sys_seconds now) {
  const sys_seconds latest = fifty_years_after(now);
  const int last_year = static_cast<int>(year_month_day(floor<days>(latest)).year());
  parts.year += last_year - last_year % 100;
  // In the century of the latest year, or in the one before.
  std::optional<sys_seconds> moment = moment_of(parts);
  if (parts.year > last_year || (moment && *moment > latest)) {
    parts.year -= 100;
    moment = moment_of(parts);
  }
  return moment;
}

}  // namespace

std::string_view http_date(std::chrono::system_clock::time_point time) {
  return http_date(floor<seconds>(time));
}

std::string_view http_date(std::chrono::sys_seconds time) {
  static constexpr std::size_t kSize = 29;
  thread_local std::array<char, kSize + 1> text{};
  thread_local std::time_t shown = -1;
  // What can be written in four digits, without a zero in front.
  static constexpr sys_seconds kFirst = sys_days(year(1000) / 1 / 1);
  static constexpr sys_seconds kLast = sys_days(year(10'000) / 1 / 1) - seconds(1);
  const std::time_t second = std::clamp(time, kFirst, kLast).time_since_epoch().count();
  if (second != shown) {
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

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text,
                                                        std::chrono::sys_seconds now) {
  const std::optional<DateParts> parts = read_date(text);
  if (!parts) return std::nullopt;
  return parts->short_year ? moment_of_short_year(*parts, now) : moment_of(*parts);
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
  const std::optional<DateParts> parts = read_date(text);
  if (!parts) return std::nullopt;
  if (!parts->short_year) return moment_of(*parts);
  return moment_of_short_year(*parts, floor<seconds>(system_clock::now()));
}

}  // namespace penstock
