// What there is to count of ICAP services, as text for Prometheus.
#pragma once

#include <span>
#include <string>

#include "base/time.h"
#include "icap/service_share.h"

namespace penstock::icap {

// In the text format of Prometheus, version 0.0.4: penstock_icap_messages_total{service="av",
// method="RESPMOD",outcome="unmodified"} 3, and so on. `now`: of the monotonic clock. Safe to use
// from all threads.
[[nodiscard]] std::string metrics_text(std::span<const ServiceShare* const> services,
                                       TimePoint now);

}  // namespace penstock::icap
