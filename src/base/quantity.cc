#include "base/quantity.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <span>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "base/wording.h"

namespace penstock {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first; of several with one factor the first is written.
constexpr Unit kTimeUnits[] = {
    {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}};
constexpr Unit kSizeUnits[] = {
    {"GiB", 1ULL << 30U}, {"GB", 1'000'000'000}, {"MiB", 1ULL << 20U}, {"MB", 1'000'000},
    {"KiB", 1ULL << 10U}, {"kB", 1'000},         {"KB", 1'000},        {"B", 1}};
constexpr std::string_view kTimeForm =
    R"(expected a duration such as "500ms", "30s", "2m" or "1h")";
constexpr std::string_view kSizeForm = R"(expected a size such as "64KiB", "10MB" or 4096)";

struct Quantity {
  std::uint64_t number;
  std::string_view unit;
};

std::expected<Quantity, std::string> split(std::string_view text, std::string_view form) {
  const auto digits = std::ranges::find_if_not(text, is_digit) - text.begin();
  if (digits == 0) return std::unexpected(fmt::format("{}, found {}", form, quoted(text)));
  const std::string_view unit = text.substr(static_cast<std::size_t>(digits));
  if (unit.starts_with('.') || unit.starts_with(',')) {
    return std::unexpected(fmt::format("{}, in whole numbers: use a smaller unit", form));
  }
  Quantity out{.number = 0, .unit = unit};
  const char* const begin = text.data();
  if (std::from_chars(begin, begin + digits, out.number).ec != std::errc{}) {
    return std::unexpected(fmt::format("{} is too large a number", quoted(text)));
  }
  return out;
}

std::expected<std::uint64_t, std::string> multiply(const Quantity& quantity,
                                                   std::span<const Unit> units,
                                                   std::string_view text, std::uint64_t most) {
  for (const Unit& unit : units) {
    if (unit.name != quantity.unit) continue;
    if (quantity.number > most / unit.factor) {
      return std::unexpected(fmt::format("{} is too large a number", quoted(text)));
    }
    return quantity.number * unit.factor;
  }
  std::string known;
  for (const Unit& unit : units) known += fmt::format("{}{}", known.empty() ? "" : ", ", unit.name);
  return std::unexpected(
      fmt::format("{} has an unknown unit; the units are {}", quoted(text), known));
}

std::string format(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value >= unit.factor && value % unit.factor == 0) {
      return fmt::format("{}{}", value / unit.factor, unit.name);
    }
  }
  return fmt::format("{}{}", value / units.back().factor, units.back().name);
}

}  // namespace

std::expected<Duration, std::string> parse_duration(std::string_view text) {
  const auto quantity = split(text, kTimeForm);
  if (!quantity) return std::unexpected(quantity.error());
  if (quantity->unit.empty()) {
    return std::unexpected(
        fmt::format("{} has no unit: say which, as in \"{}s\"", quoted(text), text));
  }
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());
  const auto nanoseconds = multiply(*quantity, kTimeUnits, text, kMost);
  if (!nanoseconds) return std::unexpected(nanoseconds.error());
  return Duration(static_cast<Duration::rep>(*nanoseconds));
}

std::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  const auto quantity = split(text, kSizeForm);
  if (!quantity) return std::unexpected(quantity.error());
  if (quantity->unit.empty()) return quantity->number;
  return multiply(*quantity, kSizeUnits, text, std::numeric_limits<std::uint64_t>::max());
}

std::string format_duration(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  return format(static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count()),
                kTimeUnits);
}

std::string format_size(std::uint64_t bytes) { return format(bytes, kSizeUnits); }

}  // namespace penstock
