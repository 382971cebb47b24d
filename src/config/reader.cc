#include "config/reader.h"

#include <algorithm>
#include <utility>

#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

// A place to point at for a key that may be missing.
Place place_in(const toml::table& table, std::string_view key) {
  const toml::node* const node = table.get(key);
  return node != nullptr ? place_of(*node) : place_of(table);
}

// The tables of [[name]]; empty if there are none, or something else stands there.
std::vector<const toml::table*> tables_of(const toml::table& root, std::string_view name,
                                          Report& report) {
  const toml::node* const node = root.get(name);
  if (node == nullptr) return {};
  const auto* array = node->as_array();
  if (array == nullptr) {
    report.error(place_of(*node), fmt::format("there may be several of these: write [[{}]]", name));
    return {};
  }
  std::vector<const toml::table*> out;
  for (const toml::node& element : *array) {
    if (const auto* table = element.as_table()) {
      out.push_back(table);
    } else {
      report.error(place_of(element),
                   fmt::format("expected a table, as [[{}]], found {}", name, kind_of(element)));
    }
  }
  return out;
}

void read_single(const toml::table& root, const Section<Draft>& section, Report& report,
                 Draft& draft) {
  const toml::node* const node = root.get(section.name);
  if (node == nullptr) return;
  if (const auto* table = node->as_table()) {
    read_table(*table, section, report, draft);
  } else if (node->is_array_of_tables()) {
    report.error(place_of(*node),
                 fmt::format("there is only one of these: write {}", section.title));
  } else {
    report.error(place_of(*node),
                 fmt::format("expected a table, as {}, found {}", section.title, kind_of(*node)));
  }
}

void read_listeners(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kListener.name, report)) {
    const std::size_t errors = report.errors();
    ListenerSettings settings{.max_connections = draft.connections};
    read_table(*table, kListener, report, settings);
    draft.snapshot.listeners.push_back(std::move(settings));
    draft.listeners.push_back({.self = place_of(*table),
                               .address = place_in(*table, "address"),
                               .mode = place_in(*table, "mode"),
                               .sound = report.errors() == errors});
  }
}

void read_routes(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kRoute.name, report)) {
    const std::size_t errors = report.errors();
    RouteSettings settings;
    read_table(*table, kRoute, report, settings);
    if (settings.host.starts_with('[')) {  // requests carry IPv6 addresses without the brackets
      settings.host = settings.host.substr(1, settings.host.size() - 2);
    }
    draft.snapshot.proxy.routes.push_back(std::move(settings));
    draft.routes.push_back({.self = place_of(*table),
                            .to = place_in(*table, "to"),
                            .sound = report.errors() == errors});
  }
}

void read_group(const toml::key& name, const toml::node& node, Report& report, Draft& draft) {
  UpstreamGroupSettings settings{.name = std::string(name.str()), .servers = {}};
  if (settings.name.empty()) report.error(place_of(name), "an upstream group needs a name");
  if (const auto* table = node.as_table()) {
    read_table(*table, kUpstream, report, settings);
    draft.snapshot.upstream.groups.push_back(std::move(settings));
    draft.groups.push_back(place_of(*table));
  } else if (kUpstream.find(name.str()) != nullptr) {
    report.error(place_of(name), fmt::format("{} stands in a group: write [upstream.NAME] above it",
                                             quoted(name.str())));
  } else {
    report.error(place_of(node), fmt::format("expected a group, as [upstream.{}], found {}",
                                             name.str(), kind_of(node)));
  }
}

void read_groups(const toml::table& root, Report& report, Draft& draft) {
  const toml::node* const node = root.get(kUpstream.name);
  if (node == nullptr) return;
  const auto* table = node->as_table();
  if (table == nullptr) {
    report.error(place_of(*node), "groups have a name: write [upstream.NAME]");
    return;
  }
  std::vector<std::pair<const toml::key*, const toml::node*>> groups;
  for (const auto& [name, group] : *table) groups.emplace_back(&name, &group);
  std::ranges::sort(groups, {}, [](const auto& group) { return place_of(*group.first); });
  for (const auto& [name, group] : groups) read_group(*name, *group, report, draft);
}

std::vector<std::string_view> table_names() {
  std::vector<std::string_view> out{kListener.name, kRoute.name, kUpstream.name};
  for (const Section<Draft>* section : single_sections()) out.push_back(section->name);
  return out;
}

}  // namespace

std::string unknown_key_hint(std::string_view key, std::span<const std::string_view> known) {
  for (const Section<Draft>* section : single_sections()) {
    if (section->find(key) != nullptr) return fmt::format("it belongs to {}", section->title);
  }
  return hint(key, known);
}

void read_root(const toml::table& root, Report& report, Draft& draft) {
  const auto known = table_names();
  for (const auto& [name, node] : root) {
    if (std::ranges::find(known, name.str()) != known.end()) continue;
    report.error(place_of(name),
                 fmt::format("unknown {} {}: {}", node.is_table() ? "table" : "key",
                             quoted(name.str()), unknown_key_hint(name.str(), known)));
  }
  for (const Section<Draft>* section : single_sections()) {
    read_single(root, *section, report, draft);
  }
  read_listeners(root, report, draft);
  read_routes(root, report, draft);
  read_groups(root, report, draft);
}

}  // namespace penstock::config
