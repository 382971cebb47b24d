// Whether filters, modules, ICAP services, listeners and routes fit together.
#pragma once

#include "config/draft.h"
#include "config/report.h"

namespace penstock::config {

// No two routes have one name.
void check_route_names(const Draft& draft, Report& report);
// Each filter names a module, ICAP services, listeners and routes that there are; no two have one
// name.
void check_filters(const Draft& draft, Report& report);
// Each rule of the cache names listeners and routes that there are, and there is a cache.
void check_cache_rules(const Draft& draft, Report& report);
// Names those filters that have none.
void name_filters(Draft& draft);
// Modules may ask for what is to be had by https, certificates being those the system trusts.
void give_modules_tls(Snapshot& snapshot);
// Filters that never have anything to do, and modules and ICAP services that no filter uses.
void warn_of_idle_filters(const Draft& draft, Report& report);

}  // namespace penstock::config
