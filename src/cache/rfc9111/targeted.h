// Cache control for some caches only: targeted fields (RFC 9213) and Surrogate-Control (Edge
// Architecture Specification, section 2).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cache/rfc9111/directives.h"
#include "message/fields.h"

namespace penstock::rfc9111 {

struct Targeted {
  Directives directives;
  std::string_view field;  // the name of the field they are from, as in the list
};

// Who we are for Surrogate-Control.
struct Surrogate {
  // The device token that we announce in Surrogate-Capability. Directives for another one are not
  // for us; if any are for us, those for all do not count. Empty: none are for us alone.
  std::string_view token;
  // We are a remote surrogate: no-store-remote is no-store.
  bool remote = false;
};

// The directives of the first field of `target_list` (names, in order of precedence) that is there,
// valid and not empty. Cache-Control and Expires then do not count, and freshness is not heuristic
// unless the field says nothing about it. Nothing where no field counts.
//
// Fields are dictionaries (message/structured.h); one that is invalid is passed over. A directive
// whose value has another type than its meaning needs (max-age="60", max-age=6.5) is not used, and
// a field of nothing else is passed over. A negative time is 0.
//
// A field "Surrogate-Control" has its own syntax: of it count no-store, no-store-remote and
// max-age=FRESH+STALE, where STALE is time to be stale, both while revalidating and on errors. If
// none of them is there for us, the field is passed over.
//
// Views point into `fields` and `target_list`.
[[nodiscard]] std::optional<Targeted> targeted_directives(const FieldSection& fields,
                                                          std::span<const std::string> target_list,
                                                          const Surrogate& surrogate = {});

}  // namespace penstock::rfc9111
