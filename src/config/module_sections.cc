// [module.NAME] and [modules].
#include <array>
#include <cstdint>
#include <utility>

#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

constexpr std::array kIsolations{
    std::pair{std::string_view("inline"), Isolation::in_line},
    std::pair{std::string_view("thread"), Isolation::thread},
    std::pair{std::string_view("process"), Isolation::process},
};

Complaint check_path(std::string_view text) {
  return text.find('\0') == std::string_view::npos ? Complaint{}
                                                   : "a path cannot contain a zero byte";
}
Complaint check_module_path(std::string_view text) {
  return text.empty() ? "expected the path of a file, found an empty text" : check_path(text);
}
constexpr TextRule kOutputPath{.type = "path", .plural = {}, .check = &check_path};
// Whether it can be loaded is seen, and said, when it is.
constexpr TextRule kModulePath{.type = "path of a file", .plural = {}, .check = &check_module_path};

ModuleValue module_value(const toml::node& node, Report& report);

ModuleValue::Table module_table(const toml::table& table, Report& report) {
  ModuleValue::Table out;
  for (const Entry& entry : in_file_order(table)) {
    const Place place = place_of(*entry.name);
    out.push_back({.name = std::string(entry.name->str()),
                   .value = module_value(*entry.value, report),
                   .line = place.line,
                   .column = place.column});
  }
  return out;
}

// The file's value with its places.
ModuleValue module_value(const toml::node& node, Report& report) {
  ModuleValue out{.value = {}, .line = place_of(node).line, .column = place_of(node).column};
  if (const auto* table = node.as_table()) {
    out.value = module_table(*table, report);
  } else if (const auto* array = node.as_array()) {
    ModuleValue::List list;
    for (const toml::node& element : *array) list.push_back(module_value(element, report));
    out.value = std::move(list);
  } else if (const auto* text = node.as_string()) {
    out.value = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.value = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    out.value = number->get();
  } else if (const auto* flag = node.as_boolean()) {
    out.value = flag->get();
  } else {
    report.error(place_of(node),
                 "a module has no settings that are dates or times: write a text in quotes");
  }
  return out;
}

void read_module_config(const toml::node& node, Report& report, ModuleSettings& module) {
  if (node.is_table()) {
    module.config = module_value(node, report);
  } else {
    report.error(place_of(node),
                 fmt::format("expected a table, as [module.NAME.config], found {}", kind_of(node)));
  }
}

// There may be secrets among a module's own settings.
std::string show_module_config(const ModuleSettings& module) {
  const auto* const table = std::get_if<ModuleValue::Table>(&module.config.value);
  return table == nullptr || table->empty() ? "{}" : "{ ... }";
}

constexpr std::array kModuleKeys{
    key<ModuleSettings, TextValue<kModulePath>>("file", "", "The module, a shared object.",
                                                [](auto& m) { return std::tie(m.file); }),
    key<ModuleSettings, ChoiceValue<kIsolations>>(
        "isolation", R"("inline")",
        "Where it runs. `\"inline\"`: on the workers, which is the fastest; it must never block. "
        "`\"thread\"`: on threads of its own. `\"process\"`: in a process of its own, so that it "
        "can crash without harm.",
        [](auto& m) { return std::tie(m.isolation); }),
    key<ModuleSettings, CountValue<1, 64>>("threads", "2",
                                           "How many threads, where `isolation` is not "
                                           "`\"inline\"`; with `\"process\"` for each worker, at "
                                           "most 16.",
                                           [](auto& m) { return std::tie(m.threads); }),
    key<ModuleSettings, DurationValue>(
        "watchdog", R"("50ms")",
        "Calls that take longer are reported, where `isolation` is `\"inline\"`.",
        [](auto& m) { return std::tie(m.watchdog); }),
    key<ModuleSettings, SizeValue<0, 16 * kGiB>>(
        "hold_limit", R"("16MiB")", "How much content of one transaction the module may keep back.",
        [](auto& m) { return std::tie(m.hold_limit); }),
    Key<ModuleSettings>{.name = "config",
                        .standard = "{}",
                        .meaning = "The module's own settings; `penstock module show FILE` says "
                                   "which there are.",
                        .type = [] { return std::string("table"); },
                        .read = &read_module_config,
                        .show = &show_module_config},
};

void check_module(const toml::table& table, Report& report, const ModuleSettings& module) {
  const auto counts_with = [&](std::string_view name, Isolation isolation, std::string_view word) {
    if (!table.contains(name) || module.isolation == isolation) return;
    report.warning(place_in(table, name),
                   fmt::format("{} counts only with isolation = {}", name, quoted(word)));
  };
  if (table.contains("threads") && module.isolation == Isolation::in_line) {
    report.warning(place_in(table, "threads"),
                   "threads counts only with isolation = \"thread\" or \"process\"");
  }
  counts_with("watchdog", Isolation::in_line, "inline");
}

constexpr std::array kModulesKeys{
    key<Draft, OptionalTextValue<kOutputPath>>(
        "metrics_file", R"("")",
        "A file to which the counters of modules and of ICAP services are written, in the text "
        "format "
        "of Prometheus.",
        [](auto& d) { return std::tie(d.snapshot.modules.metrics_file); }),
    key<Draft, DurationValue>(
        "metrics_interval", R"("15s")", "How often it is written.",
        [](auto& d) { return std::tie(d.snapshot.modules.metrics_interval); }),
};

}  // namespace

constexpr Section<ModuleSettings> kModule{
    .name = "module", .title = "[module.NAME]", .keys = kModuleKeys, .check = &check_module};
constexpr Section<Draft> kModules{.name = "modules", .title = "[modules]", .keys = kModulesKeys};

}  // namespace penstock::config
