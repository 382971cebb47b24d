// What of a request the choice by hash depends on.
#pragma once

#include <cstdint>

#include "upstream/balance_settings.h"
#include "upstream/group.h"

namespace penstock {

// The key of Balance::hash for that request. Requests that lack what it is taken of are spread by
// the client's address.
[[nodiscard]] std::uint64_t choice_key(const BalanceSettings& settings, const Choice& choice);

}  // namespace penstock
