#include "module/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <expected>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/quantity.h"
#include "base/wording.h"
#include "module/setting_literal.h"

namespace penstock {
namespace {

using Tables = std::vector<std::unique_ptr<penstock_config>>;
using Schema = std::span<const penstock_setting>;
// A setting's value, or what is wrong with what stands there.
using Read = std::expected<SettingValue, std::string>;

constexpr std::array<std::string_view, 8> kTypes{"text",          "whole number",  "number",
                                                 "true or false", "duration",      "size",
                                                 "list of texts", "list of tables"};

std::string_view kind_of(const ModuleValue& value) {
  constexpr std::array<std::string_view, 6> kKinds{
      "a text", "a whole number", "a number with a fraction", "a boolean", "an array", "a table"};
  return kKinds[value.value.index()];
}

std::unexpected<std::string> expected_but_found(std::string_view expected,
                                                const ModuleValue& value) {
  return std::unexpected(fmt::format("expected {}, found {}", expected, kind_of(value)));
}

// A number as the setting's type writes it.
std::string written(const penstock_setting& setting, double number) {
  if (setting.type == PENSTOCK_SETTING_NUMBER) return fmt::format("{}", number);
  const double most = static_cast<double>(std::numeric_limits<std::int64_t>::max());
  const auto whole = static_cast<std::int64_t>(std::clamp(number, -most, most / 2));
  if (setting.type == PENSTOCK_SETTING_DURATION) {
    const std::int64_t ms =
        std::clamp<std::int64_t>(whole, 0, std::numeric_limits<Duration::rep>::max() / 1'000'000);
    return format_duration(std::chrono::milliseconds(ms));
  }
  if (setting.type == PENSTOCK_SETTING_SIZE) {
    return format_size(static_cast<std::uint64_t>(std::max<std::int64_t>(whole, 0)));
  }
  return fmt::format("{}", whole);
}

bool has_range(const penstock_setting& setting) {
  return setting.type >= PENSTOCK_SETTING_INTEGER && setting.type <= PENSTOCK_SETTING_SIZE &&
         setting.type != PENSTOCK_SETTING_BOOLEAN && (setting.least != 0 || setting.most != 0);
}

// More than any number that is meant: only the other end of the range says something.
bool is_open(double end) { return std::abs(end) >= 1e18; }

std::string range_text(const penstock_setting& setting) {
  if (is_open(setting.most)) return fmt::format("at least {}", written(setting, setting.least));
  if (is_open(setting.least)) return fmt::format("at most {}", written(setting, setting.most));
  return fmt::format("{} to {}", written(setting, setting.least), written(setting, setting.most));
}

// `text`: the number as it was given.
std::optional<std::string> out_of_range(const penstock_setting& setting, double number,
                                        std::string_view text) {
  if (!has_range(setting) || (number >= setting.least && number <= setting.most)) {
    return std::nullopt;
  }
  const bool less = number < setting.least;
  const bool time = setting.type == PENSTOCK_SETTING_DURATION;
  const std::string_view word = less ? (time ? "short" : "small") : (time ? "long" : "large");
  return fmt::format("{} is too {}: expected {}", text, word, range_text(setting));
}

Read in_range(const penstock_setting& setting, std::int64_t number, std::string_view text) {
  if (auto problem = out_of_range(setting, static_cast<double>(number), text)) {
    return std::unexpected(std::move(*problem));
  }
  return SettingValue(number);
}

Read read_number(const penstock_setting& setting, const ModuleValue& value) {
  double number = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&value.value)) {
    number = static_cast<double>(*whole);
  } else if (const auto* fraction = std::get_if<double>(&value.value)) {
    number = *fraction;
  } else {
    return expected_but_found("a number", value);
  }
  if (!std::isfinite(number)) return std::unexpected(fmt::format("{} is no number", number));
  if (auto problem = out_of_range(setting, number, fmt::format("{}", number))) {
    return std::unexpected(std::move(*problem));
  }
  return SettingValue(number);
}

Read read_boolean(const ModuleValue& value) {
  if (const auto* flag = std::get_if<bool>(&value.value)) return SettingValue(std::int64_t{*flag});
  const auto* text = std::get_if<std::string>(&value.value);
  const bool word = text != nullptr && (*text == "true" || *text == "false");
  return expected_but_found(word ? "true or false without quotes" : "true or false", value);
}

Read read_duration(const penstock_setting& setting, const ModuleValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value.value)) {
    return std::unexpected(fmt::format("{0} has no unit: say which, as in \"{0}s\"", *number));
  }
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) {
    return expected_but_found(R"(a duration such as "500ms", "30s", "2m" or "1h")", value);
  }
  const auto duration = parse_duration(*text);
  if (!duration) return std::unexpected(duration.error());
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  return in_range(setting, ms, quoted(*text));
}

