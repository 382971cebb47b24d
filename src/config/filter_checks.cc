#include "config/filter_checks.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/wording.h"
#include "config/sections.h"

namespace penstock::config {
namespace {

// What filters may name, and the words for it.
struct Known {
  std::string_view kind;   // "route"
  std::string_view where;  // where there is none of these: "give one this name"
  std::vector<std::string_view> names;
};

void check_name(const Known& known, std::string_view name, Place place, Report& report) {
  if (std::ranges::find(known.names, name) != known.names.end()) return;
  report.error(place, fmt::format("there is no {} {}: {}", known.kind, quoted(name),
                                  known.names.empty() ? known.where : hint(name, known.names)));
}

void check_names(const Known& known, std::span<const std::string> names,
                 std::span<const Place> places, Report& report) {
  for (std::size_t i = 0; i < names.size(); ++i) check_name(known, names[i], places[i], report);
}

template <class List>
std::vector<std::string_view> names_of(const List& list) {
  std::vector<std::string_view> out;
  for (const auto& one : list) {
    if (!one.name.empty()) out.emplace_back(one.name);
  }
  return out;
}

// Says of the second of two that have one name where the first stands.
class NameRegister {
 public:
  NameRegister(std::string_view kind, Report& report) : kind_(kind), report_(report) {}

  void add(std::string_view name, Place place) {
    if (name.empty()) return;
    const auto [first, is_new] = seen_.emplace(name, place);
    if (is_new) return;
    report_.error(place, fmt::format("two {} cannot have one name: {} is taken in line {}", kind_,
                                     quoted(name), first->second.line));
  }

 private:
  std::string_view kind_;
  Report& report_;
  std::map<std::string_view, Place> seen_;
};

const ListenerSettings* find_listener(const Snapshot& snapshot, std::string_view name) {
  const auto found = std::ranges::find(snapshot.listeners, name, &ListenerSettings::name);
  return found == snapshot.listeners.end() ? nullptr : &*found;
}

void check_services(const Draft& draft, const FilterSettings& filter,
                    const std::vector<std::string>& named, std::span<const Place> places,
                    Report& report) {
  const auto& services = draft.snapshot.icap.services;
  Known known{.kind = "ICAP service", .where = {}, .names = names_of(services)};
  for (std::size_t i = 0; i < named.size(); ++i) {
    const std::string advice = fmt::format("add [icap.{}]", named[i]);
    known.where = advice;
    check_name(known, named[i], places[i], report);
    const auto before = named.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(named.begin(), before, named[i]) != before) {
      report.error(places[i], fmt::format("{} stands in this list twice", quoted(named[i])));
      continue;
    }
    const auto found = std::ranges::find(services, named[i], &icap::ServiceSettings::name);
    if (found == services.end() || found->respmod || !filter.conditions.need_response()) continue;
    report.error(places[i], fmt::format("{} is only sent requests (methods), and with status or "
                                        "content_type the filter sees none",
                                        quoted(named[i])));
  }
}

void warn_of_unused_services(const Draft& draft, Report& report) {
  const auto work_of = [](const FilterSettings& filter) {
    return std::get_if<IcapFilterSettings>(&filter.work);
  };
  const auto& filters = draft.snapshot.adapt.filters;
  // An answer may name any.
  const auto takes_any = [&](const FilterSettings& filter) {
    return work_of(filter) != nullptr && work_of(filter)->next_services;
  };
  if (std::ranges::any_of(filters, takes_any)) return;
  for (std::size_t i = 0; i < draft.services.size(); ++i) {
    const std::string& name = draft.snapshot.icap.services[i].name;
    const auto is_user = [&](const FilterSettings& filter) {
      const auto* const work = work_of(filter);
      return work != nullptr && std::ranges::find(work->services, name) != work->services.end();
    };
    if (std::ranges::any_of(filters, is_user)) continue;
    report.warning(draft.services[i], fmt::format("no filter uses {}", quoted(name)));
  }
}

void warn_of_unused_modules(const Draft& draft, Report& report) {
  const auto uses = [](const FilterSettings& filter, std::string_view name) {
    const auto* const work = std::get_if<ModuleFilterSettings>(&filter.work);
    return work != nullptr && work->module == name;
  };
  for (const ModuleSettings& module : draft.snapshot.modules.modules) {
    const auto is_user = [&](const FilterSettings& filter) { return uses(filter, module.name); };
    if (std::ranges::any_of(draft.snapshot.adapt.filters, is_user)) continue;
    report.warning({.line = static_cast<unsigned>(module.line),
                    .column = static_cast<unsigned>(module.column)},
                   fmt::format("no filter uses {}", quoted(module.name)));
  }
}

}  // namespace

