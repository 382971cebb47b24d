// What of a request the choice by hash depends on.
#pragma once

#include <cstdint>
#include <string_view>

#include "message/head.h"
#include "net/address.h"
#include "upstream/balance_settings.h"

namespace penstock {

// The key of Balance::hash for that request. Requests that lack what it is taken of are spread by
// the client's address; null for
// none.
[[nodiscard]] std::uint64_t choice_key(const BalanceSettings& settings, const RequestHead& request,
                                       const Address* client);

// The same of a connection, of which the host is all that may be known; empty: it is not.
[[nodiscard]] std::uint64_t choice_key(const BalanceSettings& settings, std::string_view host,
                                       const Address& client);

}  // namespace penstock
