// Asking a service what it offers: OPTIONS on a connection to one of its servers (RFC 3507 section
// 4.10).
#pragma once

#include <expected>

#include "async/task.h"
#include "icap/exchange.h"
#include "icap/options.h"
#include "icap/request_head.h"
#include "upstream/lease.h"

namespace penstock::icap {

// Content of an answer (opt-body) that is skipped; of a longer one the connection is closed.
inline constexpr std::size_t kMaxOptionsBody = 64UL * 1024;

// Asks, and reads the answer; the connection goes back to the pool if it is in a state for that,
// else it is closed. Fails as Exchange::ask() does: with `connection`, `timed_out`, `malformed`,
// `status` (any but 200) or `cancelled`. `limits.stall` bounds each step: who wants a bound for the
// whole cancels it. `request` and `limits` must stay until done.
Task<std::expected<Options, Failure>> ask_options(Lease lease, const IcapRequest& request,
                                                  const ExchangeLimits& limits);

// Whether the server has answered that it does not care for OPTIONS: a service that has nothing
// better to say may be used without knowing what it offers. Not where the service is missing (404)
// or fails (most of 5xx), nor where the server only ended an idle connection (408).
[[nodiscard]] bool is_answer(const Failure& failure);

}  // namespace penstock::icap
