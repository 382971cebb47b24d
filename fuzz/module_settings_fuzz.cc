// Any lines "key = value" as a module's own table: either there are problems, each with words, or
// every setting has a value of its type and in its range. Also each value as a default: what was
// found good gives no problem afterwards.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "module/config_access.h"
#include "module/schema.h"
#include "module/setting_literal.h"

namespace {

using namespace penstock;

constexpr penstock_setting kInner[] = {
    {.name = "path", .type = PENSTOCK_SETTING_STRING},
};
constexpr penstock_setting kSchema[] = {
    {.name = "text", .type = PENSTOCK_SETTING_STRING, .standard = "\"\""},
    {.name = "level", .type = PENSTOCK_SETTING_INTEGER, .standard = "3", .least = 1, .most = 9},
    {.name = "share", .type = PENSTOCK_SETTING_NUMBER, .standard = "1", .least = -1, .most = 1},
    {.name = "flag", .type = PENSTOCK_SETTING_BOOLEAN, .standard = "false"},
    {.name = "wait",
     .type = PENSTOCK_SETTING_DURATION,
     .standard = "\"1s\"",
     .least = 0,
     .most = 5000},
    {.name = "room", .type = PENSTOCK_SETTING_SIZE, .standard = "0"},
    {.name = "list", .type = PENSTOCK_SETTING_STRINGS, .standard = "[]"},
    {.name = "rules",
     .type = PENSTOCK_SETTING_TABLES,
     .standard = "[]",
     .inner = kInner,
     .inner_count = 1},
};

void check_values(const penstock_config* config) {
  static_cast<void>(setting_text(config, "text"));
  const std::int64_t level = setting_integer(config, "level");
  PENSTOCK_CHECK(level >= 1 && level <= 9);
  const double share = setting_number(config, "share");
  PENSTOCK_CHECK(share >= -1 && share <= 1);
  const std::int64_t flag = setting_integer(config, "flag");
  PENSTOCK_CHECK(flag == 0 || flag == 1);
  const std::int64_t wait = setting_integer(config, "wait");
  PENSTOCK_CHECK(wait >= 0 && wait <= 5000);
  PENSTOCK_CHECK(setting_integer(config, "room") >= 0);
  for (std::size_t i = 0; i < setting_count(config, "list"); ++i) {
    static_cast<void>(setting_text_at(config, "list", i));
  }
  PENSTOCK_CHECK(setting_table_at(config, "rules", setting_count(config, "rules")) == nullptr);
}

void check_table(const ModuleValue& table) {
  std::vector<ModuleProblem> problems;
  const auto config = read_module_config(table, kSchema, problems);
  for (const ModuleProblem& problem : problems) PENSTOCK_CHECK(!problem.text.empty());
  if (!problems.empty()) return;
  check_values(config.get());
  PENSTOCK_CHECK(problems.empty());
}

void check_default(penstock_setting setting, std::string_view text) {
  const std::string copy(text);
  setting.standard = copy.c_str();
  if (!problem_of_schema({&setting, 1}).empty()) return;
  std::vector<ModuleProblem> problems;
  const ModuleValue nothing{.value = ModuleValue::Table{}};
  static_cast<void>(read_module_config(nothing, {&setting, 1}, problems));
  PENSTOCK_CHECK(problems.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  ModuleValue::Table table;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + (line.size() < rest.size() ? 1 : 0));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view text = line.substr(equals + 1);
    auto value = parse_literal(text);
    if (!value) continue;
    for (const penstock_setting& setting : kSchema) check_default(setting, text);
    table.push_back({.name = std::string(line.substr(0, equals)), .value = std::move(*value)});
  }
  check_table({.value = std::move(table)});
  return 0;
}
