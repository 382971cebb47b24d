#include "config/values.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace penstock::config {
namespace {

constexpr Duration kShortest = std::chrono::milliseconds(1);
constexpr Duration kLongest = std::chrono::hours(24 * 7);

void expected_but_found(const toml::node& node, Report& report, std::string_view expected) {
  report.error(place_of(node), fmt::format("expected {}, found {}", expected, kind_of(node)));
}

void check_size_range(std::uint64_t value, std::uint64_t least, std::uint64_t most,
                      const toml::node& node, Report& report) {
  if (value >= least && value <= most) return;
  report.error(place_of(node), fmt::format("{} is too {}: expected {} to {}", format_size(value),
                                           value < least ? "small" : "large", format_size(least),
                                           format_size(most)));
}

}  // namespace

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

std::vector<Entry> in_file_order(const toml::table& table) {
  std::vector<Entry> out;
  for (const auto& [name, value] : table) out.push_back({.name = &name, .value = &value});
  std::ranges::sort(out, {}, [](const Entry& entry) { return place_of(*entry.name); });
  return out;
}

std::optional<std::string> read_text(const toml::node& node, Report& report,
                                     std::string_view expected) {
  if (const auto* text = node.as_string()) return text->get();
  expected_but_found(node, report, fmt::format("a text in quotes ({})", expected));
  return std::nullopt;
}

std::optional<std::uint64_t> read_count(const toml::node& node, Report& report, std::uint64_t least,
                                        std::uint64_t most) {
  const auto* number = node.as_integer();
  if (number == nullptr) {
    expected_but_found(node, report, fmt::format("a whole number from {} to {}", least, most));
    return std::nullopt;
  }
  const std::int64_t value = number->get();
  if (value >= 0 && static_cast<std::uint64_t>(value) >= least &&
      static_cast<std::uint64_t>(value) <= most) {
    return static_cast<std::uint64_t>(value);
  }
  const bool small = value < 0 || static_cast<std::uint64_t>(value) < least;
  report.error(place_of(node), fmt::format("{} is too {}: expected {} to {}", value,
                                           small ? "small" : "large", least, most));
  return std::nullopt;
}

std::optional<std::uint64_t> read_size(const toml::node& node, Report& report, std::uint64_t least,
                                       std::uint64_t most) {
  std::optional<std::uint64_t> value;
  if (const auto* number = node.as_integer()) {
    if (number->get() < 0) {
      report.error(place_of(node), "a size cannot be negative");
      return std::nullopt;
    }
    value = static_cast<std::uint64_t>(number->get());
  } else if (const auto* text = node.as_string()) {
    const auto size = parse_size(text->get());
    if (!size) {
      report.error(place_of(node), size.error());
      return std::nullopt;
    }
    value = *size;
  } else {
    expected_but_found(node, report, R"(a size such as "64KiB", "10MB" or 4096)");
    return std::nullopt;
  }
  check_size_range(*value, least, most, node, report);
  return value;
}

std::optional<std::size_t> read_word(const toml::node& node, Report& report,
                                     std::span<const std::string_view> words) {
  const auto* text = node.as_string();
  if (text == nullptr) {
    expected_but_found(node, report, alternatives(words));
    return std::nullopt;
  }
  const auto found = std::ranges::find(words, std::string_view(text->get()));
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const auto near = nearest(text->get(), words);
  report.error(place_of(node),
               fmt::format("expected {}, found {}{}", alternatives(words), quoted(text->get()),
                           near ? fmt::format("; did you mean {}?", quoted(*near)) : ""));
  return std::nullopt;
}

namespace {

std::optional<Duration> read_duration(const toml::node& node, Report& report, bool may_be_zero,
                                      Duration longest = kLongest) {
  if (const auto* number = node.as_integer()) {
    report.error(place_of(node),
                 fmt::format("{0} has no unit: say which, as in \"{0}s\"", number->get()));
    return std::nullopt;
  }
  const auto* text = node.as_string();
  if (text == nullptr) {
    expected_but_found(node, report, R"(a duration such as "500ms", "30s", "2m" or "1h")");
    return std::nullopt;
  }
  const auto duration = parse_duration(text->get());
  if (!duration) {
    report.error(place_of(node), duration.error());
    return std::nullopt;
  }
  if (may_be_zero && *duration == Duration::zero()) return *duration;
  if (*duration < kShortest || *duration > longest) {
    report.error(place_of(node), fmt::format("{} is too {}: expected {} to {}", quoted(text->get()),
                                             *duration < kShortest ? "short" : "long",
                                             format_duration(kShortest), format_duration(longest)));
    return std::nullopt;
  }
  return *duration;
}

}  // namespace

std::optional<Duration> DurationValue::read(const toml::node& node, Report& report) {
  return read_duration(node, report, false);
}

std::optional<Duration> DurationOrZeroValue::read(const toml::node& node, Report& report) {
  return read_duration(node, report, true);
}

std::optional<Duration> LifetimeValue::read(const toml::node& node, Report& report) {
  constexpr Duration kTenYears = std::chrono::hours(24 * 365 * 10);
  return read_duration(node, report, true, kTenYears);
}

std::optional<std::uint64_t> UnlimitedSizeValue::read(const toml::node& node, Report& report) {
  if (const auto* text = node.as_string(); text != nullptr && text->get() == "unlimited") return 0;
  return read_size(node, report, 0, std::numeric_limits<std::uint64_t>::max());
}

std::optional<bool> FlagValue::read(const toml::node& node, Report& report) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  const auto* text = node.as_string();
  const bool word = text != nullptr && (text->get() == "true" || text->get() == "false");
  expected_but_found(node, report, word ? "true or false without quotes" : "true or false");
  return std::nullopt;
}

std::optional<std::uint32_t> PermissionsValue::read(const toml::node& node, Report& report) {
  const auto* text = node.as_string();
  std::uint32_t value = 0;
  if (text != nullptr && text->get().size() >= 3 && text->get().size() <= 4) {
    const char* const begin = text->get().data();
    const char* const end = begin + text->get().size();
    const auto [stop, problem] = std::from_chars(begin, end, value, 8);
    if (problem == std::errc{} && stop == end && value <= 0777) return value;
  }
  report.error(place_of(node),
               fmt::format(R"(expected octal permissions in quotes such as "0660", found {})",
                           text == nullptr ? kind_of(node) : quoted(text->get())));
  return std::nullopt;
}

std::optional<std::vector<std::uint16_t>> read_numbers(const toml::node& node, Report& report,
                                                       std::string_view plural, std::uint64_t least,
                                                       std::uint64_t most) {
  const auto* array = node.as_array();
  if (array == nullptr) {
    expected_but_found(node, report, fmt::format("a list of {}", plural));
    return std::nullopt;
  }
  std::vector<std::uint16_t> out;
  for (const toml::node& element : *array) {
    const auto number = read_count(element, report, least, most);
    if (number) out.push_back(static_cast<std::uint16_t>(*number));
  }
  return out;
}

std::optional<std::vector<std::uint16_t>> PortsValue::read(const toml::node& node, Report& report) {
  return read_numbers(node, report, "ports such as [443, 8443]", 1, 65535);
}

}  // namespace penstock::config
