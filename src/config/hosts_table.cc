#include "config/hosts_table.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "config/address.h"
#include "config/values.h"
#include "message/fields.h"

namespace penstock::config {
namespace {

constexpr TextRule kAddress{
    .type = "IP address", .plural = "IP addresses", .check = &check_ip_address};

// A name's dots make tables of it where it does not stand in quotes.
void report_table(const Entry& entry, Report& report) {
  std::string name(entry.name->str());
  const toml::table* inner = entry.value->as_table();
  while (inner != nullptr && inner->size() == 1) {
    name += fmt::format(".{}", inner->begin()->first.str());
    inner = inner->begin()->second.as_table();
  }
  report.error(place_of(*entry.name),
               fmt::format("a name with dots stands in quotes: {} = ...", quoted(name)));
}

std::optional<std::vector<std::string>> read_addresses(const toml::node& node, Report& report) {
  if (node.is_array()) return read_texts(node, report, kAddress, true);
  auto address = read_checked(node, report, kAddress);
  if (!address) return std::nullopt;
  return std::vector{std::move(*address)};
}

}  // namespace

void read_hosts(const toml::node& node, Report& report, HostAddresses& out) {
  const auto* table = node.as_table();
  if (table == nullptr) {
    report.error(place_of(node),
                 fmt::format("expected a table, as [hosts], found {}", kind_of(node)));
    return;
  }
  for (const Entry& entry : in_file_order(*table)) {
    std::string_view name = entry.name->str();
    if (entry.value->is_table()) {
      report_table(entry, report);
      continue;
    }
    if (Complaint complaint = check_host_name(name); !complaint.empty()) {
      report.error(place_of(*entry.name), std::move(complaint));
      continue;
    }
    if (name.ends_with('.')) name.remove_suffix(1);
    const auto same = [name](const auto& other) { return equals_ignoring_case(name, other.first); };
    if (std::ranges::any_of(out, same)) {
      report.error(place_of(*entry.name),
                   fmt::format("the name {} stands here twice: upper and lower case are the same",
                               quoted(name)));
      continue;
    }
    auto addresses = read_addresses(*entry.value, report);
    if (addresses) out.emplace_back(name, std::move(*addresses));
  }
}

std::vector<std::string> show_hosts(const HostAddresses& hosts) {
  std::vector<std::string> out;
  for (const auto& [name, addresses] : hosts) {
    out.push_back(fmt::format("{} = {}", quoted(name), show_texts(addresses)));
  }
  return out;
}

}  // namespace penstock::config