void check_route_names(const Draft& draft, Report& report) {
  NameRegister names("routes", report);
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    names.add(draft.snapshot.proxy.routes[i].name, draft.routes[i].name);
  }
}

void check_filters(const Draft& draft, Report& report) {
  const Snapshot& snapshot = draft.snapshot;
  const Known listeners{
      .kind = "listener", .where = "give one this name", .names = names_of(snapshot.listeners)};
  const Known routes{
      .kind = "route", .where = "give one this name", .names = names_of(snapshot.proxy.routes)};
  Known modules{.kind = "module", .where = {}, .names = names_of(snapshot.modules.modules)};
  NameRegister names("filters", report);
  for (std::size_t i = 0; i < draft.filters.size(); ++i) {
    const FilterSettings& filter = snapshot.adapt.filters[i];
    const FilterPlace& place = draft.filters[i];
    names.add(filter.name, place.name);
    if (!place.sound) continue;
    check_names(listeners, filter.conditions.listeners, place.listeners, report);
    check_names(routes, filter.conditions.routes, place.routes, report);
    check_names(listeners, filter.unless.listeners, place.excepted_listeners, report);
    check_names(routes, filter.unless.routes, place.excepted_routes, report);
    if (const auto* const work = std::get_if<ModuleFilterSettings>(&filter.work)) {
      const std::string advice = fmt::format("add [module.{}]", work->module);
      modules.where = advice;
      check_name(modules, work->module, place.module, report);
    }
    if (const auto* const work = std::get_if<IcapFilterSettings>(&filter.work)) {
      check_services(draft, filter, work->services, place.services, report);
    }
  }
}

void check_cache_rules(const Draft& draft, Report& report) {
  const Snapshot& snapshot = draft.snapshot;
  const Known listeners{
      .kind = "listener", .where = "give one this name", .names = names_of(snapshot.listeners)};
  const Known routes{
      .kind = "route", .where = "give one this name", .names = names_of(snapshot.proxy.routes)};
  for (std::size_t i = 0; i < draft.cache_rules.size(); ++i) {
    const CacheRulePlace& place = draft.cache_rules[i];
    if (!place.sound) continue;
    const FilterConditions& conditions = snapshot.proxy.cache_rules[i].conditions;
    check_names(listeners, conditions.listeners, place.listeners, report);
    check_names(routes, conditions.routes, place.routes, report);
  }
  if (!draft.cache_rules.empty() && snapshot.cache.memory == 0) {
    report.warning(draft.cache_rules.front().self,
                   "there is no cache that this rule could be for: give [cache] some memory");
  }
}

namespace {

std::string name_of_work(const FilterSettings& filter) {
  if (const auto* const work = std::get_if<ModuleFilterSettings>(&filter.work)) {
    return work->module;
  }
  // Empty where there was a mistake.
  const auto* const icap = std::get_if<IcapFilterSettings>(&filter.work);
  if (icap != nullptr && !icap->services.empty()) return icap->services.front();
  return std::string(filter_works()[filter.work.index()]);
}

}  // namespace

void name_filters(Draft& draft) {
  for (FilterSettings& filter : draft.snapshot.adapt.filters) {
    if (!filter.name.empty()) continue;
    filter.name = name_of_work(filter);
  }
}

void give_modules_tls(Snapshot& snapshot) {
  // Not without need: the authorities that the system trusts take time to read, and memory.
  if (!snapshot.modules.modules.empty()) snapshot.upstream.target_tls.emplace();
}

void warn_of_idle_filters(const Draft& draft, Report& report) {
  for (std::size_t i = 0; i < draft.filters.size(); ++i) {
    const auto& named = draft.snapshot.adapt.filters[i].conditions.listeners;
    const auto passes_bytes = [&draft](const std::string& name) {
      const ListenerSettings* const listener = find_listener(draft.snapshot, name);
      return listener != nullptr && listener->mode == ListenerMode::tcp;
    };
    if (named.empty() || !std::ranges::all_of(named, passes_bytes)) continue;
    report.warning(draft.filters[i].listeners.front(),
                   "this filter never sees a message: tcp listeners pass on bytes as they are");
  }
  warn_of_unused_services(draft, report);
  warn_of_unused_modules(draft, report);
}

}  // namespace penstock::config
