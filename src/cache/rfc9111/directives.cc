#include "cache/rfc9111/directives.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "message/characters.h"

namespace penstock::rfc9111 {
namespace {

using Argument = std::optional<std::string_view>;

struct TimeDirective {
  std::string_view name;
  std::optional<seconds> Directives::* member;
};

// A directive that forbids holds whatever stands behind "=", one that allows does not.
struct FlagDirective {
  std::string_view name;
  bool Directives::* member;
  bool allows;
};

struct LimitedDirective {
  std::string_view name;
  bool Directives::* whole;
  FieldNames Directives::* fields;
};

constexpr TimeDirective kTimes[] = {
    {"max-age", &Directives::max_age},
    {"s-maxage", &Directives::s_maxage},
    {"stale-while-revalidate", &Directives::stale_while_revalidate},
    {"stale-if-error", &Directives::stale_if_error},
    {"min-fresh", &Directives::min_fresh},
};

constexpr FlagDirective kFlags[] = {
    {"public", &Directives::is_public, true},
    {"no-store", &Directives::no_store, false},
    {"must-revalidate", &Directives::must_revalidate, false},
    {"proxy-revalidate", &Directives::proxy_revalidate, false},
    {"immutable", &Directives::immutable, true},
    {"no-transform", &Directives::no_transform, false},
    {"must-understand", &Directives::must_understand, true},
    {"only-if-cached", &Directives::only_if_cached, false},
};

constexpr LimitedDirective kLimited[] = {
    {"no-cache", &Directives::no_cache, &Directives::no_cache_fields},
    {"private", &Directives::is_private, &Directives::private_fields},
};

template <class Table>
auto* find_directive(const Table& table, std::string_view name) {
  const auto named = [name](const auto& row) { return equals_ignoring_case(row.name, name); };
  const auto* const found = std::ranges::find_if(table, named);
  return found != std::end(table) ? found : nullptr;
}

// What is between the quotes, or the text itself; nothing for a string that ends elsewhere.
Argument unquoted(std::string_view text) {
  if (!text.starts_with('"')) return text;
  if (text.size() < 2 || text.find('"', 1) != text.size() - 1) return std::nullopt;
  return text.substr(1, text.size() - 2);
}

seconds time_of(const Argument& argument) {
  if (!argument) return seconds(0);
  const Argument text = unquoted(*argument);
  return (text ? parse_delta_seconds(*text) : std::nullopt).value_or(seconds(0));
}

// Whether the line ends inside a quoted string, as for_each_element() sees it.
bool ends_quoted(std::string_view line) {
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"') quoted = !quoted;
    if (quoted && line[at] == '\\') ++at;
  }
  return quoted;
}

}  // namespace

std::optional<seconds> parse_delta_seconds(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = std::min(value * 10 + (c - '0'), std::int64_t{kMaxDelta.count()});
  }
  return seconds(value);
}

bool FieldNames::contains(std::string_view name) const {
  bool found = false;
  for_each([&](std::string_view listed) { found = found || equals_ignoring_case(listed, name); });
  return found;
}

bool FieldNames::add(std::string_view list) {
  bool some = false;
  bool valid = true;
  for_each_element(list, [&](std::string_view name) {
    some = true;
    valid = valid && is_token(name);
  });
  auto* const free = std::ranges::find_if(lists_, &std::string_view::empty);
  if (!some || !valid || free == lists_.end()) return false;
  *free = list;
  return true;
}

void Directives::add(std::string_view name, std::optional<std::string_view> argument) {
  if (const TimeDirective* const time = find_directive(kTimes, name)) {
    std::optional<seconds>& value = this->*time->member;
    if (!value) value = time_of(argument);
  } else if (const FlagDirective* const flag = find_directive(kFlags, name)) {
    if (!flag->allows || !argument) this->*flag->member = true;
  } else if (const LimitedDirective* const limited = find_directive(kLimited, name)) {
    const Argument list = argument ? unquoted(*argument) : std::nullopt;
    if (!list || !(this->*limited->fields).add(*list)) this->*limited->whole = true;
  } else if (equals_ignoring_case(name, "max-stale")) {
    if (!max_stale) max_stale = argument ? time_of(argument) : kMaxDelta;
  }
}

void Directives::add_line(std::string_view line) {
  if (line.contains('"') && ends_quoted(line)) malformed = true;
  for_each_element(line, [this](std::string_view element) {
    const std::size_t equals = element.find('=');
    if (equals == std::string_view::npos) {
      add(element, std::nullopt);
    } else {
      add(element.substr(0, equals), element.substr(equals + 1));
    }
  });
}

namespace {

void add_lines(Directives& directives, const FieldSection& fields) {
  for (const Field& field : fields) {
    if (field.id == FieldId::cache_control) directives.add_line(field.value);
  }
}

}  // namespace

Directives response_directives(const FieldSection& fields) {
  Directives directives;
  if (fields.has(FieldId::cache_control)) add_lines(directives, fields);
  return directives;
}

Directives request_directives(const FieldSection& fields) {
  Directives directives;
  if (fields.has(FieldId::cache_control)) {
    add_lines(directives, fields);
  } else if (fields.has(FieldId::pragma)) {
    for (const Field& field : fields) {
      if (field.id != FieldId::pragma) continue;
      for_each_element(field.value, [&](std::string_view element) {
        if (equals_ignoring_case(element, "no-cache")) directives.no_cache = true;
      });
    }
  }
  return directives;
}

}  // namespace penstock::rfc9111
