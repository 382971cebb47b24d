#include "config/reader.h"

#include <algorithm>
#include <utility>

#include "config/hosts_table.h"
#include "config/match_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

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

// Of each element of a list, or of what stands there alone.
std::vector<Place> places_of(const toml::table& table, std::string_view key) {
  std::vector<Place> out;
  const toml::node* const node = table.get(key);
  if (node == nullptr) return out;
  const auto* list = node->as_array();
  if (list == nullptr) return {place_of(*node)};
  for (const toml::node& element : *list) out.push_back(place_of(element));
  return out;
}

void read_listeners(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kListener.name, report)) {
    const std::size_t errors = report.errors();
    ListenerSettings settings{.max_connections = draft.connections};
    read_table(*table, kListener, report, settings);
    draft.snapshot.listeners.push_back(std::move(settings));
    draft.listeners.push_back({.self = place_of(*table),
                               .name = place_in(*table, "name"),
                               .mode = place_in(*table, "mode"),
                               .addresses = table->contains("address")
                                                ? places_of(*table, "address")
                                                : std::vector{place_of(*table)},
                               .sound = report.errors() == errors});
  }
}

// Requests carry IPv6 addresses without the brackets.
std::string without_brackets(const std::string& host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

void read_routes(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kRoute.name, report)) {
    const std::size_t errors = report.errors();
    RouteSettings settings;
    read_table(*table, kRoute, report, settings);
    settings.host = without_brackets(settings.host);
    draft.snapshot.proxy.routes.push_back(std::move(settings));
    draft.routes.push_back({.self = place_of(*table),
                            .name = place_in(*table, "name"),
                            .to = place_in(*table, "to"),
                            .via = places_of(*table, "via"),
                            .listeners = places_of(*table, "listener"),
                            .sound = report.errors() == errors});
  }
}

// A table of those that have names, such as [upstream.NAME], and its name.
struct NamedTable {
  const toml::key* name;
  const toml::table* table;
};

// All of them in the order of the file. `kind`: what each is, "group".
template <class Owner>
std::vector<NamedTable> named_tables(const toml::table& root, const Section<Owner>& section,
                                     std::string_view kind, Report& report) {
  const toml::node* const node = root.get(section.name);
  if (node == nullptr) return {};
  const auto* all = node->as_table();
  if (all == nullptr) {
    report.error(place_of(*node), fmt::format("{}s have a name: write {}", kind, section.title));
    return {};
  }
  std::vector<NamedTable> out;
  for (const Entry& entry : in_file_order(*all)) {
    const std::string_view name = entry.name->str();
    if (const auto* table = entry.value->as_table()) {
      out.push_back({.name = entry.name, .table = table});
    } else if (section.find(name) != nullptr) {
      report.error(place_of(*entry.name), fmt::format("{} stands in a {}: write {} above it",
                                                      quoted(name), kind, section.title));
    } else {
      report.error(place_of(*entry.value), fmt::format("expected a {}, as [{}.{}], found {}", kind,
                                                       section.name, name, kind_of(*entry.value)));
    }
  }
  return out;
}

void read_groups(const toml::table& root, Report& report, Draft& draft) {
  for (const auto& [name, table] : named_tables(root, kUpstream, "group", report)) {
    UpstreamGroupSettings settings{.name = std::string(name->str()), .servers = {}, .service = {}};
    settings.pool.idle = draft.server_idle;
    if (settings.name.empty()) report.error(place_of(*name), "an upstream group needs a name");
    read_table(*table, kUpstream, report, settings);
    draft.snapshot.upstream.groups.push_back(std::move(settings));
    draft.groups.push_back(place_of(*table));
  }
}

void read_peers(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kPeer.name, report)) {
    PeerSettings& peer = draft.snapshot.upstream.peers.emplace_back();
    peer.pool.idle = draft.server_idle;
    read_table(*table, kPeer, report, peer);
    draft.peers.push_back({.self = place_of(*table), .name = place_in(*table, "name")});
  }
}

void read_credentials(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kCredentials.name, report)) {
    read_table(*table, kCredentials, report, draft.snapshot.upstream.credentials.emplace_back());
    draft.credentials.push_back(place_in(*table, "host"));
  }
}

// They stand in the filter, or in a table of it.
std::vector<Place> places_of_services(const toml::table& filter) {
  const toml::node* const node = filter.get("icap");
  const auto* table = node != nullptr ? node->as_table() : nullptr;
  return table != nullptr ? places_of(*table, "services") : places_of(filter, "icap");
}

