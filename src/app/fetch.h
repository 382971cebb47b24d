// `penstock fetch`: gets URLs by the server side alone, without a proxy around it.
#pragma once

#include "app/fetch_command.h"

namespace penstock {

// Fetches one URL after the other, over the same connections where that goes. What fails is said on
// stderr, and the next URL has its turn. kExitOk, kExitFailed if any of them failed, or else
// kExitBadStatus.
[[nodiscard]] int fetch_command(const FetchCommand& command);

}  // namespace penstock
