#include "module/config_access.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/wording.h"

namespace penstock {
namespace {

const penstock_config::Setting* find(const penstock_config& config, std::string_view name) {
  for (std::size_t i = 0; i < config.schema.size(); ++i) {
    if (config.schema[i].name == name) return &config.settings[i];
  }
  return nullptr;
}

void report(const penstock_config& config, std::size_t line, std::size_t column, std::string text) {
  config.problems->push_back({.line = line, .column = column, .text = std::move(text)});
}

// The setting's value as a T; null, and a problem, where it is none.
template <class T>
const T* get(const penstock_config* config, const char* name, std::string_view as) {
  if (config == nullptr || name == nullptr) return nullptr;
  const penstock_config::Setting* const setting = find(*config, name);
  if (setting == nullptr) {
    report(*config, config->line, config->column,
           fmt::format("the module asks for a setting {} that it does not declare", quoted(name)));
    return nullptr;
  }
  const T* const value = std::get_if<T>(&setting->value);
  if (value == nullptr) {
    report(*config, setting->line, setting->column,
           fmt::format("the module asks for its setting {} as {}, and has declared something else",
                       quoted(name), as));
  }
  return value;
}

penstock_str as_str(const std::string& text) { return {.data = text.data(), .size = text.size()}; }

}  // namespace

penstock_str setting_text(const penstock_config* config, const char* name) {
  const auto* const text = get<std::string>(config, name, "a text");
  return text != nullptr ? as_str(*text) : penstock_str{};
}

std::int64_t setting_integer(const penstock_config* config, const char* name) {
  const auto* const number = get<std::int64_t>(config, name, "a whole number");
  return number != nullptr ? *number : 0;
}

double setting_number(const penstock_config* config, const char* name) {
  const auto* const number = get<double>(config, name, "a number");
  return number != nullptr ? *number : 0;
}

std::size_t setting_count(const penstock_config* config, const char* name) {
  if (config != nullptr && name != nullptr) {
    if (const auto* const setting = find(*config, name)) {
      using Tables = std::vector<std::unique_ptr<penstock_config>>;
      if (const auto* const tables = std::get_if<Tables>(&setting->value)) return tables->size();
    }
  }
  const auto* const texts = get<std::vector<std::string>>(config, name, "a list");
  return texts != nullptr ? texts->size() : 0;
}

penstock_str setting_text_at(const penstock_config* config, const char* name, std::size_t index) {
  const auto* const texts = get<std::vector<std::string>>(config, name, "a list of texts");
  return texts != nullptr && index < texts->size() ? as_str((*texts)[index]) : penstock_str{};
}

const penstock_config* setting_table_at(const penstock_config* config, const char* name,
                                        std::size_t index) {
  using Tables = std::vector<std::unique_ptr<penstock_config>>;
  const auto* const tables = get<Tables>(config, name, "a list of tables");
  return tables != nullptr && index < tables->size() ? (*tables)[index].get() : nullptr;
}

void setting_error(const penstock_config* config, const char* name, const char* text) {
  if (config == nullptr) return;
  const auto* const setting = name != nullptr ? find(*config, name) : nullptr;
  report(*config, setting != nullptr ? setting->line : config->line,
         setting != nullptr ? setting->column : config->column,
         text != nullptr ? text : "the module does not say what is wrong with this");
}

}  // namespace penstock
