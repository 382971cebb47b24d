// What a single value cannot show: whether the parts of a configuration fit together.
#pragma once

#include "config/draft.h"
#include "config/report.h"

namespace penstock::config {

// Fills in what follows from the rest (the default listener, the route to an only group) and
// reports contradictions; of what can hardly be meant, a warning where nothing else is wrong.
void complete_and_check(Draft& draft, Report& report);

}  // namespace penstock::config