Read read_size(const penstock_setting& setting, const ModuleValue& value) {
  std::uint64_t bytes = 0;
  if (const auto* number = std::get_if<std::int64_t>(&value.value)) {
    if (*number < 0) return std::unexpected("a size cannot be negative");
    bytes = static_cast<std::uint64_t>(*number);
  } else if (const auto* text = std::get_if<std::string>(&value.value)) {
    const auto size = parse_size(*text);
    if (!size) return std::unexpected(size.error());
    bytes = *size;
  } else {
    return expected_but_found(R"(a size such as "64KiB", "10MB" or 4096)", value);
  }
  if (bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::unexpected(fmt::format("{} is too large a number", bytes));
  }
  return in_range(setting, static_cast<std::int64_t>(bytes), format_size(bytes));
}

// Of what is one value; lists have places of their own.
Read read_single(const penstock_setting& setting, const ModuleValue& value) {
  switch (setting.type) {
    case PENSTOCK_SETTING_STRING:
      if (const auto* text = std::get_if<std::string>(&value.value)) return SettingValue(*text);
      return expected_but_found("a text in quotes", value);
    case PENSTOCK_SETTING_INTEGER:
      if (const auto* number = std::get_if<std::int64_t>(&value.value)) {
        return in_range(setting, *number, fmt::format("{}", *number));
      }
      return expected_but_found("a whole number", value);
    case PENSTOCK_SETTING_NUMBER:
      return read_number(setting, value);
    case PENSTOCK_SETTING_BOOLEAN:
      return read_boolean(value);
    case PENSTOCK_SETTING_DURATION:
      return read_duration(setting, value);
    default:
      return read_size(setting, value);
  }
}

// A default as the module has it: text as it would stand in the file.
std::optional<ModuleValue> parse_standard(const penstock_setting& setting) {
  return parse_literal(setting.standard);
}

class TableReader {
 public:
  explicit TableReader(std::vector<ModuleProblem>& problems) : problems_(problems) {}

  // `title`: the table as it is written in the file.
  std::unique_ptr<penstock_config> read(const ModuleValue::Table& table, Schema schema,
                                        std::size_t line, std::size_t column,
                                        const std::string& title) {
    auto config = std::make_unique<penstock_config>();
    config->schema = schema;
    config->settings.resize(schema.size());
    config->line = line;
    config->column = column;
    config->problems = &problems_;
    for (const ModuleEntry& entry : table) {
      if (std::ranges::none_of(schema, [&](const auto& s) { return s.name == entry.name; })) {
        report(entry.line, entry.column, unknown_key(entry.name, schema, title));
      }
    }
    for (std::size_t i = 0; i < schema.size(); ++i) {
      read_setting(table, schema[i], config->settings[i], *config, title);
    }
    return config;
  }

 private:
  void report(std::size_t line, std::size_t column, std::string text) {
    problems_.push_back({.line = line, .column = column, .text = std::move(text)});
  }

  static std::string unknown_key(std::string_view name, Schema schema, const std::string& title) {
    std::vector<std::string_view> known;
    for (const penstock_setting& setting : schema) known.emplace_back(setting.name);
    return fmt::format("unknown key {} in {}: {}", quoted(name), title,
                       known.empty() ? "the module has no settings" : hint(name, known));
  }

  void read_setting(const ModuleValue::Table& table, const penstock_setting& setting,
                    penstock_config::Setting& out, const penstock_config& config,
                    const std::string& title) {
    const auto entry = std::ranges::find(table, setting.name, &ModuleEntry::name);
    if (entry != table.end()) {
      out.line = entry->value.line;
      out.column = entry->value.column;
      read_value(setting, entry->value, out.value, title);
      return;
    }
    out.line = config.line;
    out.column = config.column;
    if (setting.standard == nullptr) {
      report(config.line, config.column,
             fmt::format("{} lacks {}: {}", title, setting.name, type_text(setting)));
    } else if (const auto standard = parse_standard(setting)) {
      read_value(setting, *standard, out.value, title);
    }
  }

  void read_value(const penstock_setting& setting, const ModuleValue& value, SettingValue& out,
                  const std::string& title) {
    if (setting.type == PENSTOCK_SETTING_STRINGS) return read_texts(value, out);
    if (setting.type == PENSTOCK_SETTING_TABLES) return read_tables(setting, value, out, title);
    auto read = read_single(setting, value);
    if (read) {
      out = std::move(*read);
    } else {
      report(value.line, value.column, std::move(read.error()));
    }
  }

