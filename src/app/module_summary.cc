#include "app/module_summary.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/quantity.h"
#include "module/schema.h"

namespace penstock {
namespace {

std::vector<std::string> events_of(const penstock_module& module) {
  const std::pair<std::string_view, bool> all[] = {
      {"connection", module.connection != nullptr},
      {"request_head", module.request_head != nullptr},
      {"request_body", module.request_body != nullptr},
      {"request_complete", module.request_complete != nullptr},
      {"cache_lookup", module.cache_lookup != nullptr},
      {"before_connect", module.before_connect != nullptr},
      {"response_head", module.response_head != nullptr},
      {"response_body", module.response_body != nullptr},
      {"response_complete", module.response_complete != nullptr},
      {"answer_body", module.answer_body != nullptr},
      {"logged", module.logged != nullptr},
  };
  std::vector<std::string> out;
  for (const auto& [name, is_there] : all) {
    if (is_there) out.emplace_back(name);
  }
  if (module.timer != nullptr && module.timer_ms > 0) {
    const auto most =
        static_cast<std::uint64_t>(std::chrono::hours(24 * 365) / std::chrono::milliseconds(1));
    const auto period = std::chrono::milliseconds(std::min(module.timer_ms, most));
    out.push_back(fmt::format("timer (every {})", format_duration(period)));
  }
  return out;
}

// Nothing of a module reaches the terminal as a command.
std::string printable(const char* text) {
  std::string out(text != nullptr ? text : "");
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

using Row = std::array<std::string, 4>;

// `prefix`: of the keys of a table in a list, "rules.".
void append_rows(std::span<const penstock_setting> settings, const std::string& prefix,
                 std::vector<Row>& rows) {
  for (const penstock_setting& setting : settings) {
    const std::string name = prefix + printable(setting.name);
    rows.push_back({name, type_text(setting),
                    setting.standard == nullptr ? "required" : printable(setting.standard),
                    printable(setting.meaning)});
    if (setting.type == PENSTOCK_SETTING_TABLES) {
      append_rows({setting.inner, setting.inner_count}, name + ".", rows);
    }
  }
}

std::string table_of(std::span<const penstock_setting> settings) {
  std::vector<Row> rows{{"Key", "Type", "Default", "Meaning"}};
  append_rows(settings, "", rows);
  std::array<std::size_t, 3> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line = fmt::format("{:<{}}  {:<{}}  {:<{}}  {}", row[0], widths[0], row[1],
                                   widths[1], row[2], widths[2], row[3]);
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace

std::string module_summary(const LoadedModule& module) {
  const penstock_module& callbacks = module.callbacks();
  const auto events = events_of(callbacks);
  std::string out = fmt::format("{} {}: {}\n", module.name(), printable(callbacks.version),
                                printable(callbacks.summary));
  out += fmt::format("interface  {}\n", callbacks.abi);
  out += fmt::format("events     {}\n",
                     events.empty() ? "none" : fmt::format("{}", fmt::join(events, ", ")));
  if (module.settings().empty()) return out + "settings   none\n";
  return out + "\nSettings, in [module.NAME.config]:\n\n" + table_of(module.settings());
}

}  // namespace penstock
