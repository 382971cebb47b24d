// What the options of `penstock fetch` are as settings of the rooms it stands on.
#pragma once

#include "app/fetch_command.h"
#include "net/settings.h"
#include "upstream/settings.h"

namespace penstock {

[[nodiscard]] DnsSettings fetch_dns_settings(const FetchCommand& command);
[[nodiscard]] UpstreamSettings fetch_upstream_settings(const FetchCommand& command);

}  // namespace penstock
