// [hosts]: names and their addresses, under keys of the user's choice.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/report.h"
#include "config/toml.h"

namespace penstock::config {

inline constexpr std::string_view kHostsTable = "hosts";

// Each with its addresses; none where it is to have no address.
using HostAddresses = std::vector<std::pair<std::string, std::vector<std::string>>>;

// In the order of the file.
void read_hosts(const toml::node& node, Report& report, HostAddresses& out);
// `"app.example" = ["192.0.2.1"]` for each.
[[nodiscard]] std::vector<std::string> show_hosts(const HostAddresses& hosts);

}  // namespace penstock::config