std::vector<Place> places_in(const toml::table* table, std::string_view key) {
  return table != nullptr ? places_of(*table, key) : std::vector<Place>();
}

void read_filters(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kFilter.name, report)) {
    const std::size_t errors = report.errors();
    FilterSettings& filter = draft.snapshot.adapt.filters.emplace_back();
    read_table(*table, kFilter, report, filter);
    for (std::string& host : filter.conditions.hosts) host = without_brackets(host);
    for (std::string& host : filter.unless.hosts) host = without_brackets(host);
    const toml::table* const unless = table->get_as<toml::table>("unless");
    draft.filters.push_back({.self = place_of(*table),
                             .name = place_in(*table, "name"),
                             .module = place_in(*table, "module"),
                             .services = places_of_services(*table),
                             .listeners = places_of(*table, "listener"),
                             .routes = places_of(*table, "route"),
                             .excepted_listeners = places_in(unless, "listener"),
                             .excepted_routes = places_in(unless, "route"),
                             .sound = report.errors() == errors});
  }
}

void read_cache_rules(const toml::table& root, Report& report, Draft& draft) {
  for (const toml::table* table : tables_of(root, kCacheRule.name, report)) {
    const std::size_t errors = report.errors();
    CacheRuleSettings& rule = draft.snapshot.proxy.cache_rules.emplace_back();
    read_table(*table, kCacheRule, report, rule);
    for (std::string& host : rule.conditions.hosts) host = without_brackets(host);
    draft.cache_rules.push_back({.self = place_of(*table),
                                 .listeners = places_of(*table, "listener"),
                                 .routes = places_of(*table, "route"),
                                 .sound = report.errors() == errors});
  }
}

void read_modules(const toml::table& root, Report& report, Draft& draft) {
  for (const auto& [name, table] : named_tables(root, kModule, "module", report)) {
    if (Complaint complaint = check_module_name(name->str()); !complaint.empty()) {
      report.error(place_of(*name), std::move(complaint));
    }
    const Place place = place_of(*table);
    ModuleSettings& module = draft.snapshot.modules.modules.emplace_back();
    module.name = name->str();
    module.line = place.line;
    module.column = place.column;
    const Place file = place_in(*table, "file");
    module.file_line = file.line;
    module.file_column = file.column;
    // Where there is no table for it: what it lacks is lacking here.
    module.config = {.value = ModuleValue::Table{}, .line = place.line, .column = place.column};
    read_table(*table, kModule, report, module);
  }
}

void read_services(const toml::table& root, Report& report, Draft& draft) {
  for (const auto& [name, table] : named_tables(root, kIcap, "service", report)) {
    if (Complaint complaint = check_icap_name(name->str()); !complaint.empty()) {
      report.error(place_of(*name), std::move(complaint));
    }
    icap::ServiceSettings& service = draft.snapshot.icap.services.emplace_back();
    service.name = name->str();
    read_table(*table, kIcap, report, service);
    draft.services.push_back(place_of(*table));
  }
}

std::vector<std::string_view> table_names() {
  std::vector<std::string_view> out{kListener.name, kRoute.name,       kUpstream.name, kPeer.name,
                                    kHostsTable,    kCredentials.name, kFilter.name,   kIcap.name,
                                    kModule.name,   kCacheRule.name};
  for (const Section<Draft>* section : single_sections()) out.push_back(section->name);
  return out;
}

}  // namespace

void read_root(const toml::table& root, Report& report, Draft& draft) {
  const auto known = table_names();
  for (const auto& [name, node] : root) {
    if (std::ranges::find(known, name.str()) != known.end()) continue;
    report.error(place_of(name),
                 fmt::format("unknown {} {}: {}", node.is_table() ? "table" : "key",
                             quoted(name.str()), unknown_key_hint(name.str(), "", known)));
  }
  for (const Section<Draft>* section : single_sections()) {
    read_single(root, *section, report, draft);
  }
  read_listeners(root, report, draft);
  read_routes(root, report, draft);
  read_groups(root, report, draft);
  read_peers(root, report, draft);
  read_credentials(root, report, draft);
  read_filters(root, report, draft);
  read_services(root, report, draft);
  read_cache_rules(root, report, draft);
  read_modules(root, report, draft);
  if (const toml::node* const hosts = root.get(kHostsTable)) {
    read_hosts(*hosts, report, draft.snapshot.dns.hosts);
  }
}

}  // namespace penstock::config
