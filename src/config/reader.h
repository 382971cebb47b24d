// Reads the tables of a parsed file into a draft, reporting everything that is wrong on the way.
#pragma once

#include "config/draft.h"
#include "config/report.h"
#include "config/toml.h"

namespace penstock::config {

void read_root(const toml::table& root, Report& report, Draft& draft);

}  // namespace penstock::config