  void read_texts(const ModuleValue& value, SettingValue& out) {
    const auto* list = std::get_if<ModuleValue::List>(&value.value);
    if (list == nullptr) {
      const auto* text = std::get_if<std::string>(&value.value);
      report(value.line, value.column,
             text != nullptr ? fmt::format("expected a list: write [{}]", quoted(*text))
                             : expected_but_found("a list of texts", value).error());
      return;
    }
    std::vector<std::string> texts;
    for (const ModuleValue& element : *list) {
      if (const auto* text = std::get_if<std::string>(&element.value)) {
        texts.push_back(*text);
      } else {
        report(element.line, element.column,
               expected_but_found("a text in quotes", element).error());
      }
    }
    out = std::move(texts);
  }

  void read_tables(const penstock_setting& setting, const ModuleValue& value, SettingValue& out,
                   const std::string& title) {
    // "[module.NAME.config]" and "[[module.NAME.config.list]]" alike.
    const std::size_t begin = std::min(title.find_first_not_of('['), title.size());
    const std::string inner =
        fmt::format("[[{}.{}]]", title.substr(begin, title.find(']') - begin), setting.name);
    const auto* list = std::get_if<ModuleValue::List>(&value.value);
    if (list == nullptr) {
      const bool one = std::holds_alternative<ModuleValue::Table>(value.value);
      report(value.line, value.column,
             one ? fmt::format("there may be several of these: write {}", inner)
                 : expected_but_found(fmt::format("tables, as {}", inner), value).error());
      return;
    }
    Tables tables;
    for (const ModuleValue& element : *list) {
      if (const auto* table = std::get_if<ModuleValue::Table>(&element.value)) {
        tables.push_back(read(*table, {setting.inner, setting.inner_count}, element.line,
                              element.column, inner));
      } else {
        report(element.line, element.column,
               expected_but_found(fmt::format("a table, as {}", inner), element).error());
      }
    }
    out = std::move(tables);
  }

  std::vector<ModuleProblem>& problems_;
};

// Tables in tables in tables: nobody needs more of them, and a module cannot make us recurse
// without end.
constexpr int kDeepest = 8;

std::string problem_at_depth(Schema schema, int depth);

std::string problem_of_setting(const penstock_setting& setting, int depth) {
  if (setting.type < 0 || static_cast<std::size_t>(setting.type) >= kTypes.size()) {
    return fmt::format("its setting {} has a type that is not known here: {}", quoted(setting.name),
                       setting.type);
  }
  if (setting.type == PENSTOCK_SETTING_TABLES) {
    if (setting.inner == nullptr && setting.inner_count > 0) {
      return fmt::format("its setting {} has tables without settings", quoted(setting.name));
    }
    if (auto inner = problem_at_depth({setting.inner, setting.inner_count}, depth + 1);
        !inner.empty()) {
      return inner;
    }
  }
  if (has_range(setting) && !(setting.least <= setting.most)) {
    return fmt::format("its setting {} has a range that is none", quoted(setting.name));
  }
  if (setting.standard == nullptr) return {};
  const auto standard = parse_standard(setting);
  std::vector<ModuleProblem> problems;
  if (standard) {
    ModuleValue::Table table;
    table.push_back({.name = setting.name, .value = *standard});
    static_cast<void>(TableReader(problems).read(table, {&setting, 1}, 0, 0, "[config]"));
  }
  if (standard && problems.empty()) return {};
  return fmt::format("its setting {} has a default that is none: {}", quoted(setting.name),
                     standard ? problems.front().text : setting.standard);
}

std::string problem_at_depth(Schema schema, int depth) {
  if (depth > kDeepest) return "its settings have tables in tables without end";
  std::vector<std::string_view> names;
  for (const penstock_setting& setting : schema) {
    if (setting.name == nullptr || *setting.name == '\0') return "its settings have no names";
    if (std::ranges::find(names, setting.name) != names.end()) {
      return fmt::format("its setting {} is declared twice", quoted(setting.name));
    }
    names.emplace_back(setting.name);
    if (auto problem = problem_of_setting(setting, depth); !problem.empty()) return problem;
  }
  return {};
}

}  // namespace

std::string problem_of_schema(Schema schema) { return problem_at_depth(schema, 0); }

std::unique_ptr<penstock_config> read_module_config(const ModuleValue& table, Schema schema,
                                                    std::vector<ModuleProblem>& problems) {
  static const ModuleValue::Table kNone;
  const auto* const entries = std::get_if<ModuleValue::Table>(&table.value);
  return TableReader(problems).read(entries != nullptr ? *entries : kNone, schema, table.line,
                                    table.column, "[module.NAME.config]");
}

std::string type_text(const penstock_setting& setting) {
  const std::string_view type = kTypes[static_cast<std::size_t>(setting.type)];
  return has_range(setting) ? fmt::format("{}, {}", type, range_text(setting)) : std::string(type);
}

}  // namespace penstock
