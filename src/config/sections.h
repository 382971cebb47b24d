// All tables of the file and their keys.
#pragma once

#include <span>

#include "config/draft.h"
#include "config/key.h"

namespace penstock::config {

// The tables that exist once. In the order of the documentation:
extern const Section<Draft> kLimits;
extern const Section<Draft> kTimeouts;
extern const Section<Draft> kForward;
extern const Section<Draft> kProxy;
extern const Section<Draft> kLog;
extern const Section<Draft> kWorkers;
[[nodiscard]] std::span<const Section<Draft>* const> single_sections();

// Those that may repeat.
extern const Section<ListenerSettings> kListener;
extern const Section<RouteSettings> kRoute;
extern const Section<FieldEdits> kRequestEdits;
extern const Section<FieldEdits> kResponseEdits;
extern const Section<UpstreamGroupSettings> kUpstream;

}  // namespace penstock::config
