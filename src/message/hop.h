// What ends at this hop and what this hop adds (RFC 9110 section 7.6).
#pragma once

#include <string_view>

#include "message/fields.h"
#include "message/framing.h"
#include "message/head.h"

namespace penstock {

// Removes every hop-by-hop field: the well-known ones and all that Connection names (RFC 9110
// section 7.6.1). Connection options naming end-to-end framing or routing fields (Content-Length,
// Host, ...) are not obeyed for those fields: a peer must not be able to have them dropped.
void remove_hop_by_hop(FieldSection& fields, const ConnectionOptions& options);

// Appends "1.1 pseudonym" (the version received) to Via (RFC 9110 section 7.6.3).
void append_via(FieldSection& fields, Version received, std::string_view pseudonym);

// True when a Via line of the message names `pseudonym` as a received-by: the message went through
// this proxy before.
[[nodiscard]] bool via_names(const FieldSection& fields, std::string_view pseudonym);

// The value of TE says the sender takes trailers (RFC 9110 section 10.1.4).
[[nodiscard]] bool accepts_trailers(const FieldSection& fields);

}  // namespace penstock
