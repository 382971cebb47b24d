// A module's own table in the configuration, checked by the settings that the module declares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "module/settings.h"
#include "penstock/module.h"

namespace penstock {

// What is wrong with a table, and where: as places in ModuleValue.
struct ModuleProblem {
  std::size_t line = 0;
  std::size_t column = 0;
  std::string text;

  friend bool operator==(const ModuleProblem&, const ModuleProblem&) = default;
};

// The value of a setting: whole numbers also stand for durations (ms), sizes (bytes), true and
// false. Nothing: the file has it wrong.
using SettingValue =
    std::variant<std::monostate, std::string, std::int64_t, double, std::vector<std::string>,
                 std::vector<std::unique_ptr<penstock_config>>>;

}  // namespace penstock

// What C code knows as penstock_config: the values of a table. Belongs to who had it read.
struct penstock_config {
  struct Setting {
    penstock::SettingValue value;
    std::size_t line = 0;  // the value's place; the table's, where it is a default
    std::size_t column = 0;
  };

  std::span<const penstock_setting> schema;  // of the module, which must stay loaded
  std::vector<Setting> settings;             // one for each of the schema
  std::size_t line = 0;
  std::size_t column = 0;
  // Where setting_error() and mistakes of the module go; must outlive it.
  std::vector<penstock::ModuleProblem>* problems = nullptr;
};

namespace penstock {

// What is wrong with the declarations themselves, in a sentence that begins with "its setting";
// empty: nothing. Modules whose settings were not found good here are not used.
[[nodiscard]] std::string problem_of_schema(std::span<const penstock_setting> schema);

// Reads `table` by a schema that is in order. All that is wrong with it is appended to `problems`;
// then the result is not to be shown to the module.
[[nodiscard]] std::unique_ptr<penstock_config> read_module_config(
    const ModuleValue& table, std::span<const penstock_setting> schema,
    std::vector<ModuleProblem>& problems);

// "whole number, 1 to 10": what a setting takes, for messages and for people.
[[nodiscard]] std::string type_text(const penstock_setting& setting);

}  // namespace penstock
